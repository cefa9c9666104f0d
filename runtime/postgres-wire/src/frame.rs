//! Cuts the stream into messages.
//!
//! ```text
//! message   tag (1) | length (4), which counts itself | payload
//! packet              length (4), which counts itself | payload
//! ```
//! The first packets of a client have no tag; everything else is a message.
//!
//! <https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS>

use bytes::{Buf, BufMut, BytesMut};
use tidegate_wire::Violation;

/// One byte of tag, four of length.
pub const HEADER_LEN: usize = 5;

/// The length counts itself.
const LENGTH_LEN: usize = 4;

/// The longest payload that a length can tell.
const PAYLOAD_MAX: usize = (i32::MAX as usize) - LENGTH_LEN;

/// What stands before the payload of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind of the message. The two directions have tags of their own.
    pub tag: u8,
    /// Bytes of the payload.
    pub len: usize,
}

impl Header {
    /// # Errors
    /// A violation if the length is not one that can be.
    pub fn decode([tag, a, b, c, d]: [u8; HEADER_LEN]) -> Result<Self, Violation> {
        payload_len([a, b, c, d]).map(|len| Self { tag, len })
    }

    /// For a message whose payload is written, or forwarded, apart from it.
    #[must_use]
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let [a, b, c, d] = length(self.len);
        [self.tag, a, b, c, d]
    }
}

/// A whole message.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub tag: u8,
    pub payload: BytesMut,
}

/// The next whole message of `buf`; `None` if more bytes are needed.
///
/// For logins, and for what must be looked at whole. Bytes that are only passed on are cut by their
/// [`Header`]s instead. Nothing is reserved for what a header claims: `buf` grows by what has really
/// come.
///
/// # Errors
/// A violation if the payload is longer than `max` bytes, or its length cannot be. The stream is
/// lost then.
pub fn next_message(buf: &mut BytesMut, max: usize) -> Result<Option<Message>, Violation> {
    let Some(header) = buf.first_chunk() else { return Ok(None) };
    let Header { tag, len } = Header::decode(*header)?;
    let payload = cut(buf, HEADER_LEN, len, "a message", max)?;
    Ok(payload.map(|payload| Message { tag, payload }))
}

/// The payload of the next whole packet of `buf`; `None` if more bytes are needed.
///
/// # Errors
/// As [`next_message`].
pub fn next_packet(buf: &mut BytesMut, max: usize) -> Result<Option<BytesMut>, Violation> {
    let Some(length) = buf.first_chunk() else { return Ok(None) };
    let len = payload_len(*length)?;
    cut(buf, LENGTH_LEN, len, "a startup packet", max)
}

/// Writes the message whose payload `encode` puts behind what is in `out`.
pub fn write_with(out: &mut BytesMut, tag: u8, encode: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    write_packet_with(out, encode);
}

/// Writes a message without a payload.
pub fn write_empty(out: &mut BytesMut, tag: u8) {
    out.put_slice(&Header { tag, len: 0 }.encode());
}

/// Writes a packet: what has no tag.
pub(crate) fn write_packet_with(out: &mut BytesMut, encode: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_slice(&[0; LENGTH_LEN]);
    encode(out);
    let len = out.len() - start - LENGTH_LEN;
    out[start..start + LENGTH_LEN].copy_from_slice(&length(len));
}

fn payload_len(length: [u8; LENGTH_LEN]) -> Result<usize, Violation> {
    let len = usize::try_from(i32::from_be_bytes(length)).ok();
    let len = len.and_then(|len| len.checked_sub(LENGTH_LEN));
    len.ok_or(Violation::Malformed { what: "the length of a message" })
}

fn length(payload_len: usize) -> [u8; LENGTH_LEN] {
    assert!(payload_len <= PAYLOAD_MAX, "what is written is made of messages that were bounded");
    let [.., a, b, c, d] = (payload_len + LENGTH_LEN).to_be_bytes();
    [a, b, c, d]
}

fn cut(
    buf: &mut BytesMut,
    header_len: usize,
    len: usize,
    what: &'static str,
    max: usize,
) -> Result<Option<BytesMut>, Violation> {
    if len > max {
        return Err(Violation::TooLong { what, len: len as u64, max: max as u64 });
    }
    if buf.len() < header_len + len {
        return Ok(None);
    }
    buf.advance(header_len);
    Ok(Some(buf.split_to(len)))
}

#[cfg(test)]
mod tests;
