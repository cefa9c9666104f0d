//! A row of a result.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::frame;

/// What stands in the place of a length where there is no value.
const NULL: u32 = u32::MAX;

/// Reads the cells of a `DataRow`, one after the other. `None` is NULL.
#[derive(Clone, Debug)]
pub struct DataRow<'a> {
    reader: Reader<'a>,
    left: u16,
}

impl<'a> DataRow<'a> {
    /// # Errors
    /// A violation if not even the number of cells has come.
    pub fn new(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a row");
        let left = reader.u16_be()?;
        Ok(Self { reader, left })
    }

    fn read(&mut self) -> Result<Option<&'a [u8]>, Violation> {
        match self.reader.u32_be()? {
            NULL => Ok(None),
            len => self.reader.take(usize::try_from(len).unwrap_or(usize::MAX)).map(Some),
        }
    }

    /// Writes a row of texts.
    pub fn encode<T: AsRef<[u8]>>(cells: &[Option<T>], out: &mut BytesMut) {
        frame::write_with(out, tag::backend::DATA_ROW, |out| {
            out.put_u16(u16::try_from(cells.len()).unwrap_or(u16::MAX));
            for cell in cells.iter().take(usize::from(u16::MAX)) {
                let cell = cell.as_ref().map(AsRef::as_ref);
                let len = cell.map_or(Ok(NULL), |cell| u32::try_from(cell.len()));
                out.put_u32(len.unwrap_or(NULL));
                out.put_slice(cell.unwrap_or_default());
            }
        });
    }
}

impl<'a> Iterator for DataRow<'a> {
    /// An error is the last item.
    type Item = Result<Option<&'a [u8]>, Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let cell = self.read();
        if cell.is_err() {
            self.left = 0;
        }
        Some(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;
    use crate::cuts;

    fn cells(payload: &[u8]) -> Result<Vec<Option<&[u8]>>, Violation> {
        DataRow::new(payload)?.collect()
    }

    #[test]
    fn comes_back_as_it_was() {
        let row = [Some(&b"1"[..]), None, Some(b"")];
        let bytes = payload(|out| DataRow::encode(&row, out));
        assert_eq!(bytes, b"\0\x03\0\0\0\x011\xff\xff\xff\xff\0\0\0\0");
        assert_eq!(cells(&bytes), Ok(row.to_vec()));
        cuts::are_refused(&bytes, cells);
    }

    #[test]
    fn an_error_is_the_last_item() {
        let mut row = DataRow::new(b"\0\x03\0\0\0\x09short").unwrap();
        assert!(row.next().is_some_and(|cell| cell.is_err()));
        assert!(row.next().is_none());
    }
}
