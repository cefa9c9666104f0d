//! Where the searches begin: packets of MariaDB 10.11 and of its client, and what else opens doors.

use super::{decoders, machines};
use crate::target::Target;

macro_rules! targets {
    ($($module:ident::$name:ident: $seeds:expr;)*) => {
        /// All of them.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: $module::$name, seeds: $seeds }),*];
    };
}

targets! {
    decoders::lenenc: &[b"\xfa", b"\xfc\xfb\x00", b"\xfd\x00\x00\x01", b"\xfe\x00\x00\x00\x01\x00\x00\x00\x00", b"\x05hello"];
    decoders::greeting: &[GREETING];
    decoders::ssl_request: &[SSL_REQUEST];
    decoders::handshake_response: &[RESPONSE];
    decoders::auth_switch_request: &[SWITCH, b"\xfe"];
    decoders::auth_more_data: &[b"\x01\x03", b"\x01\x04"];
    decoders::ok: &[OK_WITH_STATE, b"\x00\xfc\x2c\x01\x05\x02\x00\x01\x00\x10Rows matched: 1!", b"\xfe\0\0\x02\0\0\0"];
    decoders::eof: &[b"\xfe\x00\x00\x02\x00"];
    decoders::err: &[ERR, b"\xff\x10\x04Too many connections"];
    decoders::column_definition: &[COLUMN, b"\x03def\0\0\0\x01t\0\x0c!\0\t\0\0\0\xfd\x01\0'\0\0"];
    decoders::text_row: &[b"\x011\xfb\x05h\xc3\xa9\xc3\xa9\x031.5"];
    decoders::prepare_ok: &[b"\0\x01\0\0\0\x01\0\x01\0\0\0\0"];
    decoders::session_changes: &[b"\x01\x04\x03app\x02\x02\x011", b"\x00\x0f\x0aautocommit\x03OFF", b"\x05\x09\x08T_R_W_S_", b"\x03\x05\x00\x03a:1"];
    decoders::query_attributes: &[b"\x00\x01SELECT 1", b"\x01\x01\0\x01\xfe\0\x01a\x011select @@version_comment limit 1", b"\x02\x01\x02\x01\x08\x80\x01n\x06\0\x01x\x01\0\0\0\0\0\0\0SELECT 1"];
    decoders::execute: &[b"\x02\x07\0\0\0\0\x01\0\0\0\x02\x01\x02\0\x06\0\x2c\x01", b"\x22\x07\0\0\0\x08\x01\0\0\0\x03\x02\x01\x02\0\0\x06\0\0\xfd\0\x05trace\x2c\x01\x03abc", b"\x2a\x07\0\0\0\x08\x01\0\0\0\x03\x06\0\x01\0\0\0\0\0\0\0"];
    decoders::bulk_execute: &[b"\x02\x09\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0\0\x02ab\x01\x02", b"\x01\x09\0\0\0\0\0\x01"];
    decoders::change_user: &[b"app\0\x03abcshop\0\xff\0mysql_native_password\0\x0a\x03_os\x05Linux", b"app\0\0\0"];
    decoders::verifier: &[
        b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE7",
        b"3881219d087dd9c634373fd33dfa33a2cb6bfc6c520b64b8bb60ef2ceb534ae7",
        b"$A$005$01234567890123456789bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/",
        b"$5$01234567890123456789$bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/",
        b"$B$00A$01234567890123456789S8ioMxt/+OU1HgRVASva7L8o0YtbFE8LQxbdotCEmM4oFd7Vxwn2TXJkuq1bb1K0mslJuLG4RDht+CAg4Mu56Q==",
        b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY",
        b"P0:WlUUVIFVwHTHve1ccpxlldkK:wuCB7vY2J9Mk96sC7lB3yBtTw8jaETZDy2XQNyAXPSA",
        b"bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76085e5b0ee7ca4696b2ad6fe2b2",
    ];
    decoders::gtid_set: &[
        b"0-1-270,1-2-5;0-2-271",
        b"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7:tag:1-3,4350f323-7565-4e59-8763-4b1b83a0ce0e:2;3e11fa47-71ca-11e1-9e33-c80aa9429562:2-6:tag:2",
        b"",
    ];
    machines::packets: &[b"\x06\x01\0\0\0\x0e\x02\0\0\x01\xfe\0", b"\x03\0\0\0\xff\x01\0\0\0\x0e"];
    machines::compression: &[DEFLATED, STORED, ZSTD];
    machines::downstream: &[
        NATIVE_LOGIN,
        SWITCHED_LOGIN,
        TLS_LOGIN,
        RSA_LOGIN,
        SIGNED_LOGIN,
        CLEAR_LOGIN,
    ];
    machines::upstream: &[ACCEPTED, SWITCHED, REFUSED, KEY_ASKED, PARSEC, PASSED_OVER];
    machines::relay_scanner: &[RESULT, RESULT_WITHOUT_EOF, SIMPLE, CHANGED];
    machines::relay_translator: &[RESULT, RESULT_WITHOUT_EOF, SIMPLE, CHANGED];
    machines::relay_upload: &[b"\x02\x05\x04\0\0\x021,2\n\0\0\0\x03", b"\x03\0\x02\0\0\0ab\0\0\0\0"];
}

