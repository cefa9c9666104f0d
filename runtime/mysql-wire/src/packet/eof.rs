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
