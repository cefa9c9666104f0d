//! Values of parameters, as the binary protocol writes them.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html#sect_protocol_binary_resultset_row_value>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::ColumnType;
use crate::lenenc;

/// How long a value of a type is.
enum Width {
    Fixed(usize),
    /// A byte tells.
    Short,
    Lenenc,
}

fn width(kind: ColumnType) -> Width {
    match kind {
        ColumnType::NULL => Width::Fixed(0),
        ColumnType::TINY => Width::Fixed(1),
        ColumnType::SHORT | ColumnType::YEAR => Width::Fixed(2),
        ColumnType::LONG | ColumnType::INT24 | ColumnType::FLOAT => Width::Fixed(4),
        ColumnType::LONGLONG | ColumnType::DOUBLE => Width::Fixed(8),
        ColumnType::DATE | ColumnType::DATETIME | ColumnType::TIMESTAMP | ColumnType::TIME => {
            Width::Short
        }
        _ => Width::Lenenc,
    }
}

/// The bytes of the next value, without its length.
pub(super) fn read<'a>(reader: &mut Reader<'a>, kind: ColumnType) -> Result<&'a [u8], Violation> {
    match width(kind) {
        Width::Fixed(len) => reader.take(len),
        Width::Short => {
            let len = reader.u8()?;
            reader.take(len.into())
        }
        Width::Lenenc => lenenc::read_bytes(reader),
    }
}

/// Writes what [`read`] gives back. `value` must be of the length that the type has.
pub(super) fn write(out: &mut BytesMut, kind: ColumnType, value: &[u8]) {
    match width(kind) {
        Width::Fixed(len) => debug_assert_eq!(value.len(), len),
        Width::Short => out.put_u8(u8::try_from(value.len()).unwrap_or(u8::MAX)),
        Width::Lenenc => lenenc::write_int(out, value.len() as u64),
    }
    out.put_slice(value);
}

/// Whether the bit of this number is set. A bitmap is as long as it must be.
pub(super) fn is_set(bits: &[u8], at: usize) -> bool {
    bits.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_the_length_of_its_type() {
        let values: [(ColumnType, &[u8], usize); 10] = [
            (ColumnType::NULL, b"", 0),
            (ColumnType::TINY, b"\x07", 1),
            (ColumnType::YEAR, b"\xea\x07", 2),
            (ColumnType::LONG, b"\x01\0\0\0", 4),
            (ColumnType::DOUBLE, b"\0\0\0\0\0\0\xf0\x3f", 8),
            (ColumnType::DATE, b"\xea\x07\x0b\x15", 5),
            (ColumnType::TIME, b"", 1),
            (ColumnType::VAR_STRING, b"tide", 5),
            (ColumnType::BLOB, &[7; 300], 303),
            // JSON, and whatever comes after it.
            (ColumnType(245), b"{}", 3),
        ];
        for (kind, value, written) in values {
            let mut out = BytesMut::new();
            write(&mut out, kind, value);
            assert_eq!(out.len(), written);
            assert_eq!(read(&mut Reader::new(&out, "a value"), kind), Ok(value));
            for cut in 0..out.len() {
                assert!(read(&mut Reader::new(&out[..cut], "a value"), kind).is_err());
            }
        }
    }
}