const GREETING: &[u8] = b"\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0ggP;v_[,\0\xfe\xff\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0f>An%ha,WRtr\0mysql_native_password\0";

const SSL_REQUEST: &[u8] =
    b"\x8c\xaa\xbf\0\0\0\0\x10\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1d\0\0\0";

const RESPONSE: &[u8] = b"\x8c\xa2\xbf\0\0\0\0\x10\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1d\0\0\0app\0\x14\x03\xf5(\x15\xc1\xe9\xd1\x84\xd7\x03\x0bW\x9c\xdc\xcd\x1f-\x83D\xecapp\0mysql_native_password\0\x10\x03_os\x05Linux\x01a\x01b\0\0";

const SWITCH: &[u8] = b"\xfeclient_ed25519\0\x16LI\xc4\xefC\x01\xb6bA\xef\xddr\x89\x1e\xfd\x91\xcd\xa7\x19\xeaD\x10\xb48\x02mR\xba\x19\x10J";

const OK_WITH_STATE: &[u8] = b"\0\0\0\x02\x40\0\0\0\x06\x01\x04\x03app";

const ERR: &[u8] =
    b"\xff\x15\x04#28000Access denied for user 'app'@'localhost' (using password: YES)";

const COLUMN: &[u8] = b"\x03def\0\0\0\x01t\0\0\x0c!\0\t\0\0\0\xfd\x01\0'\0\0";

/// The manual's example, in two pieces.
const DEFLATED: &[u8] = b"\x20\x09\x22\0\0\0\x32\0\0\x78\x9c\xd3\x63\x60\x60\x60\x2e\x4e\xcd\x49\x4d\x2e\x51\x50\x32\x30\x34\x32\x36\x31\x35\x33\xb7\xb0\xc4\xcd\x52\x02\0\x0c\xd1\x0a\x6c";

const STORED: &[u8] = b"\x08\x07\x0d\0\0\0\0\0\0\x09\0\0\0\x03SELECT 1";

/// A frame with one block that is stored.
const ZSTD: &[u8] = b"\xff\x08\x0e\0\0\0\x05\0\0\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello";

/// A native proof for a user that does not exist.
const NATIVE_LOGIN: &[u8] = b"\0\x0e\x41\0\0\x01\x08\xa2\x08\0\0\0\0\x10\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\x05proof\0mysql_native_password\0";

/// No proof at first, and another method afterwards.
const SWITCHED_LOGIN: &[u8] = b"\0\x01\x3c\0\0\x01\x08\xa2\x08\0\0\0\0\x10\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\0\0mysql_native_password\0\x20\0\0\x0301234567890123456789012345678901";

/// TLS, a wrong proof, and the password of nobody.
const TLS_LOGIN: &[u8] = b"\x05\x01\x20\0\0\x01\x08\xaa\x08\0\0\0\0\x10\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x41\0\0\x02\x08\xaa\x08\0\0\0\0\x10\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\x05proof\0caching_sha2_password\0\x07\0\0\x04nobody\0";

