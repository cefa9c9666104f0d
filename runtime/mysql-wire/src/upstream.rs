//! We play the client: log in to a server as the user whose credential we hold.
//!
//! ```text
//!   start ──▶ ExpectGreeting ─────── response ───────▶ ExpectVerdict ──▶ Session
//!                   │                                  ▲  │  ▲   │ the server's key
//!                   │ request for TLS                  │  └──┘   ▼
//!                   ▼                                  │  more  ExpectCiphertext
//!               UpgradeTls ── resume ── response ──────┤         │
//!                                                      └─────────┘ encrypted
//! ```
//!
//! Each state is consumed by what it expects: a packet of the server, or the password, which the
//! caller has encrypted with the server's key. What must be sent is left in `out`.

mod error;
mod expect_ciphertext;
mod expect_greeting;
mod expect_verdict;

use crate::auth::{Credential, parsec};
use crate::capabilities::Capabilities;
use crate::status::StatusFlags;

pub use error::LoginError;
pub use expect_ciphertext::ExpectCiphertext;
pub use expect_greeting::{ExpectGreeting, UpgradeTls};
pub use expect_verdict::ExpectVerdict;

/// No packet of a handshake is longer, in bytes.
pub const PACKET_MAX: usize = 64 << 10;

/// Whether the connection to a server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTls {
    Off,
    /// If the server can.
    Prefer,
    /// Or not at all.
    Require,
}

/// Who logs in, and how.
#[derive(Clone, Debug)]
pub struct Dial {
    pub user: String,
    pub database: Option<String>,
    pub collation: u8,
    /// What we would like; the server may be able to do less. What the login itself needs is added,
    /// and [`Capabilities::SSL`] and [`Capabilities::CONNECT_WITH_DB`] follow the other fields.
    pub capabilities: Capabilities,
    pub credential: Credential,
    pub tls: ServerTls,
    /// Without TLS, a password may go out encrypted with a key that the server sends. Whoever stands
    /// between can send his own: the caller decides which keys it trusts.
    pub may_ask_for_key: bool,
    /// Random, and never used before; some methods sign it.
    pub nonce: [u8; parsec::NONCE_LEN],
    /// What the server is told about us. Sent if `capabilities` has
    /// [`Capabilities::CONNECT_ATTRS`].
    pub attributes: Vec<(String, String)>,
}

/// Logs in. The server speaks first.
#[must_use]
pub fn start(dial: Dial) -> ExpectGreeting {
    ExpectGreeting::new(dial)
}

/// What a packet of the server has led to.
#[derive(Debug)]
pub enum Step {
    /// Send what is in `out`, and give the server's next packet to this.
    Continue(ExpectVerdict),
    /// Send what is in `out`, go on with TLS, then resume.
    UpgradeTls(UpgradeTls),
    /// Encrypt what it has, and give it the ciphertext.
    Encrypt(ExpectCiphertext),
    Ready(Session),
}

/// A connection that is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What both sides can do.
    pub capabilities: Capabilities,
    /// The number by which the server can be asked to kill it.
    pub connection_id: u32,
    /// As the server sent it: with what MariaDB puts before it.
    pub server_version: String,
    pub status: StatusFlags,
    /// Whether it is encrypted.
    pub tls: bool,
}

/// MariaDB puts this before its real version, for clients that trusted the first digit.
const REPLICATION_PREFIX: &str = "5.5.5-";

impl Session {
    /// The version without what MariaDB puts before it.
    #[must_use]
    pub fn plain_version(&self) -> &str {
        self.server_version.strip_prefix(REPLICATION_PREFIX).unwrap_or(&self.server_version)
    }

    /// The server is a MariaDB.
    #[must_use]
    pub fn is_mariadb(&self) -> bool {
        is_mariadb(&self.server_version)
    }
}

/// A server of this version is a MariaDB.
#[must_use]
pub fn is_mariadb(server_version: &str) -> bool {
    server_version.to_ascii_lowercase().contains("mariadb")
}

#[cfg(test)]
mod tests;
