//! Text that ends with a NUL, as all text of this protocol does.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

/// Writes text and its NUL. What stands behind a NUL of its own is left out: it would be read as
/// something else.
pub(crate) fn put(out: &mut BytesMut, text: &[u8]) {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    out.put_slice(&text[..end]);
    out.put_u8(0);
}

/// Reads a name or a setting, which is UTF-8.
pub(crate) fn read_string(reader: &mut Reader<'_>) -> Result<String, Violation> {
    let text = std::str::from_utf8(reader.until_nul()?);
    text.map(str::to_owned).map_err(|_| reader.malformed())
}

/// Refuses bytes behind the end of what was read.
pub(crate) fn end(reader: &Reader<'_>) -> Result<(), Violation> {
    if reader.is_empty() { Ok(()) } else { Err(reader.malformed()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_say_more_than_one_thing() {
        let mut out = BytesMut::new();
        put(&mut out, b"user\0database\0root");
        assert_eq!(out, &b"user\0"[..]);
    }

    #[test]
    fn text_must_be_utf8_where_it_is_a_name() {
        let read = |bytes| read_string(&mut Reader::new(bytes, "a name"));
        assert_eq!(read(b"caf\xc3\xa9\0rest").as_deref(), Ok("caf\u{e9}"));
        assert_eq!(read(b"caf\xe9\0"), Err(Violation::Malformed { what: "a name" }));
        assert_eq!(read(b"caf"), Err(Violation::Truncated { what: "a name" }));
    }
}
