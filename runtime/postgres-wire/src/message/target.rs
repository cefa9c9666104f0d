//! What is to be described or closed: a statement or a portal.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

const STATEMENT: u8 = b'S';
const PORTAL: u8 = b'P';

/// What a `Describe` or a `Close` is about, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    Statement(&'a [u8]),
    Portal(&'a [u8]),
}

impl<'a> Target<'a> {
    /// # Errors
    /// A violation if it is neither, or its name does not end with the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a name to describe or close");
        let kind = reader.u8()?;
        let name = reader.until_nul()?;
        text::end(&reader)?;
        match kind {
            STATEMENT => Ok(Self::Statement(name)),
            PORTAL => Ok(Self::Portal(name)),
            _ => Err(reader.malformed()),
        }
    }

    /// Writes a `Describe`.
    pub fn describe(&self, out: &mut BytesMut) {
        self.encode(tag::frontend::DESCRIBE, out);
    }

    /// Writes a `Close`.
    pub fn close(&self, out: &mut BytesMut) {
        self.encode(tag::frontend::CLOSE, out);
    }

    fn encode(&self, tag: u8, out: &mut BytesMut) {
        let (kind, name) = match self {
            Self::Statement(name) => (STATEMENT, name),
            Self::Portal(name) => (PORTAL, name),
        };
        frame::write_with(out, tag, |out| {
            out.put_u8(kind);
            text::put(out, name);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuts;

    #[test]
    fn comes_back_as_it_was() {
        for (bytes, target) in
            [(b"Ss1\0", Target::Statement(b"s1")), (b"Pp1\0", Target::Portal(b"p1"))]
        {
            assert_eq!(Target::decode(bytes), Ok(target));
            let mut out = BytesMut::new();
            target.describe(&mut out);
            target.close(&mut out);
            assert_eq!(out[..5], *b"D\0\0\0\x08");
            assert_eq!(out[9..14], *b"C\0\0\0\x08");
            assert!(out[5..9] == *bytes && out[14..] == *bytes);
            cuts::are_refused(bytes, Target::decode);
        }
        assert!(Target::decode(b"Xs1\0").is_err());
    }
}
