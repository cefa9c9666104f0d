//! The client wants to go on with TLS: the head of its response, sent alone and in clear.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_ssl_request.html>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use crate::capabilities::Capabilities;

/// Bytes that say nothing; MariaDB uses the last four.
const RESERVED: usize = 19;

/// The head of a response; alone, and with [`Capabilities::SSL`], a request for TLS.
///
/// It is not answered: the client's next bytes are its TLS handshake, and may have come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SslRequest {
    pub capabilities: Capabilities,
    pub max_packet: u32,
    pub collation: u8,
}

impl SslRequest {
    /// A response that is longer holds a user.
    pub const LEN: usize = 32;

    /// Whether this client's packet asks for TLS.
    #[must_use]
    pub fn is(payload: &[u8]) -> bool {
        let flags = payload.first_chunk().map_or(0, |low| u32::from_le_bytes(*low));
        payload.len() == Self::LEN
            && Capabilities::from_halves(flags, 0).contains(Capabilities::SSL)
    }

    /// # Errors
    /// A violation if it is not [`Self::LEN`] bytes, or from before protocol 4.1.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a request for TLS");
        let head = Self::read(&mut reader)?;
        match reader.is_empty() {
            true => Ok(head),
            false => Err(reader.malformed()),
        }
    }

    pub fn encode(&self, out: &mut BytesMut) {
        out.put_slice(&self.capabilities.low_bytes());
        out.put_u32_le(self.max_packet);
        out.put_u8(self.collation);
        out.put_slice(&[0; RESERVED]);
        out.put_slice(&self.capabilities.extended_bytes());
    }

    /// Reads what a request for TLS and a response have in common.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        // The older response has the flags in its first two bytes, and is shorter than this head.
        let flags = reader.peek().first_chunk().map_or(0, |low| u16::from_le_bytes(*low));
        let flags = Capabilities::from_bits_retain(u64::from(flags));
        if reader.remaining() >= 2 && !flags.contains(Capabilities::PROTOCOL_41) {
            return Err(Violation::Unexpected { what: "client without protocol 4.1" });
        }
        let low = reader.u32_le()?;
        let max_packet = reader.u32_le()?;
        let collation = reader.u8()?;
        reader.take(RESERVED)?;
        let capabilities = Capabilities::from_halves(low, reader.u32_le()?);
        Ok(Self { capabilities, max_packet, collation })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cuts;
    use super::*;

    fn request(capabilities: Capabilities) -> BytesMut {
        let mut out = BytesMut::new();
        SslRequest { capabilities, max_packet: 1 << 24, collation: 45 }.encode(&mut out);
        out
    }

    #[test]
    fn is_told_from_a_response_by_length_and_flag() {
        let with_tls = request(Capabilities::PROTOCOL_41 | Capabilities::SSL);
        assert_eq!(with_tls.len(), SslRequest::LEN);
        assert!(SslRequest::is(&with_tls));
        assert!(!SslRequest::is(&request(Capabilities::PROTOCOL_41)));
        assert!(!SslRequest::is(&[&with_tls[..], b"root\0"].concat()));
        assert!(!SslRequest::is(&with_tls[..31]));
    }

    #[test]
    fn comes_back_as_it_was() {
        let capabilities =
            Capabilities::PROTOCOL_41 | Capabilities::SSL | Capabilities::CACHE_METADATA;
        let decoded = SslRequest::decode(&request(capabilities)).unwrap();
        assert_eq!(decoded, SslRequest { capabilities, max_packet: 1 << 24, collation: 45 });
    }

    #[test]
    fn cut_or_older_requests_are_refused() {
        cuts::are_refused(&request(Capabilities::PROTOCOL_41), SslRequest::decode);
        let old = SslRequest::decode(&request(Capabilities::SSL)).unwrap_err();
        assert_eq!(old, Violation::Unexpected { what: "client without protocol 4.1" });
    }
}