/// A wrong proof, our key, and what was not encrypted with it.
const RSA_LOGIN: &[u8] = b"\x09\x01@\0\0\x01\x08\xa2\x08\0\0\0\0\x10!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\x05proofcaching_sha2_password\0\x01\0\0\x03\x02\x07\0\0\x05nobody\0";

/// The parameters of a signature, and none.
const SIGNED_LOGIN: &[u8] = b"\0\x08,\0\0\x01\x08\xa2\x08\0\0\0\0\x10!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\0parsec\0\0\0\0\x03`\0\0\x05nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss";

/// A password over TLS that no server takes.
const CLEAR_LOGIN: &[u8] = b"\x05\x0b \0\0\x01\x08\xaa\x08\0\0\0\0\x10!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0:\0\0\x02\x08\xaa\x08\0\0\0\0\x10!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\0mysql_clear_password\0\x07\0\0\x04nobody\0";

const ACCEPTED: &[u8] = b"\x01\x64\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0ggP;v_[,\0\xfe\xff\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0f>An%ha,WRtr\0mysql_native_password\0\x0f\0\0\x02\0\0\0\x02\x40\0\0\0\x06\x01\x04\x03app";

/// Over TLS: another method, then full authentication, then OK.
const SWITCHED: &[u8] = b"\x02\x64\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0ggP;v_[,\0\xfe\xff\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0f>An%ha,WRtr\0mysql_native_password\0\x2c\0\0\x03\xfecaching_sha2_password\0abcdefghijklmnopqrst\0\x02\0\0\x05\x01\x04\x07\0\0\x07\0\0\0\x02\0\0\0";

/// Another method, which has its key asked for.
const KEY_ASKED: &[u8] = b"\x04d\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0ggP;v_[,\0\xfe\xff\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0f>An%ha,WRtr\0mysql_native_password\0&\0\0\x02\xfesha256_password\0abcdefghijklmnopqrst\0\x06\0\0\x04\x01a key\x07\0\0\x06\0\0\0\x02\0\0\0";

const PARSEC: &[u8] = b"\0d\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0ggP;v_[,\0\xfe\xff\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0f>An%ha,WRtr\0mysql_native_password\0(\0\0\x02\xfeparsec\0nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\x15\0\0\x04\x01P\0ssssssssssssssssss\x07\0\0\x06\0\0\0\x02\0\0\0";

/// A method that we do not have, then one that we have.
const PASSED_OVER: &[u8] = b"\0d\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0ggP;v_[,\0\xfe\xff\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0f>An%ha,WRtr\0mysql_native_password\0\x14\0\0\x02\xfeauth_gssapi_client\0,\0\0\x04\xfemysql_native_password\0abcdefghijklmnopqrst\0\x07\0\0\x06\0\0\0\x02\0\0\0";

const REFUSED: &[u8] = b"\0\x17\0\0\0\xff\x10\x04Too many connections";

const RESULT: &[u8] = b"\x05\x14\x01\0\0\x01\x01\x18\0\0\x02\x03def\0\0\0\x01n\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0\x05\0\0\x03\xfe\0\0\x02\0\x02\0\0\x04\x011\x01\0\0\x05\xfb\x05\0\0\x06\xfe\0\0\x02\0";

const RESULT_WITHOUT_EOF: &[u8] = b"\x0d\x14\x01\0\0\x01\x01\x17\0\0\x02\x03def\0\0\0\x01n\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0\x02\0\0\x03\x011\x07\0\0\x04\xfe\0\0\x0a\0\0\0\x07\0\0\x05\0\x01\0\x02\0\0\0";

const SIMPLE: &[u8] = b"\0\x04\x07\0\0\x01\0\0\0\x02\0\0\0";

/// `USE app` in a session that is tracked.
const CHANGED: &[u8] = b"\x18\x06\x0f\0\0\x01\0\0\0\x02\x40\0\0\0\x06\x01\x04\x03app";
