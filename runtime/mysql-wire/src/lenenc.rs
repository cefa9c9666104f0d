//! Length-encoded integers and strings.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html>

use bytes::BufMut;
use tidegate_wire::{Reader, Violation};

/// Stands for NULL where a row may hold one, and for nothing anywhere else.
pub const NULL: u8 = 0xfb;

/// # Errors
/// A violation if it is cut short, NULL, or starts like an ERR packet.
pub fn read_int(reader: &mut Reader<'_>) -> Result<u64, Violation> {
    match reader.u8()? {
        0xfc => reader.u16_le().map(u64::from),
        0xfd => reader.u24_le().map(u64::from),
        0xfe => reader.u64_le(),
        NULL | 0xff => Err(reader.malformed()),
        small => Ok(u64::from(small)),
    }
}

/// # Errors
/// A violation as for [`read_int`], or if it claims more bytes than there are.
pub fn read_bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Violation> {
    let len = read_int(reader)?;
    let len = usize::try_from(len).map_err(|_| reader.truncated())?;
    reader.take(len)
}

/// One value of a text row; `None` for NULL.
///
/// # Errors
/// A violation as for [`read_bytes`].
pub fn read_nullable<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Violation> {
    if reader.peek().first() == Some(&NULL) {
        reader.u8()?;
        return Ok(None);
    }
    read_bytes(reader).map(Some)
}

/// Writes the shortest form.
pub fn write_int(out: &mut impl BufMut, value: u64) {
    let [a, b, c, ..] = value.to_le_bytes();
    match value {
        0..=0xfa => out.put_u8(a),
        0xfb..=0xffff => out.put_slice(&[0xfc, a, b]),
        0x1_0000..=0xff_ffff => out.put_slice(&[0xfd, a, b, c]),
        _ => {
            out.put_u8(0xfe);
            out.put_u64_le(value);
        }
    }
}

/// The length, then the bytes.
pub fn write_bytes(out: &mut impl BufMut, bytes: &[u8]) {
    write_int(out, bytes.len() as u64);
    out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<u64, Violation> {
        read_int(&mut Reader::new(bytes, "an integer"))
    }

    #[test]
    fn integers_at_the_edges_of_each_form() {
        for (value, len) in [
            (0, 1),
            (0xfa, 1),
            (0xfb, 3),
            (0xffff, 3),
            (0x1_0000, 4),
            (0xff_ffff, 4),
            (0x100_0000, 9),
            (u64::MAX, 9),
        ] {
            let mut out = Vec::new();
            write_int(&mut out, value);
            assert_eq!((out.len(), read(&out)), (len, Ok(value)));
            for cut in 0..out.len() {
                assert!(read(&out[..cut]).is_err(), "{value} cut at {cut}");
            }
        }
    }

    #[test]
    fn null_and_err_are_no_integers() {
        let malformed = Err(Violation::Malformed { what: "an integer" });
        assert_eq!(read(&[NULL]), malformed);
        assert_eq!(read(&[0xff, 1, 2, 3, 4, 5, 6, 7, 8]), malformed);
    }

    #[test]
    fn a_claimed_length_is_checked() {
        let mut huge = Reader::new(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "text");
        assert_eq!(read_bytes(&mut huge), Err(Violation::Truncated { what: "text" }));
    }

    #[test]
    fn null_differs_from_empty() {
        let mut row = Reader::new(&[NULL, 0, 1, b'x'], "a row");
        assert_eq!(read_nullable(&mut row), Ok(None));
        assert_eq!(read_nullable(&mut row), Ok(Some(&b""[..])));
        assert_eq!(read_nullable(&mut row), Ok(Some(&b"x"[..])));
    }
}
