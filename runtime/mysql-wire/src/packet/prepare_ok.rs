//! A statement is prepared; the definitions of its parameters and columns follow.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

/// The head of the answer to `COM_STMT_PREPARE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrepareOk {
    pub statement_id: u32,
    pub columns: u16,
    pub parameters: u16,
    pub warnings: u16,
}

impl PrepareOk {
    pub const MARK: u8 = 0x00;

    /// # Errors
    /// A violation if it is no such answer, or cut short.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "the answer to a prepare");
        if reader.u8()? != Self::MARK {
            return Err(reader.malformed());
        }
        let statement_id = reader.u32_le()?;
        let columns = reader.u16_le()?;
        let parameters = reader.u16_le()?;
        reader.take(1)?;
        // Left out by servers before 5.0.
        let warnings = if reader.is_empty() { 0 } else { reader.u16_le()? };
        Ok(Self { statement_id, columns, parameters, warnings })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(Self::MARK);
        out.put_u32_le(self.statement_id);
        out.put_u16_le(self.columns);
        out.put_u16_le(self.parameters);
        out.put_u8(0);
        out.put_u16_le(self.warnings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MariaDB 10.11 to `SELECT ? + 1 AS a`.
    const CAPTURED: &[u8] = b"\0\x01\0\0\0\x01\0\x01\0\0\0\0";

    #[test]
    fn comes_back_as_it_was() {
        let prepared = PrepareOk::decode(CAPTURED).unwrap();
        let expected = PrepareOk { statement_id: 1, columns: 1, parameters: 1, warnings: 0 };
        assert_eq!(prepared, expected);
        let mut out = BytesMut::new();
        prepared.encode(&mut out);
        assert_eq!(out, CAPTURED);
    }

    #[test]
    fn columns_and_parameters_are_not_confused() {
        let prepared = PrepareOk { statement_id: 9, columns: 2, parameters: 3, warnings: 1 };
        let mut out = BytesMut::new();
        prepared.encode(&mut out);
        assert_eq!(&out[..], b"\0\x09\0\0\0\x02\0\x03\0\0\x01\0");
    }

    #[test]
    fn a_cut_answer_is_refused() {
        for cut in (0..CAPTURED.len()).filter(|cut| *cut != 10) {
            assert!(PrepareOk::decode(&CAPTURED[..cut]).is_err(), "cut at {cut}");
        }
    }
}
