//! The columns of a result that is answered here.

use bytes::{BufMut, BytesMut};

use super::tag;
use crate::{frame, text};

/// Of a value whose length varies.
const VARIABLE: u16 = (-1_i16).cast_unsigned();
/// Of a type that has none.
const NO_MODIFIER: u32 = u32::MAX;

/// A column that is of no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The number of its type in `pg_type`.
    pub type_oid: u32,
    /// Its values come in their binary form.
    pub binary: bool,
}

impl Column {
    /// The type `text`.
    pub const TEXT: u32 = 25;
}

/// Writes a `RowDescription`.
pub fn row_description(columns: &[Column], out: &mut BytesMut) {
    frame::write_with(out, tag::backend::ROW_DESCRIPTION, |out| {
        out.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
        for column in columns.iter().take(usize::from(u16::MAX)) {
            text::put(out, column.name.as_bytes());
            // No table, and so no column of one.
            out.put_u32(0);
            out.put_u16(0);
            out.put_u32(column.type_oid);
            out.put_u16(VARIABLE);
            out.put_u32(NO_MODIFIER);
            out.put_u16(column.binary.into());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;

    #[test]
    fn is_what_a_server_sends() {
        let columns =
            [Column { name: "TimeZone".to_owned(), type_oid: Column::TEXT, binary: false }];
        // PostgreSQL 15, about `SHOW timezone`.
        let captured = b"\0\x01TimeZone\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
        assert_eq!(payload(|out| row_description(&columns, out)), captured);
    }
}
