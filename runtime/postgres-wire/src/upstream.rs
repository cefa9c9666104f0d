//! We play the client: log in to a server as the user whose credential we hold.
//!
//! ```text
//!   start ──┬── request for TLS ──▶ ExpectTlsAnswer ── no ──┐
//!           │                             │ yes             │
//!           ├── TLS at once ────▶ UpgradeTls ── resume ─────┤ startup
//!           │                                               ▼
//!           └── startup ─────────────────────────────▶ ExpectVerdict ──▶ Session
//!                                                       │   ▲
//!                                                       └───┘ more
//! ```
//!
//! Each state is consumed by what it expects: a byte or a message of the server, or the TLS
//! connection. What must be sent is left in `out`.

mod error;
mod expect_tls_answer;
mod expect_verdict;

use bytes::BytesMut;

use crate::auth::{Credential, scram};
use crate::cancel_key::CancelKey;
use crate::message::TransactionStatus;
use crate::parameters::Parameters;
use crate::startup::{self, StartupMessage};
use crate::version::ProtocolVersion;

pub use error::LoginError;
pub use expect_tls_answer::{ExpectTlsAnswer, UpgradeTls};
pub use expect_verdict::ExpectVerdict;

/// No message of a login is longer, in bytes.
pub const MESSAGE_MAX: usize = 64 << 10;

/// Whether the connection to a server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTls {
    Off,
    /// If the server can.
    Prefer,
    /// Or not at all.
    Require,
    /// Or not at all, and at once, without a question: PostgreSQL since 17.
    Direct,
}

/// Who logs in, and how.
#[derive(Clone, Debug)]
pub struct Dial {
    /// What we would like; the server may know less.
    pub version: ProtocolVersion,
    pub user: String,
    pub database: String,
    /// Settings to begin with, and what else the server is told.
    pub parameters: Vec<(String, String)>,
    pub credential: Credential,
    pub tls: ServerTls,
    /// Random, and never used before.
    pub nonce: [u8; scram::NONCE_LEN],
}

/// Logs in. We speak first: send what is in `out`.
#[must_use]
pub fn start(dial: Dial, out: &mut BytesMut) -> Step {
    match dial.tls {
        ServerTls::Off => Step::Continue(ExpectVerdict::new(dial, None, out)),
        ServerTls::Direct => Step::UpgradeTls(UpgradeTls::new(dial)),
        ServerTls::Prefer | ServerTls::Require => {
            startup::request_tls(out);
            Step::AskedForTls(ExpectTlsAnswer::new(dial))
        }
    }
}

/// What has been reached.
#[derive(Debug)]
pub enum Step {
    /// Send what is in `out`, and give the server's answer, a single byte, to this.
    AskedForTls(ExpectTlsAnswer),
    /// Go on with TLS, then resume.
    UpgradeTls(UpgradeTls),
    /// Send what is in `out`, which may hold the password and is to be wiped, and give the server's
    /// next message to this.
    Continue(ExpectVerdict),
    Ready(Session),
}

/// A connection that is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What both sides know.
    pub version: ProtocolVersion,
    /// What cancels the session's statements; not every server gives one.
    pub cancel_key: Option<CancelKey>,
    /// What the server has told of its settings.
    pub parameters: Parameters,
    pub status: TransactionStatus,
    /// Whether it is encrypted.
    pub tls: bool,
    /// The server has asked for a proof. Else it lets everybody in who comes from where we are, or
    /// our certificate has proved enough.
    pub has_asked: bool,
}

impl Dial {
    fn startup(&self) -> StartupMessage {
        StartupMessage {
            version: self.version,
            user: self.user.clone(),
            database: self.database.clone(),
            parameters: self.parameters.clone(),
            protocol_options: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
