//! What a client says about a statement beside its text, where both sides have
//! [`QUERY_ATTRIBUTES`].
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html>
//!
//! [`QUERY_ATTRIBUTES`]: crate::capabilities::Capabilities::QUERY_ATTRIBUTES

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::{ColumnType, binary_value};
use crate::lenenc;

/// The highest bit of a parameter's type.
pub(super) const UNSIGNED: u16 = 1 << 15;

/// Says that types follow. In a query they always do.
pub(super) const TYPES_FOLLOW: u8 = 1;

/// The attributes of a query. Borrowed, and read as they are asked for.
#[derive(Clone, Debug)]
pub struct QueryAttributes<'a> {
    left: usize,
    at: usize,
    nulls: &'a [u8],
    types: Reader<'a>,
    values: Reader<'a>,
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryAttribute<'a> {
    pub name: &'a [u8],
    pub kind: ColumnType,
    pub unsigned: bool,
    /// As the binary protocol writes it, without its length; `None` for NULL.
    pub value: Option<&'a [u8]>,
}

impl<'a> QueryAttributes<'a> {
    /// What stands before the text where there are no attributes.
    pub const NONE: [u8; 2] = [0, 1];

    /// Takes apart what follows the code of a `COM_QUERY`: its attributes, and how many bytes of
    /// it stand before the text.
    ///
    /// A server without the capability is sent spaces in place of these bytes: a long statement
    /// then keeps its frames.
    ///
    /// # Errors
    /// A violation if the attributes are cut short or malformed.
    pub fn split(argument: &'a [u8]) -> Result<(Self, usize), Violation> {
        let mut reader = Reader::new(argument, "the attributes of a query");
        let count = lenenc::read_int(&mut reader)?;
        let sets = lenenc::read_int(&mut reader)?;
        if sets != 1 {
            return Err(reader.malformed());
        }
        // Each takes three bytes at least.
        let count = usize::try_from(count).map_err(|_| reader.truncated())?;
        if count > reader.remaining() {
            return Err(reader.truncated());
        }
        let mut attributes = Self {
            left: count,
            at: 0,
            nulls: reader.take(count.div_ceil(8))?,
            types: reader.clone(),
            values: reader.clone(),
        };
        if count == 0 {
            return Ok((attributes, argument.len() - reader.remaining()));
        }
        if reader.u8()? != TYPES_FOLLOW {
            return Err(reader.malformed());
        }
        attributes.types = reader.clone();
        for _ in 0..count {
            reader.u16_le()?;
            lenenc::read_bytes(&mut reader)?;
        }
        attributes.values = reader;
        let mut all = attributes.clone();
        while all.left > 0 {
            all.read()?;
        }
        Ok((attributes, argument.len() - all.values.remaining()))
    }

    fn read(&mut self) -> Result<QueryAttribute<'a>, Violation> {
        let types = self.types.u16_le()?;
        let [kind, _] = types.to_le_bytes();
        let kind = ColumnType(kind);
        let name = lenenc::read_bytes(&mut self.types)?;
        let value = match binary_value::is_set(self.nulls, self.at) {
            true => None,
            false => Some(binary_value::read(&mut self.values, kind)?),
        };
        self.left -= 1;
        self.at += 1;
        Ok(QueryAttribute { name, kind, unsigned: types & UNSIGNED != 0, value })
    }

    /// Writes what stands before the text. No more attributes than a packet has room for can be
    /// read back.
    pub fn encode(attributes: &[QueryAttribute<'_>], out: &mut BytesMut) {
        lenenc::write_int(out, attributes.len() as u64);
        lenenc::write_int(out, 1);
        if attributes.is_empty() {
            return;
        }
        let mut nulls = vec![0; attributes.len().div_ceil(8)];
        for (at, _) in attributes.iter().enumerate().filter(|(_, one)| one.value.is_none()) {
            nulls[at / 8] |= 1 << (at % 8);
        }
        out.put_slice(&nulls);
        out.put_u8(TYPES_FOLLOW);
        for attribute in attributes {
            let unsigned = if attribute.unsigned { UNSIGNED } else { 0 };
            out.put_u16_le(u16::from(attribute.kind.0) | unsigned);
            lenenc::write_bytes(out, attribute.name);
        }
        for attribute in attributes {
            if let Some(value) = attribute.value {
                binary_value::write(out, attribute.kind, value);
            }
        }
    }
}

