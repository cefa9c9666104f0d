//! It did not work, and why.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html>

use std::fmt;

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use crate::capabilities::Capabilities;
use crate::error_code::{ER_UNKNOWN, ErrorCode};

/// An ERR packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrPacket {
    pub code: u16,
    /// `HY000`, which says nothing, where the server sent none: before it knows the client's
    /// capabilities.
    pub sqlstate: [u8; 5],
    /// For people. What was not UTF-8 is replaced.
    pub message: String,
}

impl ErrPacket {
    pub const MARK: u8 = 0xff;

    #[must_use]
    pub fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code: error.code,
            sqlstate: error.sqlstate,
            message: message.into(),
        }
    }

    /// # Errors
    /// A violation if it is no ERR packet, or cut short.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "an ERR packet");
        if reader.u8()? != Self::MARK {
            return Err(reader.malformed());
        }
        let code = reader.u16_le()?;
        let mut sqlstate = ER_UNKNOWN.sqlstate;
        if reader.peek().first() == Some(&b'#') {
            reader.u8()?;
            sqlstate = reader.array()?;
        }
        let message = String::from_utf8_lossy(reader.rest()).into_owned();
        Ok(Self {
            code,
            sqlstate,
            message,
        })
    }

    /// With no capabilities, the form that a client understands before it has said any.
    pub fn encode(&self, out: &mut BytesMut, capabilities: Capabilities) {
        out.put_u8(Self::MARK);
        out.put_u16_le(self.code);
        if capabilities.contains(Capabilities::PROTOCOL_41) {
            out.put_u8(b'#');
            out.put_slice(&self.sqlstate);
        }
        out.put_slice(self.message.as_bytes());
    }
}

/// As the command line clients show it.
impl fmt::Display for ErrPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sqlstate = self.sqlstate.escape_ascii();
        write!(f, "ERROR {} ({sqlstate}): {}", self.code, self.message)
    }
}

impl std::error::Error for ErrPacket {}
