//! What is said: attributes, one letter each, with commas between them.
//!
//! ```text
//! client first   n,,n=user,r=nonce              or y,, or p=tls-server-end-point,,
//! server first   r=nonce of both,s=salt,i=iterations
//! client final   c=binding,r=nonce of both,p=proof
//! server final   v=signature
//! ```

use base64ct::{Base64, Encoding as _};
use tidegate_wire::Violation;

use super::{KEY_LEN, NONCE_LEN};

/// The only kind of channel binding that PostgreSQL has: the hash of the server's certificate.
const END_POINT: &[u8] = b"p=tls-server-end-point";

const MALFORMED: Violation = Violation::Malformed { what: "a message of SCRAM" };

/// What a client says about channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// It cannot.
    Unable,
    /// It could, but was not offered it.
    NotOffered,
    /// It does.
    EndPoint,
}

impl Binding {
    /// What the client's first message begins with.
    pub(super) fn header(self) -> &'static [u8] {
        match self {
            Self::Unable => b"n,,",
            Self::NotOffered => b"y,,",
            Self::EndPoint => b"p=tls-server-end-point,,",
        }
    }

    /// The first attribute of the client's final message; `end_point` is the certificate's hash.
    pub(super) fn attribute(self, end_point: &[u8]) -> String {
        let data = if self == Self::EndPoint { end_point } else { b"" };
        format!("c={}", Base64::encode_string(&[self.header(), data].concat()))
    }
}

/// The client's first message.
pub(super) struct ClientFirst<'a> {
    pub(super) binding: Binding,
    /// What is signed of it.
    pub(super) bare: &'a [u8],
    pub(super) nonce: &'a [u8],
}

impl<'a> ClientFirst<'a> {
    pub(super) fn decode(message: &'a [u8]) -> Result<Self, Violation> {
        let (flag, rest) = split_once(message).ok_or(MALFORMED)?;
        let binding = match flag {
            b"n" => Binding::Unable,
            b"y" => Binding::NotOffered,
            END_POINT => Binding::EndPoint,
            [b'p', b'=', ..] => {
                return Err(Violation::Unexpected { what: "kind of channel binding" });
            }
            _ => return Err(MALFORMED),
        };
        let (authorize_as, bare) = split_once(rest).ok_or(MALFORMED)?;
        if !authorize_as.is_empty() {
            return Err(Violation::Unexpected { what: "identity in a message of SCRAM" });
        }
        // The user is who the startup packet has named; what is said here does not matter.
        let mut attributes = bare.split(|byte| *byte == b',');
        attribute(attributes.next(), b'n')?;
        let nonce = attribute(attributes.next(), b'r')?;
        if nonce.is_empty() || !nonce.iter().all(u8::is_ascii_graphic) {
            return Err(MALFORMED);
        }
        Ok(Self { binding, bare, nonce })
    }
}

/// The client's final message.
pub(super) struct ClientFinal<'a> {
    /// What is signed of it: all but the proof.
    pub(super) without_proof: &'a [u8],
    pub(super) binding: &'a [u8],
    pub(super) nonce: &'a [u8],
    pub(super) proof: [u8; KEY_LEN],
}

impl<'a> ClientFinal<'a> {
    pub(super) fn decode(message: &'a [u8]) -> Result<Self, Violation> {
        let comma = message.iter().rposition(|byte| *byte == b',').ok_or(MALFORMED)?;
        let (without_proof, last) = message.split_at(comma);
        let proof = base64(attribute(last.get(1..), b'p')?)?;
        let mut attributes = without_proof.split(|byte| *byte == b',');
        let binding = attributes.next().unwrap_or_default();
        let nonce = attribute(attributes.next(), b'r')?;
        let proof = proof.try_into().map_err(|_| MALFORMED)?;
        Ok(Self { without_proof, binding, nonce, proof })
    }
}

/// The server's first message.
pub(super) struct ServerFirst<'a> {
    pub(super) nonce: &'a [u8],
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

impl<'a> ServerFirst<'a> {
    pub(super) fn decode(message: &'a [u8]) -> Result<Self, Violation> {
        let mut attributes = message.split(|byte| *byte == b',');
        let nonce = attribute(attributes.next(), b'r')?;
        let salt = base64(attribute(attributes.next(), b's')?)?;
        let iterations = std::str::from_utf8(attribute(attributes.next(), b'i')?).ok();
        let iterations = iterations.and_then(|count| count.parse().ok()).filter(|count| *count > 0);
        Ok(Self { nonce, salt, iterations: iterations.ok_or(MALFORMED)? })
    }
}

/// The signature in the server's final message.
pub(super) fn decode_server_final(message: &[u8]) -> Result<[u8; KEY_LEN], Violation> {
    let first = message.split(|byte| *byte == b',').next();
    base64(attribute(first, b'v')?)?.try_into().map_err(|_| MALFORMED)
}

/// A nonce as it is sent: in characters that need no quoting.
pub(super) fn nonce(random: &[u8; NONCE_LEN]) -> String {
    Base64::encode_string(random)
}

fn split_once(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let comma = bytes.iter().position(|byte| *byte == b',')?;
    let (head, tail) = bytes.split_at(comma);
    tail.split_first().map(|(_, tail)| (head, tail))
}

fn attribute(text: Option<&[u8]>, name: u8) -> Result<&[u8], Violation> {
    match text {
        Some([letter, b'=', value @ ..]) if *letter == name => Ok(value),
        _ => Err(MALFORMED),
    }
}

fn base64(text: &[u8]) -> Result<Vec<u8>, Violation> {
    let text = std::str::from_utf8(text).map_err(|_| MALFORMED)?;
    Base64::decode_vec(text).map_err(|_| MALFORMED)
}
