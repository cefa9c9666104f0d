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
