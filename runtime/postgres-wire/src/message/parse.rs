//! The client names a statement, so that it can be bound and executed.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

/// A `Parse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parse<'a> {
    /// Empty for the statement without a name, which the next one of these replaces.
    pub name: &'a [u8],
    pub statement: &'a [u8],
    /// The types of parameters that the client cares to say, 4 bytes for each.
    types: &'a [u8],
}

impl<'a> Parse<'a> {
    /// A statement without a name, of whose parameters the server finds out the types.
    #[must_use]
    pub fn untyped(statement: &'a [u8]) -> Self {
        Self { name: b"", statement, types: b"" }
    }

    /// # Errors
    /// A violation if it is cut short, or its number of types is not true.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a statement to prepare");
        let (name, statement) = (reader.until_nul()?, reader.until_nul()?);
        let count = usize::from(reader.u16_be()?);
        let types = reader.take(count * 4)?;
        text::end(&reader).map(|()| Self { name, statement, types })
    }

    /// The numbers in `pg_type` of the first parameters; 0 where the client leaves it to the server.
    pub fn types(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.types.as_chunks().0.iter().map(|oid| u32::from_be_bytes(*oid))
    }

    /// The same statement by another name.
    #[must_use]
    pub fn named<'b>(self, name: &'b [u8]) -> Parse<'b>
    where
        'a: 'b,
    {
        Parse { name, ..self }
    }

    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_with(out, tag::frontend::PARSE, |out| {
            text::put(out, self.name);
            text::put(out, self.statement);
            out.put_u16(u16::try_from(self.types.len() / 4).unwrap_or(u16::MAX));
            out.put_slice(self.types);
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
        let bytes = b"s1\0SELECT $1, $2\0\0\x02\0\0\0\x17\0\0\0\x19";
        let parse = Parse::decode(bytes).unwrap();
        assert_eq!((parse.name, parse.statement), (&b"s1"[..], &b"SELECT $1, $2"[..]));
        assert_eq!(parse.types().collect::<Vec<_>>(), [23, 25]);
        assert_eq!(payload(|out| parse.encode(out)), bytes);
        cuts::are_refused(bytes, Parse::decode);
        assert!(Parse::decode(b"\0\0\0\0x").is_err());
    }

    #[test]
    fn a_statement_keeps_its_types_by_another_name() {
        let parse = Parse::decode(b"\0SELECT $1\0\0\x01\0\0\0\x17").unwrap();
        let renamed = payload(|out| parse.named(b"tidegate_7").encode(out));
        assert_eq!(renamed, b"tidegate_7\0SELECT $1\0\0\x01\0\0\0\x17");
    }

    #[test]
    fn types_may_be_left_to_the_server() {
        let bytes = payload(|out| Parse::untyped(b"SELECT $1").encode(out));
        assert_eq!(bytes, b"\0SELECT $1\0\0\0");
    }

    #[test]
    fn as_many_types_as_can_be_told() {
        let bytes = [&b"\0\0\xff\xff"[..], &[0; 4 * 65_535]].concat();
        let parse = Parse::decode(&bytes).unwrap();
        assert_eq!(payload(|out| parse.encode(out)), bytes);
    }
}
