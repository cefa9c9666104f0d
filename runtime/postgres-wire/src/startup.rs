//! What a client may send before anything else: packets without a tag.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>

mod startup_message;

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

pub use startup_message::StartupMessage;

use crate::cancel_key::CancelKey;
use crate::frame;
use crate::text;
use crate::version::ProtocolVersion;

/// No packet is longer, in bytes, and no server takes longer ones.
pub const PACKET_MAX: usize = 10_000;

/// In the place of a version, what is no version.
const CANCEL_REQUEST: u32 = 1234 << 16 | 5678;
const SSL_REQUEST: u32 = 1234 << 16 | 5679;
const GSSENC_REQUEST: u32 = 1234 << 16 | 5680;

/// The answer to a request for encryption: go on with it. A single byte, no message.
pub const ENCRYPTION_ACCEPTED: u8 = b'S';
/// The answer to a request for encryption: go on without it.
pub const ENCRYPTION_DECLINED: u8 = b'N';

/// The first byte of a client that begins with TLS at once, without a request for it. No packet
/// begins so: it would be too long.
pub const TLS_RECORD: u8 = 0x16;
/// What both sides of TLS have to agree on by ALPN, where it begins without a request.
pub const ALPN: &[u8] = b"postgresql";

/// One of the first packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartupPacket {
    /// The client would like TLS. It waits for a byte that says yes or no.
    SslRequest,
    /// The client would like encryption by GSSAPI. The same.
    GssEncRequest,
    /// Cancel what runs in another session. It is not answered.
    Cancel(CancelKey),
    Startup(StartupMessage),
    /// A version of which only the number can be understood.
    Unsupported(ProtocolVersion),
}

impl StartupPacket {
    /// # Errors
    /// A violation if it is none of them.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a startup packet");
        let packet = match reader.u32_be()? {
            SSL_REQUEST => Self::SslRequest,
            GSSENC_REQUEST => Self::GssEncRequest,
            CANCEL_REQUEST => Self::Cancel(CancelKey::read(&mut reader)?),
            code => match ProtocolVersion::from_u32(code) {
                version @ ProtocolVersion { major: 3, .. } => {
                    Self::Startup(StartupMessage::read(version, &mut reader)?)
                }
                version => return Ok(Self::Unsupported(version)),
            },
        };
        text::end(&reader).map(|()| packet)
    }
}

/// Asks a server for TLS.
pub fn request_tls(out: &mut BytesMut) {
    frame::write_packet_with(out, |out| out.put_u32(SSL_REQUEST));
}

/// Asks a server to cancel what runs in the session that has this key. Sent on a connection of its
/// own, which the server closes.
pub fn request_cancel(key: &CancelKey, out: &mut BytesMut) {
    frame::write_packet_with(out, |out| {
        out.put_u32(CANCEL_REQUEST);
        key.write(out);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuts;

    fn decode(bytes: &[u8]) -> StartupPacket {
        let mut buf = BytesMut::from(bytes);
        let payload = frame::next_packet(&mut buf, PACKET_MAX).unwrap().unwrap();
        StartupPacket::decode(&payload).unwrap()
    }

    #[test]
    fn requests_for_encryption_are_eight_bytes() {
        let mut out = BytesMut::new();
        request_tls(&mut out);
        assert_eq!(out, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..]);
        assert_eq!(decode(&out), StartupPacket::SslRequest);
        assert_eq!(decode(b"\0\0\0\x08\x04\xd2\x16\x30"), StartupPacket::GssEncRequest);
        assert!(StartupPacket::decode(b"\x04\xd2\x16\x2f\0").is_err());
    }

    #[test]
    fn a_request_to_cancel_brings_a_key_of_any_version() {
        for secret in [&b"abcd"[..], &[9; 32]] {
            let key = CancelKey::new(4711, secret).unwrap();
            let mut out = BytesMut::new();
            request_cancel(&key, &mut out);
            assert_eq!(&out[4..12], b"\x04\xd2\x16\x2e\0\0\x12\x67");
            assert_eq!(decode(&out), StartupPacket::Cancel(key));
        }
        cuts::are_refused(b"\x04\xd2\x16\x2e\0\0\x12\x67abcd", StartupPacket::decode);
    }

    #[test]
    fn other_protocols_are_told_by_their_number() {
        let version = ProtocolVersion { major: 2, minor: 0 };
        assert_eq!(
            StartupPacket::decode(b"\0\x02\0\0database and more"),
            Ok(StartupPacket::Unsupported(version))
        );
        assert!(matches!(
            StartupPacket::decode(b"HTTP/1.1 and so on"),
            Ok(StartupPacket::Unsupported(_))
        ));
    }

    #[test]
    fn tls_and_other_protocols_are_no_packets() {
        for first in [&[TLS_RECORD, 3, 1, 2, 0, 1][..], b"GET / HTTP/1.1\r\n\r\n"] {
            assert!(frame::next_packet(&mut BytesMut::from(first), PACKET_MAX).is_err());
        }
    }
}
