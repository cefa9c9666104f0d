//! We play the server: a client says who it is and proves it.
//!
//! ```text
//!   start ── greeting ──▶ ExpectResponse ◀─┐
//!                            │       │     │ TLS
//!                   response │       └─────┘ request for TLS
//!                            ▼
//!                        Identified             who the client says it is; find its verifier
//!                            │ verify
//!         ┌──────────────────┼───────────────┬──────────────┐
//!         ▼                  ▼               ▼              ▼
//!     Accepted ◀──┐     ExpectProof     Mismatch ──▶ Refusal
//!         ▲       │       │  ▲  │ encrypted  ▲  │ another verifier
//!         │       │       └──┘  ▼            │  ▼
//!         │       │          ExpectPlaintext ┴─ judged again
//!         │   Unchecked          │
//!         │       ▲ whatever     │ decrypted
//!         │       │ servers take ▼
//!         └───────┴──────────────┘
//! ```
//!
//! Each state is consumed by what it expects: a packet of the client, a password that the caller has
//! decrypted or had a server check, another verifier. What must be sent is left in `out`, even when
//! the state is the last one, except the final OK or ERR: that is the caller's, who still has to find
//! a server and log in to it.

mod change_user;
mod exchange;
mod expect_plaintext;
mod expect_proof;
mod identified;
mod mismatch;
mod refusal;
mod unchecked;

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use tidegate_wire::Violation;
use zeroize::Zeroize as _;

pub use change_user::change_user;
pub use expect_plaintext::ExpectPlaintext;
pub use expect_proof::ExpectProof;
pub use identified::{Identified, Login};
pub use mismatch::Mismatch;
pub use refusal::{Reason, Refusal};
pub use unchecked::Unchecked;

use crate::auth::{Credential, Method, ed25519};
use crate::capabilities::Capabilities;
use crate::frame::{self, Packet};
use crate::packet::{Greeting, HandshakeResponse, NONCE_LEN, SslRequest};
use crate::status::StatusFlags;

/// No packet of a handshake is longer, in bytes.
pub const PACKET_MAX: usize = 64 << 10;

/// What clients may do about TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientTls {
    /// There is no certificate.
    Off,
    /// As the client likes.
    Prefer,
    /// A client that does not ask for TLS is refused.
    Require,
}

/// What we say about ourselves.
#[derive(Clone, Debug)]
pub struct Offer {
    pub server_version: String,
    pub connection_id: u32,
    /// Random, never used before, and without a NUL: some clients stop reading there.
    pub nonce: [u8; NONCE_LEN],
    /// As random, for methods that sign.
    pub long_nonce: [u8; ed25519::NONCE_LEN],
    /// [`Capabilities::SSL`] is set or cleared by `tls`.
    pub capabilities: Capabilities,
    /// The method that clients should begin with.
    pub method: Method,
    pub tls: ClientTls,
    pub collation: u8,
    pub status: StatusFlags,
    /// The address of the client, as it stands in the message that denies access.
    pub client_host: String,
    /// In PEM: what clients without TLS encrypt their passwords with, where they are asked for them.
    pub public_key: Option<Arc<str>>,
    pub decoy_key: DecoyKey,
}

/// Makes up what clients are told about users of whom nothing is stored. Secret, or it would tell
/// them from others, and the same for as long as clients may compare.
#[derive(Clone)]
pub struct DecoyKey(pub [u8; 32]);

impl fmt::Debug for DecoyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecoyKey(..)")
    }
}

/// Greets a client.
pub fn start(mut offer: Offer, out: &mut BytesMut) -> ExpectResponse {
    offer.capabilities.set(Capabilities::SSL, offer.tls != ClientTls::Off);
    let greeting = Greeting {
        server_version: offer.server_version.clone(),
        connection_id: offer.connection_id,
        nonce: offer.nonce,
        capabilities: offer.capabilities,
        collation: offer.collation,
        status: offer.status,
        method: offer.method.name().to_owned(),
    };
    let mut sequence = 0;
    frame::write_with(out, &mut sequence, |out| greeting.encode(out));
    ExpectResponse { offer, sequence, encrypted: false }
}

/// The client must say who it is.
#[derive(Debug)]
pub struct ExpectResponse {
    offer: Offer,
    sequence: u8,
    encrypted: bool,
}

/// What a packet of the client has led to.
#[derive(Debug)]
pub enum Step {
    /// Go on with TLS. Every byte that has already come behind this packet belongs to the TLS
    /// handshake, which a client begins without waiting: hand it to TLS, never to
    /// [`frame::Packets`], which would trust bytes that anybody may have put there.
    UpgradeTls(ExpectResponse),
    Identified(Identified),
}

impl ExpectResponse {
    /// # Errors
    /// A refusal, to be written and the connection closed, if the packet is no valid response, or
    /// one without TLS where that is required.
    pub fn on_packet(mut self, mut packet: Packet) -> Result<Step, Refusal> {
        take_turn(&mut self.sequence, packet.sequence)?;
        if SslRequest::is(&packet.payload) {
            return self.upgrade();
        }
        let response = HandshakeResponse::decode(&packet.payload)
            .map_err(|violation| Refusal::violation(violation, self.sequence))?;
        // With some methods, the proof is the password.
        packet.payload.as_mut().zeroize();
        if self.offer.tls == ClientTls::Require && !self.encrypted {
            return Err(Refusal::tls_required(self.sequence));
        }
        let Self { offer, sequence, encrypted } = self;
        Ok(Step::Identified(Identified::new(offer, response, encrypted, sequence)))
    }

    fn upgrade(mut self) -> Result<Step, Refusal> {
        if self.encrypted || self.offer.tls == ClientTls::Off {
            let violation = Violation::Unexpected { what: "request for TLS" };
            return Err(Refusal::violation(violation, self.sequence));
        }
        self.encrypted = true;
        Ok(Step::UpgradeTls(self))
    }
}

/// How far the check of a password has come.
#[derive(Debug)]
pub enum Auth {
    /// The client is who it says. It still waits for its OK.
    Accepted(Accepted),
    /// Send what is in `out`, and give the client's next packet to this.
    Continue(ExpectProof),
    /// Decrypt what it has, and give it the plaintext.
    Decrypt(ExpectPlaintext),
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
    /// The number of the OK or ERR packet that ends the handshake.
    pub sequence: u8,
}

/// Checks that the packet is the one that is due, and moves on to the next.
fn take_turn(sequence: &mut u8, got: u8) -> Result<(), Refusal> {
    let expected = *sequence;
    *sequence = got.wrapping_add(1);
    match got == expected {
        true => Ok(()),
        false => Err(Refusal::violation(Violation::OutOfOrder { expected, got }, *sequence)),
    }
}

#[cfg(test)]
mod tests;
