//! Where the searches begin: what PostgreSQL and its clients say, and what else opens doors.

use super::{decoders, machines};
use crate::target::Target;

macro_rules! targets {
    ($($module:ident::$name:ident: $seeds:expr;)*) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target {
            name: concat!("postgres_", stringify!($name)),
            run: $module::$name,
            seeds: $seeds,
        }),*];
    };
}

targets! {
    decoders::startup_packet: &[STARTUP, b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x2e\0\0\x12\x67abcd", b"\0\x03\0\x02user\0a\0_pq_.x\0y\0\0", b"\0\x02\0\0"];
    decoders::client_message: &[
        b"QSELECT 1\0",
        b"Ps1\0SELECT $1\0\0\x01\0\0\0\x17",
        b"B\0s1\0\0\0\0\x01\0\0\0\x011\0\0",
        b"DSs1\0",
        b"CPp1\0",
        b"Ep1\0\0\0\0\x64",
        b"pSCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc",
    ];
    decoders::server_message: &[
        b"R\0\0\0\0",
        b"R\0\0\0\x05salt",
        b"R\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0",
        b"Sserver_version\x0015.14\0",
        b"K\0\0\x12\x67abcd",
        b"ZT",
        b"v\0\x03\0\0\0\0\0\x01_pq_.x\0",
        b"ESERROR\0VERROR\0C25006\0Mno\0\0",
        b"A\0\0\x04\xd2orders\0new\0",
        b"CINSERT 0 5\0",
        b"D\0\x02\0\0\0\x011\xff\xff\xff\xff",
    ];
    decoders::verifier: &[
        b"SCRAM-SHA-256$4096:F98VotJUHMyWbE7J0MjcCQ==$KwjHiRkqtMjRuViuM4aACjMUQTrkB+vyKjHfH4f3bg0=:8PWrzTSTkxoJl5kTunftv4fkmKRDsRckOHmCLt3tg7o=",
        b"md5704ac3bc41dadc414b9aa9dbf5e63cdd",
    ];
    decoders::userlist: &[b"; users\n\"app\" \"md5704ac3bc41dadc414b9aa9dbf5e63cdd\" x\n\"a\"\"b\" \"\"\n"];
    machines::messages: &[b"\x07Q\0\0\0\x0dSELECT 1\0S\0\0\0\x04X\0\0\0\x04"];
    machines::downstream: &[SCRAM_LOGIN, BOUND_LOGIN, MD5_LOGIN, CLEAR_LOGIN, CANCEL];
    machines::upstream: &[TRUSTED, MD5_ASKED, PASSWORD_ASKED, NOT_SIGNED, REFUSED];
    machines::scanner: &[RESULTS, BATCH, KNOWN, COPIES];
    machines::upload: &[b"\x03d\0\0\0\x051H\0\0\0\x04c\0\0\0\x04", b"\x08d\0\0\0\x05xf\0\0\0\x05\0"];
}

/// Of psql 15.
const STARTUP: &[u8] = b"\0\x03\0\0user\0app\0database\0shop\0application_name\0psql\0\0";

/// A wrong proof, and no encryption of either kind.
const SCRAM_LOGIN: &[u8] = b"\0\0\0\0\x08\x04\xd2\x160\0\0\0\x08\x04\xd2\x16/\0\0\0K\0\x03\0\0user\0app\0database\0shop\0application_name\0psql\0client_encoding\0UTF8\0\0p\0\0\0!SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abcp\0\0\0Wc=biws,r=abcYSBzZXJ2ZXIncyBub25jZS4u,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A wrong proof for a user that does not exist, bound to our certificate.
const BOUND_LOGIN: &[u8] = b"f\0\0\0\x08\x04\xd2\x16/\0\0\0K\0\x03\0\0user\0app\0database\0shop\0application_name\0psql\0client_encoding\0UTF8\0\0p\0\0\0;SCRAM-SHA-256-PLUS\0\0\0\0 p=tls-server-end-point,,n=,r=abcp\0\0\0{c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsYSBoYXNo,r=abcYSBzZXJ2ZXIncyBub25jZS4u,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A wrong response.
const MD5_LOGIN: &[u8] = b"\x12\0\0\0K\0\x03\0\0user\0app\0database\0shop\0application_name\0psql\0client_encoding\0UTF8\0\0p\0\0\0(md500000000000000000000000000000000\0";

/// A wrong password.
const CLEAR_LOGIN: &[u8] = b"+\0\0\0K\0\x03\0\0user\0app\0database\0shop\0application_name\0psql\0client_encoding\0UTF8\0\0p\0\0\0\x0awrong\0";

/// A request to cancel.
const CANCEL: &[u8] = b"\x01\0\0\0\x10\x04\xd2\x16.\0\0\x12gabcd";

/// A server that is older, and asks for nothing.
const TRUSTED: &[u8] = b"\0v\0\0\0\x0c\0\x03\0\0\0\0\0\0R\0\0\0\x08\0\0\0\0S\0\0\0\x19server_version\x0015.14\0K\0\0\0\x0c\0\0\x12gabcdN\0\0\0\x18SWARNING\0C01000\0Mx\0\0Z\0\0\0\x05I";

/// No TLS, and `md5`.
const MD5_ASKED: &[u8] = b"\x01NR\0\0\0\x0c\0\0\0\x05saltR\0\0\0\x08\0\0\0\0S\0\0\0\x19server_version\x0015.14\0K\0\0\0\x0c\0\0\x12gabcdN\0\0\0\x18SWARNING\0C01000\0Mx\0\0Z\0\0\0\x05I";

/// TLS at once, and the password itself.
const PASSWORD_ASKED: &[u8] = b"\x03R\0\0\0\x08\0\0\0\x03R\0\0\0\x08\0\0\0\0S\0\0\0\x19server_version\x0015.14\0K\0\0\0\x0c\0\0\x12gabcdN\0\0\0\x18SWARNING\0C01000\0Mx\0\0Z\0\0\0\x05I";

/// A server that takes the proof, and cannot give its own.
const NOT_SIGNED: &[u8] = b"\x06SR\0\0\0*\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0R\0\0\x002\0\0\0\x0br=YSBjbGllbnQncyBub25jZS4ux,s=c2FsdA==,i=1R\0\0\x006\0\0\0\x0cv=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A server that says no.
const REFUSED: &[u8] = b"\0E\0\0\0\x1eSFATAL\0VFATAL\0C28000\0Mno\0\0";

/// Two results of a query.
const RESULTS: &[u8] = b"\x09\x01)T\0\0\0\x06\0\0D\0\0\0\x0b\0\x01\0\0\0\x01aD\0\0\0\x0b\0\x01\0\0\0\x01aC\0\0\0\x0fINSERT 0 3\0S\0\0\0\x08a\0b\0C\0\0\0\x0fINSERT 0 3\0Z\0\0\0\x05I";

/// A batch with a statement that the client does not know of.
const BATCH: &[u8] = b"\x07\x06\x01\"$%&'1\0\0\0\x042\0\0\0\x04T\0\0\0\x06\0\0D\0\0\0\x0b\0\x01\0\0\0\x01as\0\0\0\x043\0\0\0\x04Z\0\0\0\x05I";

/// A batch with a statement that is known here, and an error.
const KNOWN: &[u8] = b"\x03\x05\x11#\"%'t\0\0\0\x06\0\0n\0\0\0\x042\0\0\0\x04E\0\0\0\x1eSERROR\0VERROR\0C25006\0Mno\0\0Z\0\0\0\x05I";

/// COPY in both directions, and what else there is.
const COPIES: &[u8] = b"\x1e\x08)(\"%'' 'G\0\0\0\x07\0\0\0C\0\0\0\x0fINSERT 0 3\0H\0\0\0\x07\0\0\0d\0\0\0\x05xc\0\0\0\x04C\0\0\0\x0fINSERT 0 3\0Z\0\0\0\x05I2\0\0\0\x04I\0\0\0\x04Z\0\0\0\x05IZ\0\0\0\x05IV\0\0\0\x05\0Z\0\0\0\x05IZ\0\0\0\x05I";
