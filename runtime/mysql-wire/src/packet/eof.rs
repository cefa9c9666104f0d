//! The columns or the rows end here, where [`DEPRECATE_EOF`] was not agreed.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_eof_packet.html>
//!
//! [`DEPRECATE_EOF`]: crate::capabilities::Capabilities::DEPRECATE_EOF

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use crate::status::StatusFlags;

/// An EOF packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EofPacket {
    pub warnings: u16,
    pub status: StatusFlags,
}

impl EofPacket {
    pub const MARK: u8 = 0xfe;

    /// A longer payload that starts with [`Self::MARK`] is something else: an OK packet, or a row
    /// whose first value is longer than 16 MiB.
    pub const LEN: usize = 5;

    /// # Errors
    /// A violation if it is no EOF packet, or cut short.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "an EOF packet");
        if reader.u8()? != Self::MARK {
            return Err(reader.malformed());
        }
        let warnings = reader.u16_le()?;
        let status = StatusFlags::from_bits_retain(reader.u16_le()?);
        if !reader.is_empty() {
            return Err(reader.malformed());
        }
        Ok(Self { warnings, status })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(Self::MARK);
        out.put_u16_le(self.warnings);
        out.put_u16_le(self.status.bits());
    }
}

#[cfg(test)]
mod tests {
    use super::super::cuts;
    use super::*;

    /// MariaDB 10.11 behind the columns of a result.
    const CAPTURED: &[u8] = b"\xfe\0\0\x02\0";

    #[test]
    fn comes_back_as_it_was() {
        let eof = EofPacket::decode(CAPTURED).unwrap();
        assert_eq!(eof, EofPacket { warnings: 0, status: StatusFlags::AUTOCOMMIT });
        let mut out = BytesMut::new();
        eof.encode(&mut out);
        assert_eq!(out, CAPTURED);
        assert_eq!(out.len(), EofPacket::LEN);
    }

    #[test]
    fn cut_or_other_packets_are_refused() {
        cuts::are_refused(CAPTURED, EofPacket::decode);
        assert!(EofPacket::decode(b"\xfe\0\0\x02\0\0\0").is_err());
        assert!(EofPacket::decode(b"\0\0\0\x02\0").is_err());
    }
}
