//! What stands in a column of a result, or in a parameter of a prepared statement.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html>

use bitflags::bitflags;
use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use crate::capabilities::Capabilities;
use crate::lenenc;

/// `MYSQL_TYPE_*`. Not an enum: servers add types, and a proxy passes them on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ColumnType(pub u8);

impl ColumnType {
    pub const TINY: Self = Self(1);
    pub const SHORT: Self = Self(2);
    pub const LONG: Self = Self(3);
    pub const FLOAT: Self = Self(4);
    pub const DOUBLE: Self = Self(5);
    pub const NULL: Self = Self(6);
    pub const TIMESTAMP: Self = Self(7);
    /// 64 bits.
    pub const LONGLONG: Self = Self(8);
    pub const INT24: Self = Self(9);
    pub const DATE: Self = Self(10);
    pub const TIME: Self = Self(11);
    pub const DATETIME: Self = Self(12);
    pub const YEAR: Self = Self(13);
    pub const BLOB: Self = Self(252);
    pub const VAR_STRING: Self = Self(253);

    /// Whether its values are written as text, or as bytes that may be any: numbers of any
    /// length, JSON, names, strings and blobs.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self.0, 0 | 15 | 245..=254)
    }
}

bitflags! {
    /// What else is true of a column. Bits without a name here are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ColumnFlags: u16 {
        const NOT_NULL = 1;
        const PRIMARY_KEY = 1 << 1;
        const BLOB = 1 << 4;
        const UNSIGNED = 1 << 5;
        const BINARY = 1 << 7;
    }
}

/// What follows the names has this length.
const FIXED_LEN: u64 = 12;

/// The character set of bytes that are no text.
const BINARY: u16 = 63;

/// `utf8mb4_general_ci`, which every server knows.
const UTF8MB4: u16 = 45;

/// A column definition of protocol 4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDefinition {
    pub schema: String,
    pub table: String,
    pub original_table: String,
    pub name: String,
    pub original_name: String,
    pub collation: u16,
    /// The width that a client would reserve to show it.
    pub len: u32,
    pub kind: ColumnType,
    pub flags: ColumnFlags,
    pub decimals: u8,
}

impl ColumnDefinition {
    /// A column of a result that comes from no table.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ColumnType) -> Self {
        let text = kind == ColumnType::VAR_STRING;
        let (flags, len, decimals) = match kind {
            ColumnType::LONGLONG => (ColumnFlags::BINARY, 20, 0),
            // 31 decimals mean that it has as many as it has.
            ColumnType::DOUBLE => (ColumnFlags::BINARY, 23, 31),
            ColumnType::BLOB => (ColumnFlags::BINARY | ColumnFlags::BLOB, u32::MAX, 0),
            _ => (ColumnFlags::empty(), 0x00ff_ffff, 0),
        };
        Self {
            schema: String::new(),
            table: String::new(),
            original_table: String::new(),
            name: name.into(),
            original_name: String::new(),
            collation: if text { UTF8MB4 } else { BINARY },
            len,
            kind,
            flags,
            decimals,
        }
    }

    /// # Errors
    /// A violation if it is cut short.
    pub fn decode(payload: &[u8], capabilities: Capabilities) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a column definition");
        let mut text = || -> Result<String, Violation> {
            lenenc::read_bytes(&mut reader).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let _catalog = text()?;
        let (schema, table, original_table) = (text()?, text()?, text()?);
        let (name, original_name) = (text()?, text()?);
        if capabilities.contains(Capabilities::EXTENDED_METADATA) {
            lenenc::read_bytes(&mut reader)?;
        }
        if lenenc::read_int(&mut reader)? != FIXED_LEN {
            return Err(reader.malformed());
        }
        let column = Self {
            schema,
            table,
            original_table,
            name,
            original_name,
            collation: reader.u16_le()?,
            len: reader.u32_le()?,
            kind: ColumnType(reader.u8()?),
            flags: ColumnFlags::from_bits_retain(reader.u16_le()?),
            decimals: reader.u8()?,
        };
        reader.take(2)?;
        Ok(column)
    }

    pub fn encode(&self, out: &mut BytesMut, capabilities: Capabilities) {
        let names = [
            "def",
            &self.schema,
            &self.table,
            &self.original_table,
            &self.name,
            &self.original_name,
        ];
        for name in names {
            lenenc::write_bytes(out, name.as_bytes());
        }
        if capabilities.contains(Capabilities::EXTENDED_METADATA) {
            lenenc::write_bytes(out, b"");
        }
        lenenc::write_int(out, FIXED_LEN);
        out.put_u16_le(self.collation);
        out.put_u32_le(self.len);
        out.put_u8(self.kind.0);
        out.put_u16_le(self.flags.bits());
        out.put_u8(self.decimals);
        out.put_u16_le(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::cuts;
    use super::*;

    /// MariaDB 10.11 about `'héé' AS t`, to a client that takes extended metadata and to one that
    /// does not.
    const EXTENDED: &[u8] = b"\x03def\0\0\0\x01t\0\0\x0c!\0\t\0\0\0\xfd\x01\0'\0\0";
    const PLAIN: &[u8] = b"\x03def\0\0\0\x01t\0\x0c!\0\t\0\0\0\xfd\x01\0'\0\0";

    #[test]
    fn comes_back_as_it_was() {
        for (captured, capabilities) in
            [(EXTENDED, Capabilities::EXTENDED_METADATA), (PLAIN, Capabilities::empty())]
        {
            let column = ColumnDefinition::decode(captured, capabilities).unwrap();
            assert_eq!((column.name.as_str(), column.kind), ("t", ColumnType::VAR_STRING));
            assert_eq!((column.collation, column.len, column.decimals), (33, 9, 39));
            assert_eq!(column.flags, ColumnFlags::NOT_NULL);
            let mut out = BytesMut::new();
            column.encode(&mut out, capabilities);
            assert_eq!(out, captured);
            cuts::are_refused(captured, |bytes| ColumnDefinition::decode(bytes, capabilities));
        }
    }

    #[test]
    fn names_stand_where_they_belong() {
        let column = ColumnDefinition {
            schema: "shop".into(),
            table: "o".into(),
            original_table: "orders".into(),
            original_name: "id".into(),
            ..ColumnDefinition::new("number", ColumnType::LONGLONG)
        };
        let mut out = BytesMut::new();
        column.encode(&mut out, Capabilities::empty());
        assert!(out.starts_with(b"\x03def\x04shop\x01o\x06orders\x06number\x02id\x0c"));
        assert_eq!(ColumnDefinition::decode(&out, Capabilities::empty()), Ok(column));
    }
}
