//! We play the server: a client says who it is and proves it.
//!
//! ```text
//!   start ──▶ ExpectStartup ◀─┐
//!                │     │      │ TLS, or encryption declined
//!                │     └──────┘ request for encryption
//!        startup ▼
//!           Identified          who the client says it is; find its verifier
//!                │ verify
//!        ┌───────┴─────────┬─────────────┐
//!        ▼                 ▼             ▼
//!    Accepted ◀──┐   ExpectProof ──▶ Mismatch ──▶ Refusal
//!        ▲       │     │   ▲  │          │ another verifier
//!        │       └─────┘   └──┘          ▼
//!        │        password  more    judged again
//!        └── Unchecked ◀── whatever servers take
//! ```
//!
//! Each state is consumed by what it expects: a packet or message of the client, a password that the
//! caller has had a server check, another verifier. What must be sent is left in `out`, even when the
//! state is the last one, except `AuthenticationOk` and what follows it: that is the caller's, who
//! still has to find a server and log in to it.

mod exchange;
mod expect_proof;
mod expect_startup;
mod identified;
mod mismatch;
mod refusal;
mod unchecked;

use std::sync::Arc;

pub use expect_proof::ExpectProof;
pub use expect_startup::{ExpectStartup, Step};
pub use identified::{Identified, Login};
pub use mismatch::Mismatch;
pub use refusal::{Reason, Refusal};
pub use unchecked::Unchecked;

use crate::auth::{Credential, DecoyKey, md5, scram};

/// No message of a login is longer, in bytes, behind the packets that begin it.
pub const MESSAGE_MAX: usize = 64 << 10;

/// What clients may do about TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientTls {
    /// There is no certificate.
    Off,
    /// As the client likes.
    Prefer,
    /// A client without TLS is refused.
    Require,
}

/// What we offer to a client.
#[derive(Clone, Debug)]
pub struct Offer {
    pub tls: ClientTls,
    /// The hash of our certificate, by its own hash algorithm, or SHA-256 where that is MD5 or
    /// SHA-1: `tls-server-end-point`. Without it, channel binding is not offered.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc5929#section-4>
    pub end_point: Option<Arc<[u8]>>,
    /// Random, and never used before.
    pub nonce: [u8; scram::NONCE_LEN],
    /// As random.
    pub salt: [u8; md5::SALT_LEN],
    /// Clients are asked for their passwords, whatever they could be checked by: servers that
    /// store something else than we do can then be logged in to. Over TLS only.
    pub cleartext: bool,
    pub decoy_key: DecoyKey,
}

/// Waits for a client. It speaks first.
#[must_use]
pub fn start(offer: Offer) -> ExpectStartup {
    ExpectStartup::new(offer, false)
}

/// Waits for a client that has begun with TLS at once. It speaks first.
#[must_use]
pub fn start_encrypted(offer: Offer) -> ExpectStartup {
    ExpectStartup::new(offer, true)
}

/// How far the check of a password has come.
#[derive(Debug)]
pub enum Auth {
    /// The client is who it says. It still waits for its `AuthenticationOk`.
    Accepted(Accepted),
    /// Send what is in `out`, and give the client's next message to this.
    Continue(ExpectProof),
    /// Log in to a server, and say what has come of it.
    Check(Unchecked),
    /// The password is not the one that the verifier is for. Is it the latest?
    Mismatch(Mismatch),
    /// To be written, and the connection closed.
    Denied(Refusal),
}

/// A client that has proved who it is.
#[derive(Debug)]
pub struct Accepted {
    /// What logs in to servers as this user.
    pub credential: Credential,
}

#[cfg(test)]
mod tests;
