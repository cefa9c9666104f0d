//! The client wants rows of a portal.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

/// An `Execute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    pub portal: &'a [u8],
    /// As many rows at most; 0 for all. If there are more, the portal stays open for them.
    pub max_rows: u32,
}

impl<'a> Execute<'a> {
    /// # Errors
    /// A violation if it is cut short, or followed by anything.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "an Execute");
        let (portal, max_rows) = (reader.until_nul()?, reader.u32_be()?);
        text::end(&reader).map(|()| Self { portal, max_rows })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_with(out, tag::frontend::EXECUTE, |out| {
            text::put(out, self.portal);
            out.put_u32(self.max_rows);
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
        let bytes = b"p1\0\0\0\x01\0";
        let execute = Execute::decode(bytes).unwrap();
        assert_eq!(execute, Execute { portal: b"p1", max_rows: 256 });
        assert_eq!(payload(|out| execute.encode(out)), bytes);
        cuts::are_refused(bytes, Execute::decode);
    }
}
