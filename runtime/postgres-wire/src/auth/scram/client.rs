//! The side that has to prove something.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use subtle::ConstantTimeEq;
use tidegate_wire::Violation;

use super::message::{self, Binding, ServerFirst};
use super::{ITERATIONS_MAX, KEY_LEN, Keys, NONCE_LEN};
use crate::auth::Credential;

/// Why there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Violation(Violation),
    /// The keys that we have are of another salt.
    OtherSalt,
    /// What we have is no password and no keys.
    Unable,
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// What is known of channel binding before a method is chosen.
pub(crate) struct Offered<'a> {
    /// The server offers the method with channel binding.
    pub(crate) plus: bool,
    /// The hash of its certificate, if there is TLS.
    pub(crate) end_point: Option<&'a [u8]>,
}

/// We have begun; the server must tell salt and iterations.
pub(crate) struct Begun {
    binding: String,
    bare: String,
    nonce: String,
}

impl Begun {
    /// Also returns the method and its first message.
    pub(crate) fn new(
        random: &[u8; NONCE_LEN],
        offered: &Offered<'_>,
    ) -> (Self, &'static str, Vec<u8>) {
        let (binding, mechanism) = match (offered.end_point, offered.plus) {
            (Some(_), true) => (Binding::EndPoint, super::MECHANISM_PLUS),
            (Some(_), false) => (Binding::NotOffered, super::MECHANISM),
            (None, _) => (Binding::Unable, super::MECHANISM),
        };
        let nonce = message::nonce(random);
        // The server knows the user from the startup packet.
        let bare = format!("n=,r={nonce}");
        let first = [binding.header(), bare.as_bytes()].concat();
        let binding = binding.attribute(offered.end_point.unwrap_or_default());
        (Self { binding, bare, nonce }, mechanism, first)
    }

    /// Answers the server's challenge. Takes milliseconds with a password.
    pub(crate) fn answer(
        self,
        challenge: &[u8],
        credential: &Credential,
    ) -> Result<(Answered, Vec<u8>), Fault> {
        let first = ServerFirst::decode(challenge)?;
        // The server has to add something of its own.
        let is_ours = first.nonce.strip_prefix(self.nonce.as_bytes());
        if is_ours.is_none_or(<[u8]>::is_empty) {
            return Err(Violation::Malformed { what: "the nonce of a message of SCRAM" }.into());
        }
        if first.iterations > ITERATIONS_MAX {
            let (len, max) = (first.iterations.into(), ITERATIONS_MAX.into());
            return Err(Violation::TooLong { what: "a number of iterations", len, max }.into());
        }
        let keys = match credential {
            Credential::Scram(keys) if keys.fit(&first.salt, first.iterations) => keys.clone(),
            Credential::Scram(_) => return Err(Fault::OtherSalt),
            Credential::Password(password) => {
                Keys::of_password(password, &first.salt, first.iterations)
            }
            Credential::Nothing | Credential::Md5(_) => return Err(Fault::Unable),
        };
        let without_proof = [self.binding.as_bytes(), b",r=", first.nonce].concat();
        let messages = [self.bare.as_bytes(), challenge, &without_proof].join(&b","[..]);
        let proof = Base64::encode_string(&keys.prove(&messages));
        let answer = [&without_proof, &b",p="[..], proof.as_bytes()].concat();
        Ok((Answered { signature: keys.stored.sign(&messages) }, answer))
    }
}

#[cfg(test)]
impl Begun {
    /// As in an example of somebody else's.
    pub(crate) fn example(bare: &str, nonce: &str) -> Self {
        let binding = Binding::Unable.attribute(b"");
        Self { binding, bare: bare.to_owned(), nonce: nonce.to_owned() }
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}

/// We have proved who we are; the server must prove that it knew.
pub(crate) struct Answered {
    signature: zeroize::Zeroizing<[u8; KEY_LEN]>,
}

impl Answered {
    /// Whether the server has what the password was made into.
    pub(crate) fn is_signed(&self, message: &[u8]) -> Result<bool, Violation> {
        let signature = message::decode_server_final(message)?;
        Ok(signature.ct_eq(&*self.signature).into())
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").finish_non_exhaustive()
    }
}
