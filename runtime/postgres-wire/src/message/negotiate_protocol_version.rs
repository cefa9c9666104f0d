//! The server does not know all that the client would like, and says how far it can go along.
//!
//! Sent before anything else of a login, and the login goes on with what is left.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::version::ProtocolVersion;
use crate::{frame, text};

/// A `NegotiateProtocolVersion`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiateProtocolVersion {
    /// What both sides go on with. Servers send all of it, though it is documented as the minor
    /// part.
    pub version: ProtocolVersion,
    /// Names of options of the protocol that the server does not know.
    pub unknown_options: Vec<String>,
}

impl NegotiateProtocolVersion {
    /// # Errors
    /// A violation if it is cut short, or longer than it says.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a negotiation of the version");
        let version = ProtocolVersion::from_u32(reader.u32_be()?);
        let count = reader.u32_be()?;
        // Grows by what is really there.
        let mut unknown_options = Vec::new();
        for _ in 0..count {
            unknown_options.push(text::read_string(&mut reader)?);
        }
        text::end(&reader).map(|()| Self { version, unknown_options })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_with(out, tag::backend::NEGOTIATE_PROTOCOL_VERSION, |out| {
            out.put_u32(self.version.to_u32());
            let count = u32::try_from(self.unknown_options.len());
            out.put_u32(count.unwrap_or(u32::MAX));
            for name in &self.unknown_options {
                text::put(out, name.as_bytes());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;
    use crate::cuts;

    #[test]
    fn comes_back_as_it_was() {
        let bytes = b"\0\x03\0\0\0\0\0\x01_pq_.compression\0";
        let negotiated = NegotiateProtocolVersion::decode(bytes).unwrap();
        assert_eq!(negotiated.version, ProtocolVersion::V3_0);
        assert_eq!(negotiated.unknown_options, ["_pq_.compression"]);
        assert_eq!(payload(|out| negotiated.encode(out)), bytes);
        cuts::are_refused(bytes, NegotiateProtocolVersion::decode);
    }

    #[test]
    fn a_count_that_is_not_true_is_refused() {
        assert!(NegotiateProtocolVersion::decode(b"\0\x03\0\0\xff\xff\xff\xff").is_err());
        assert!(NegotiateProtocolVersion::decode(b"\0\x03\0\0\0\0\0\0x\0").is_err());
    }
}
