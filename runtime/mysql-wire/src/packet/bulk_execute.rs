//! MariaDB's execution of a prepared statement with many rows of parameters at once.
//!
//! <https://mariadb.com/kb/en/com_stmt_bulk_execute/>

use bitflags::bitflags;
use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

bitflags! {
    /// Bits without a name here are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct BulkFlags: u16 {
        /// A result tells of each row, where [`BULK_UNIT_RESULTS`] was agreed.
        ///
        /// [`BULK_UNIT_RESULTS`]: crate::capabilities::Capabilities::BULK_UNIT_RESULTS
        const UNIT_RESULTS = 1 << 6;
        const TYPES_FOLLOW = 1 << 7;
    }
}

/// A bulk execution, as far as it is looked at: its rows may be megabytes, and still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkExecute<'a> {
    pub statement_id: u32,
    pub flags: BulkFlags,
    /// Two bytes for each parameter, as in [`Prepared::types`](super::Prepared::types); empty
    /// where they are as before.
    pub types: &'a [u8],
    /// The values, each behind a byte that says whether there is one.
    pub rows: &'a [u8],
}

impl<'a> BulkExecute<'a> {
    /// What follows the command's code, of a statement with so many parameters.
    ///
    /// # Errors
    /// A violation if it is cut short before its rows.
    pub fn decode(argument: &'a [u8], parameters: usize) -> Result<Self, Violation> {
        let mut reader = Reader::new(argument, "a bulk execution");
        let statement_id = reader.u32_le()?;
        let flags = BulkFlags::from_bits_retain(reader.u16_le()?);
        let types = match flags.contains(BulkFlags::TYPES_FOLLOW) {
            true => reader.take(parameters.saturating_mul(2))?,
            false => &[],
        };
        Ok(Self { statement_id, flags, types, rows: reader.rest() })
    }

    /// Writes it with the types that it has: a server that has not heard them is told so.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut flags = self.flags;
        flags.set(BulkFlags::TYPES_FOLLOW, !self.types.is_empty());
        out.put_u32_le(self.statement_id);
        out.put_u16_le(flags.bits());
        out.put_slice(self.types);
        out.put_slice(self.rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of an INT and a VARCHAR: (1, 'ab') and (NULL, DEFAULT).
    const TYPED: &[u8] = b"\x09\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0\0\x02ab\x01\x02";

    #[test]
    fn comes_back_as_it_was() {
        let bulk = BulkExecute::decode(TYPED, 2).unwrap();
        assert_eq!((bulk.statement_id, bulk.flags), (9, BulkFlags::TYPES_FOLLOW));
        assert_eq!(bulk.types, b"\x03\0\xfd\0");
        let mut out = BytesMut::new();
        bulk.encode(&mut out);
        assert_eq!(out, TYPED);
    }

    #[test]
    fn types_are_told_to_a_server_that_has_not_heard_them() {
        let again = [&b"\x09\0\0\0\x40\0"[..], &TYPED[10..]].concat();
        let bulk = BulkExecute::decode(&again, 2).unwrap();
        assert_eq!((bulk.types, bulk.rows), (&b""[..], &TYPED[10..]));
        let mut out = BytesMut::new();
        bulk.encode(&mut out);
        assert_eq!(out[..], again);
        out.clear();
        BulkExecute { types: b"\x03\0\xfd\0", ..bulk }.encode(&mut out);
        let told = BulkExecute::decode(&out, 2).unwrap();
        assert_eq!(told.flags, BulkFlags::UNIT_RESULTS | BulkFlags::TYPES_FOLLOW);
        assert_eq!((told.types, told.rows), (&b"\x03\0\xfd\0"[..], bulk.rows));
    }

    #[test]
    fn what_is_cut_before_its_rows_is_refused() {
        for cut in 0..10 {
            assert!(BulkExecute::decode(&TYPED[..cut], 2).is_err(), "cut at {cut}");
        }
        assert!(BulkExecute::decode(TYPED, usize::MAX).is_err());
    }
}
