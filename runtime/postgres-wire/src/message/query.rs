//! Messages that are one text: a statement, or why a COPY is given up.

use bytes::BytesMut;
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

/// Reads the statements of a `Query`, of which there may be several.
///
/// # Errors
/// A violation if they do not end with the message.
pub fn read_query(payload: &[u8]) -> Result<&[u8], Violation> {
    let mut reader = Reader::new(payload, "a query");
    let statements = reader.until_nul()?;
    text::end(&reader).map(|()| statements)
}

/// Writes a `Query`.
pub fn query(out: &mut BytesMut, statements: &[u8]) {
    frame::write_with(out, tag::frontend::QUERY, |out| text::put(out, statements));
}

/// Writes a `CopyFail`: what has come of the data is not to be kept, for this reason.
pub fn fail_copy(out: &mut BytesMut, why: &str) {
    frame::write_with(out, tag::frontend::COPY_FAIL, |out| text::put(out, why.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_comes_back_as_it_was() {
        let mut out = BytesMut::new();
        query(&mut out, b"SELECT 1; SELECT 2");
        assert_eq!(out, &b"Q\0\0\0\x17SELECT 1; SELECT 2\0"[..]);
        assert_eq!(read_query(&out[5..]), Ok(&b"SELECT 1; SELECT 2"[..]));
        assert!(read_query(b"SELECT 1").is_err());
        assert!(read_query(b"SELECT 1\0; DROP TABLE t\0").is_err());
    }

    #[test]
    fn a_copy_is_given_up_with_a_reason() {
        let mut out = BytesMut::new();
        fail_copy(&mut out, "gone");
        assert_eq!(out, &b"f\0\0\0\x09gone\0"[..]);
    }
}
