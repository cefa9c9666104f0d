//! The client gives a statement its parameters, and makes a portal of it.
//!
//! What stands behind the names is for the server alone, and may be long: it is never looked at.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::frame::Header;
use crate::text;

/// The names in a `Bind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Empty for the portal without a name, which the next one of these replaces.
    pub portal: &'a [u8],
    pub statement: &'a [u8],
}

impl<'a> Bind<'a> {
    /// From as much of the payload as has come.
    ///
    /// # Errors
    /// A violation if the names have not come whole.
    pub fn decode_head(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "the names in a Bind");
        Ok(Self { portal: reader.until_nul()?, statement: reader.until_nul()? })
    }

    /// Bytes of the payload that the names take.
    #[must_use]
    pub fn head_len(&self) -> usize {
        self.portal.len() + self.statement.len() + 2
    }

    /// Writes the message up to and with its names. `rest` bytes have to follow: those behind the
    /// names of the message that this one replaces.
    pub fn encode_head(&self, rest: usize, out: &mut BytesMut) {
        let header = Header { tag: tag::frontend::BIND, len: self.head_len() + rest };
        out.put_slice(&header.encode());
        text::put(out, self.portal);
        text::put(out, self.statement);
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;
    use crate::cuts;

    #[test]
    fn a_statement_is_renamed_without_a_look_at_its_parameters() {
        let bytes = b"p\0s1\0\0\x01\0\x01\0\x01\0\0\0\x04\0\0\0\x2a\0\0";
        let bind = Bind::decode_head(bytes).unwrap();
        assert_eq!((bind.portal, bind.statement), (&b"p"[..], &b"s1"[..]));
        let rest = &bytes[bind.head_len()..];
        let renamed = payload(|out| {
            Bind { statement: b"tidegate_7", ..bind }.encode_head(rest.len(), out);
            out.put_slice(rest);
        });
        assert_eq!(renamed, [&b"p\0tidegate_7\0"[..], rest].concat());
    }

    #[test]
    fn the_names_must_have_come() {
        cuts::are_refused(b"p\0s1\0", Bind::decode_head);
    }
}
