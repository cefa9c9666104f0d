//! The client has chosen a method of SASL, and begins with it.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

/// What stands in the place of a length where there is no first message.
const NONE: u32 = u32::MAX;

/// A `SASLInitialResponse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslInitialResponse<'a> {
    pub mechanism: &'a [u8],
    /// The first message of the method; `None` if it waits to be asked for it.
    pub message: Option<&'a [u8]>,
}

impl<'a> SaslInitialResponse<'a> {
    /// # Errors
    /// A violation if its lengths are not true.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a response to SASL");
        let mechanism = reader.until_nul()?;
        let message = match reader.u32_be()? {
            NONE => None,
            len => Some(reader.take(usize::try_from(len).unwrap_or(usize::MAX))?),
        };
        text::end(&reader).map(|()| Self { mechanism, message })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_with(out, tag::frontend::PASSWORD, |out| {
            text::put(out, self.mechanism);
            let len = self.message.map(<[u8]>::len);
            out.put_u32(len.map_or(NONE, |len| u32::try_from(len).unwrap_or(NONE)));
            out.put_slice(self.message.unwrap_or_default());
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
        for message in [None, Some(&b""[..]), Some(b"n,,n=,r=abc")] {
            let response = SaslInitialResponse { mechanism: b"SCRAM-SHA-256", message };
            let bytes = payload(|out| response.encode(out));
            assert_eq!(SaslInitialResponse::decode(&bytes), Ok(response));
            cuts::are_refused(&bytes, SaslInitialResponse::decode);
        }
        assert!(SaslInitialResponse::decode(b"X\0\0\0\0\x01ab").is_err());
    }
}
