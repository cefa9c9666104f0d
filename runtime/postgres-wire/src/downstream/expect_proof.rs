//! The client was asked for a proof.

use bytes::BytesMut;
use tidegate_wire::Violation;
use zeroize::Zeroize as _;

use super::exchange::{Awaited, Exchange};
use super::{Auth, Refusal};
use crate::auth::Verifier;
use crate::frame::Message;
use crate::message::tag;

/// The next message of the client must be a proof.
#[derive(Debug)]
pub struct ExpectProof {
    exchange: Exchange,
    awaited: Awaited,
    verifier: Verifier,
}

impl ExpectProof {
    pub(super) fn new(exchange: Exchange, awaited: Awaited, verifier: Verifier) -> Self {
        Self { exchange, awaited, verifier }
    }

    /// What comes will be hashed slowly: [`Self::on_message`] may take milliseconds.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        matches!(self.awaited, Awaited::Password)
    }

    /// # Errors
    /// A refusal, to be written and the connection closed, if the message breaks the protocol. A
    /// wrong proof is no error but [`Auth::Mismatch`].
    pub fn on_message(self, mut message: Message, out: &mut BytesMut) -> Result<Auth, Refusal> {
        if message.tag != tag::frontend::PASSWORD {
            let what = "message in the place of a password";
            return Err(Refusal::violation(Violation::Unexpected { what }));
        }
        let auth = self.exchange.receive(self.awaited, &message.payload, self.verifier, out);
        // It may be the password.
        message.payload.as_mut().zeroize();
        auth
    }
}
