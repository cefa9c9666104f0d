//! It worked; or, where [`Capabilities::DEPRECATE_EOF`] was agreed, the rows end here.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use crate::capabilities::Capabilities;
use crate::lenenc;
use crate::status::StatusFlags;

/// An OK packet. Borrowed, since one ends nearly every exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OkPacket<'a> {
    pub affected_rows: u64,
    pub last_insert_id: u64,
    pub status: StatusFlags,
    pub warnings: u16,
    /// For people, in the character set of the session.
    pub info: &'a [u8],
    /// What changed in the session, as the server encoded it. Only with
    /// [`Capabilities::SESSION_TRACK`].
    pub session_state: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// The first byte of the ordinary form.
    pub const MARK: u8 = 0x00;

    /// The first byte of the form that ends the rows of a result.
    pub const MARK_END_OF_ROWS: u8 = 0xfe;

    /// Reads either form.
    ///
    /// # Errors
    /// A violation if it is no OK packet, or cut short.
    pub fn decode(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "an OK packet");
        if !matches!(reader.u8()?, Self::MARK | Self::MARK_END_OF_ROWS) {
            return Err(reader.malformed());
        }
        let mut ok = Self {
            affected_rows: lenenc::read_int(&mut reader)?,
            last_insert_id: lenenc::read_int(&mut reader)?,
            status: StatusFlags::from_bits_retain(reader.u16_le()?),
            warnings: reader.u16_le()?,
            ..Self::default()
        };
        if !reader.is_empty() {
            ok.info = read_info(&mut reader, capabilities)?;
        }
        if ok.carries_session_state(capabilities) && !reader.is_empty() {
            ok.session_state = lenenc::read_bytes(&mut reader)?;
        }
        Ok(ok)
    }

    /// Writes the ordinary form.
    pub fn encode(&self, out: &mut BytesMut, capabilities: Capabilities) {
        self.encode_as(Self::MARK, out, capabilities);
    }

    /// Writes the form that ends the rows of a result.
    pub fn encode_end_of_rows(&self, out: &mut BytesMut, capabilities: Capabilities) {
        self.encode_as(Self::MARK_END_OF_ROWS, out, capabilities);
    }

    fn encode_as(&self, mark: u8, out: &mut BytesMut, capabilities: Capabilities) {
        out.put_u8(mark);
        lenenc::write_int(out, self.affected_rows);
        lenenc::write_int(out, self.last_insert_id);
        out.put_u16_le(self.status.bits());
        out.put_u16_le(self.warnings);
        let session_state = self.carries_session_state(capabilities);
        if !self.info.is_empty() || session_state {
            lenenc::write_bytes(out, self.info);
        }
        if session_state {
            lenenc::write_bytes(out, self.session_state);
        }
    }

    fn carries_session_state(&self, capabilities: Capabilities) -> bool {
        capabilities.contains(Capabilities::SESSION_TRACK)
            && self.status.contains(StatusFlags::SESSION_STATE_CHANGED)
    }
}

/// The manual says that without SESSION_TRACK the text takes the rest of the packet, and servers
/// put a length before it all the same. Both are understood.
fn read_info<'a>(
    reader: &mut Reader<'a>,
    capabilities: Capabilities,
) -> Result<&'a [u8], Violation> {
    let rest = reader.peek();
    match lenenc::read_bytes(reader) {
        Ok(info) => Ok(info),
        Err(_) if !capabilities.contains(Capabilities::SESSION_TRACK) => {
            reader.rest();
            Ok(rest)
        }
        Err(violation) => Err(violation),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cuts;
    use super::*;

    const PLAIN: Capabilities = Capabilities::PROTOCOL_41;
    const TRACKING: Capabilities = PLAIN.union(Capabilities::SESSION_TRACK);

    /// MariaDB 10.11 after a login with a database, to a client that tracks the session.
    const WITH_STATE: &[u8] = b"\0\0\0\x02\x40\0\0\0\x06\x01\x04\x03app";

    /// MariaDB 10.11 behind the rows of a result.
    const END_OF_ROWS: &[u8] = b"\xfe\0\0\x02\0\0\0";

    fn encoded(ok: OkPacket<'_>, capabilities: Capabilities) -> BytesMut {
        let mut out = BytesMut::new();
        ok.encode(&mut out, capabilities);
        out
    }

    #[test]
    fn the_state_of_the_session_is_kept() {
        let ok = OkPacket::decode(WITH_STATE, TRACKING).unwrap();
        assert_eq!(ok.status, StatusFlags::AUTOCOMMIT | StatusFlags::SESSION_STATE_CHANGED);
        assert_eq!((ok.info, ok.session_state), (&b""[..], &b"\x01\x04\x03app"[..]));
        assert_eq!(encoded(ok, TRACKING), WITH_STATE);
    }

    #[test]
    fn rows_end_with_a_form_of_their_own() {
        let ok = OkPacket::decode(END_OF_ROWS, PLAIN).unwrap();
        assert_eq!(ok, OkPacket { status: StatusFlags::AUTOCOMMIT, ..OkPacket::default() });
        let mut out = BytesMut::new();
        ok.encode_end_of_rows(&mut out, PLAIN);
        assert_eq!(out, END_OF_ROWS);
    }

    #[test]
    fn counts_and_text_come_back() {
        let ok = OkPacket {
            affected_rows: 300,
            last_insert_id: 70_000,
            status: StatusFlags::IN_TRANSACTION | StatusFlags::MORE_RESULTS,
            warnings: 2,
            info: b"Rows matched: 300",
            session_state: b"",
        };
        for capabilities in [PLAIN, TRACKING] {
            assert_eq!(OkPacket::decode(&encoded(ok, capabilities), capabilities), Ok(ok));
        }
    }

    #[test]
    fn text_without_a_length_is_understood() {
        let by_the_book = b"\0\0\0\x02\0\0\0Rows matched: 1";
        assert_eq!(
            OkPacket::decode(by_the_book, PLAIN).map(|ok| ok.info),
            Ok(&b"Rows matched: 1"[..])
        );
    }

    #[test]
    fn cut_or_other_packets_are_refused() {
        cuts::are_refused(END_OF_ROWS, |bytes| OkPacket::decode(bytes, PLAIN).map(|ok| ok.status));
        for cut in (0..WITH_STATE.len()).filter(|cut| ![7, 8].contains(cut)) {
            assert!(OkPacket::decode(&WITH_STATE[..cut], TRACKING).is_err(), "cut at {cut}");
        }
        assert!(OkPacket::decode(b"\xff\x15\x04#28000no", PLAIN).is_err());
    }
}
