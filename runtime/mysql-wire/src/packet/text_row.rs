//! A row whose values are text.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::Cell;
use crate::lenenc;

/// The values of a row, read one by one.
#[derive(Clone, Debug)]
pub struct TextRow<'a>(Reader<'a>);

impl<'a> TextRow<'a> {
    #[must_use]
    pub fn new(payload: &'a [u8]) -> Self {
        Self(Reader::new(payload, "a row"))
    }

    pub fn encode(cells: &[Cell], out: &mut BytesMut) {
        for cell in cells {
            match cell {
                None => out.put_u8(lenenc::NULL),
                Some(text) => lenenc::write_bytes(out, text),
            }
        }
    }
}

impl<'a> Iterator for TextRow<'a> {
    type Item = Result<Option<&'a [u8]>, Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.is_empty() {
            true => None,
            false => Some(lenenc::read_nullable(&mut self.0).inspect_err(|_| {
                self.0.rest();
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MariaDB 10.11 to `SELECT 1, NULL, 'héé', 1.5e0`.
    const CAPTURED: &[u8] = b"\x011\xfb\x05h\xc3\xa9\xc3\xa9\x031.5";

    #[test]
    fn comes_back_as_it_was() {
        let cells: Result<Vec<Cell>, Violation> =
            TextRow::new(CAPTURED).map(|cell| Ok(cell?.map(<[u8]>::to_vec))).collect();
        let cells = cells.unwrap();
        assert_eq!(cells[0].as_deref(), Some(&b"1"[..]));
        assert_eq!(cells[1], None);
        assert_eq!(cells[2].as_deref(), Some("héé".as_bytes()));
        let mut out = BytesMut::new();
        TextRow::encode(&cells, &mut out);
        assert_eq!(out, CAPTURED);
    }

    #[test]
    fn a_cut_row_ends_with_one_violation() {
        let cut = Violation::Truncated { what: "a row" };
        let cells: Vec<_> = TextRow::new(&CAPTURED[..6]).collect();
        assert_eq!(cells, [Ok(Some(&b"1"[..])), Ok(None), Err(cut)]);
    }
}
