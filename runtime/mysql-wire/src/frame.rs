//! Cuts the stream into packets, and packets into what fits a header.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

use bytes::{Buf, BufMut, BytesMut};
use tidegate_wire::Violation;

/// Three bytes of length, one of sequence.
pub const HEADER_LEN: usize = 4;

/// The longest part. A part of exactly this length is followed by another one, be it empty.
pub const PAYLOAD_MAX: usize = 0xff_ffff;

/// What stands before each part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// At most [`PAYLOAD_MAX`].
    pub len: usize,
    /// Counts up within an exchange, and from 255 to 0.
    pub sequence: u8,
}

impl Header {
    #[must_use]
    pub fn decode([a, b, c, sequence]: [u8; HEADER_LEN]) -> Self {
        let len = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        Self { len, sequence }
    }

    /// `len` must be at most [`PAYLOAD_MAX`].
    #[must_use]
    pub fn encode(self) -> [u8; HEADER_LEN] {
        debug_assert!(self.len <= PAYLOAD_MAX);
        let [a, b, c, ..] = self.len.to_le_bytes();
        [a, b, c, self.sequence]
    }

    /// Whether the packet goes on in another part.
    #[must_use]
    pub fn continues(self) -> bool {
        self.len == PAYLOAD_MAX
    }
}

/// A whole packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    /// Of its last part.
    pub sequence: u8,
    pub payload: BytesMut,
}

/// Cuts whole packets from a buffer, and joins the parts of long ones.
///
/// For handshakes and commands that must be looked at. Bytes that are only passed on are cut by
/// their [`Header`]s instead and never joined.
#[derive(Debug)]
pub struct Packets {
    max: usize,
    joined: BytesMut,
    /// The sequence that the next part must have, once there was a first part.
    next_part: Option<u8>,
}

impl Packets {
    /// Refuses packets with a payload of more than `max` bytes, all their parts together.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, joined: BytesMut::new(), next_part: None }
    }

    /// The next whole packet of `buf`; `None` if more bytes are needed.
    ///
    /// Nothing is reserved for what a header claims: `buf` grows by what has really come.
    ///
    /// # Errors
    /// A violation if the packet is longer than allowed, or its parts are out of order. The
    /// stream is lost then.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Option<Packet>, Violation> {
        while let Some(header) = buf.first_chunk().copied().map(Header::decode) {
            self.check(header)?;
            if buf.len() < HEADER_LEN + header.len {
                return Ok(None);
            }
            buf.advance(HEADER_LEN);
            let part = buf.split_to(header.len);
            if let Some(packet) = self.join(header, part) {
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }

    fn check(&self, header: Header) -> Result<(), Violation> {
        let len = self.joined.len() + header.len;
        if len > self.max {
            let (len, max) = (len as u64, self.max as u64);
            return Err(Violation::TooLong { what: "a packet", len, max });
        }
        match self.next_part {
            Some(expected) if expected != header.sequence => {
                Err(Violation::OutOfOrder { expected, got: header.sequence })
            }
            _ => Ok(()),
        }
    }

    fn join(&mut self, header: Header, part: BytesMut) -> Option<Packet> {
        let sequence = header.sequence;
        if header.continues() {
            self.joined.unsplit(part);
            self.next_part = Some(sequence.wrapping_add(1));
            return None;
        }
        let payload = match self.next_part.take() {
            None => part,
            Some(_) => {
                self.joined.unsplit(part);
                std::mem::take(&mut self.joined)
            }
        };
        Some(Packet { sequence, payload })
    }
}

/// Writes one packet, in as many parts as it needs, and leaves the number of the next one in
/// `sequence`.
pub fn write(out: &mut BytesMut, sequence: &mut u8, payload: &[u8]) {
    let mut parts = payload.chunks_exact(PAYLOAD_MAX);
    for part in &mut parts {
        write_part(out, sequence, part);
    }
    // Empty after full parts: that is how the receiver knows that there is no more.
    write_part(out, sequence, parts.remainder());
}

/// Writes the packet that `encode` puts behind what is in `out`.
pub fn write_with(out: &mut BytesMut, sequence: &mut u8, encode: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_slice(&[0; HEADER_LEN]);
    encode(out);
    let len = out.len() - start - HEADER_LEN;
    if len >= PAYLOAD_MAX {
        let whole = out.split_off(start);
        return write(out, sequence, &whole[HEADER_LEN..]);
    }
    let header = Header { len, sequence: *sequence }.encode();
    out[start..start + HEADER_LEN].copy_from_slice(&header);
    *sequence = sequence.wrapping_add(1);
}

fn write_part(out: &mut BytesMut, sequence: &mut u8, part: &[u8]) {
    out.put_slice(&Header { len: part.len(), sequence: *sequence }.encode());
    out.put_slice(part);
    *sequence = sequence.wrapping_add(1);
}

#[cfg(test)]
mod tests;
