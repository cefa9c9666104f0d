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
        Self { code: error.code, sqlstate: error.sqlstate, message: message.into() }
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
        Ok(Self { code, sqlstate, message })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_code::ER_ACCESS_DENIED;

    /// MariaDB 10.11 about a wrong password.
    const CAPTURED: &[u8] =
        b"\xff\x15\x04#28000Access denied for user 'app'@'localhost' (using password: YES)";

    #[test]
    fn comes_back_as_it_was() {
        let err = ErrPacket::decode(CAPTURED).unwrap();
        let message = "Access denied for user 'app'@'localhost' (using password: YES)";
        assert_eq!(err, ErrPacket::new(ER_ACCESS_DENIED, message));
        assert_eq!(err.to_string(), format!("ERROR 1045 (28000): {message}"));
        let mut out = BytesMut::new();
        err.encode(&mut out, Capabilities::PROTOCOL_41);
        assert_eq!(out, CAPTURED);
    }

    #[test]
    fn before_the_capabilities_are_known_there_is_no_state() {
        let early = b"\xff\x10\x04Too many connections";
        let err = ErrPacket::decode(early).unwrap();
        assert_eq!((err.code, &err.sqlstate), (1040, b"HY000"));
        let mut out = BytesMut::new();
        err.encode(&mut out, Capabilities::empty());
        assert_eq!(out, &early[..]);
    }

    #[test]
    fn what_is_cut_before_the_message_is_refused() {
        for cut in (0..9).filter(|cut| *cut != 3) {
            assert!(ErrPacket::decode(&CAPTURED[..cut]).is_err(), "cut at {cut}");
        }
        assert_eq!(ErrPacket::decode(&CAPTURED[..9]).unwrap().message, "");
    }

    #[test]
    fn text_that_is_not_utf8_is_shown_as_far_as_it_goes() {
        let err = ErrPacket::decode(b"\xff\x28\x04#42000caf\xe9").unwrap();
        assert_eq!(err.message, "caf\u{fffd}");
    }
}