impl<'a> Iterator for QueryAttributes<'a> {
    type Item = QueryAttribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // That all can be read was seen when the query was taken apart.
        if self.left == 0 { None } else { self.read().ok() }
    }
}

impl<'a> QueryAttribute<'a> {
    /// The value as text, if it is a text or a whole number; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let value = self.value?;
        let number = match self.kind {
            ColumnType::TINY => i8::from_le_bytes(value.try_into().ok()?).into(),
            ColumnType::SHORT => i16::from_le_bytes(value.try_into().ok()?).into(),
            ColumnType::LONG => i32::from_le_bytes(value.try_into().ok()?).into(),
            ColumnType::LONGLONG => i64::from_le_bytes(value.try_into().ok()?),
            kind if kind.is_text() => return Some(String::from_utf8_lossy(value)),
            _ => return None,
        };
        if self.unsigned && number < 0 {
            let mask = u64::MAX >> (64 - 8 * value.len());
            return Some((u64::from_le_bytes(number.to_le_bytes()) & mask).to_string().into());
        }
        Some(number.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::cuts;
    use super::*;

    /// The manual's: `select @@version_comment limit 1` with `a` = `1`.
    const EXAMPLE: &[u8] = b"\x01\x01\0\x01\xfe\0\x01a\x011select @@version_comment limit 1";

    fn split(argument: &[u8]) -> Result<(Vec<QueryAttribute<'_>>, usize), Violation> {
        QueryAttributes::split(argument).map(|(attributes, at)| (attributes.collect(), at))
    }

    fn attribute<'a>(name: &'a [u8], kind: ColumnType, value: &'a [u8]) -> QueryAttribute<'a> {
        QueryAttribute { name, kind, unsigned: false, value: Some(value) }
    }

    #[test]
    fn the_example_of_the_manual_is_understood() {
        let (attributes, at) = split(EXAMPLE).unwrap();
        assert_eq!(&EXAMPLE[at..], b"select @@version_comment limit 1");
        assert_eq!(attributes, [attribute(b"a", ColumnType(0xfe), b"1")]);
        assert_eq!(attributes[0].text().as_deref(), Some("1"));
        cuts::are_refused(&EXAMPLE[..at], |bytes| split(bytes).map(|_| ()));
    }

    #[test]
    fn most_statements_have_none() {
        let argument = [&QueryAttributes::NONE[..], b"SELECT 1"].concat();
        assert_eq!(split(&argument), Ok((Vec::new(), 2)));
        let mut out = BytesMut::new();
        QueryAttributes::encode(&[], &mut out);
        assert_eq!(out[..], QueryAttributes::NONE);
    }

    #[test]
    fn what_is_written_comes_back() {
        let minus_seven = (-7_i64).to_le_bytes();
        let attributes = [
            attribute(b"traceparent", ColumnType::VAR_STRING, b"00-4bf92f3577b34da6-01"),
            QueryAttribute { value: None, ..attribute(b"nothing", ColumnType::VAR_STRING, b"") },
            attribute(b"n", ColumnType::LONGLONG, &minus_seven),
            QueryAttribute { unsigned: true, ..attribute(b"u", ColumnType::TINY, &[200]) },
            attribute(b"at", ColumnType::DATETIME, b"\xea\x07\x0b\x15"),
            attribute(b"", ColumnType::BLOB, &[0; 300]),
        ];
        let mut out = BytesMut::new();
        QueryAttributes::encode(&attributes, &mut out);
        let len = out.len();
        out.put_slice(b"SELECT 1");
        assert_eq!(split(&out), Ok((attributes.to_vec(), len)));
        let texts: Vec<_> = attributes.iter().map(|attribute| attribute.text()).collect();
        assert_eq!(texts[0].as_deref(), Some("00-4bf92f3577b34da6-01"));
        assert_eq!(texts[2..4], [Some("-7".into()), Some("200".into())]);
        assert_eq!((&texts[1], &texts[4]), (&None, &None));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let malformed: [&[u8]; 6] = [
            b"\x01\x02\0\x01\xfe\0\x01a\x011SELECT 1",
            b"\x01\x01\0\0\xfe\0\x01a\x011SELECT 1",
            b"\x00\x00SELECT 1",
            b"\xfb\x01SELECT 1",
            b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01SELECT 1",
            b"\xfd\xff\xff\xff\x01SELECT 1",
        ];
        for argument in malformed {
            assert!(split(argument).is_err(), "{argument:?}");
        }
    }
}
