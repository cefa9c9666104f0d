//! The side that checks a proof.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use subtle::ConstantTimeEq;
use tidegate_wire::Violation;

use super::message::{Binding, ClientFinal, ClientFirst, nonce};
use super::{Keys, NONCE_LEN, Stored};

/// Why there is nothing to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Violation(Violation),
    /// The client has seen another certificate than ours, or another offer: somebody stands between.
    Binding,
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// The client has begun, and was told salt and iterations.
pub(crate) struct Challenge {
    stored: Stored,
    /// The messages that both sides sign, as far as they were said.
    messages: Vec<u8>,
    nonce: Vec<u8>,
    binding: String,
}

/// How a client begins.
pub(crate) struct Beginning<'a> {
    pub(crate) message: &'a [u8],
    /// It has chosen the method with channel binding.
    pub(crate) plus: bool,
    /// The hash of our certificate; without one, channel binding was not offered.
    pub(crate) end_point: Option<&'a [u8]>,
}

impl Challenge {
    /// Also returns what the client is to be told.
    pub(crate) fn new(
        stored: Stored,
        random: &[u8; NONCE_LEN],
        beginning: &Beginning<'_>,
    ) -> Result<(Self, Vec<u8>), Fault> {
        let first = ClientFirst::decode(beginning.message)?;
        match (first.binding, beginning.plus) {
            (Binding::EndPoint, true) | (Binding::Unable, false) => {}
            // Both sides could, so somebody has taken it out of our offer.
            (Binding::NotOffered, false) if beginning.end_point.is_some() => {
                return Err(Fault::Binding);
            }
            (Binding::NotOffered, false) => {}
            _ => return Err(Violation::Unexpected { what: "channel binding" }.into()),
        }
        let nonce = [first.nonce, nonce(random).as_bytes()].concat();
        let salt = Base64::encode_string(&stored.salt);
        let parameters = format!(",s={salt},i={}", stored.iterations);
        let reply = [b"r=", nonce.as_slice(), parameters.as_bytes()].concat();
        let messages = [first.bare, b",", &reply, b","].concat();
        let binding = first.binding.attribute(beginning.end_point.unwrap_or_default());
        Ok((Self { stored, messages, nonce, binding }, reply))
    }

    /// Checks the client's answer: the keys that were in its proof, and what proves to the client
    /// that this is the server. `None` if the proof is wrong.
    pub(crate) fn check(mut self, message: &[u8]) -> Result<Option<(Keys, String)>, Fault> {
        let answer = ClientFinal::decode(message)?;
        if !bool::from(answer.binding.ct_eq(self.binding.as_bytes())) {
            return Err(Fault::Binding);
        }
        if answer.nonce != self.nonce {
            return Err(Violation::Malformed { what: "the nonce of a message of SCRAM" }.into());
        }
        self.messages.extend_from_slice(answer.without_proof);
        let keys = self.stored.recover(&answer.proof, &self.messages);
        Ok(keys.map(|keys| {
            let signature = self.stored.sign(&self.messages);
            (keys, format!("v={}", Base64::encode_string(&*signature)))
        }))
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").finish_non_exhaustive()
    }
}
