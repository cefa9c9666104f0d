//! One more message of an authentication method.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_auth_more_data.html>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

/// What the server's side of the method says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthMoreData<'a>(pub &'a [u8]);

impl<'a> AuthMoreData<'a> {
    pub const MARK: u8 = 0x01;

    /// # Errors
    /// A violation if it is no such message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a message of an authentication method");
        match reader.u8()? {
            Self::MARK => Ok(Self(reader.rest())),
            _ => Err(reader.malformed()),
        }
    }

    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(Self::MARK);
        out.put_slice(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_anything() {
        for message in [&[][..], &[3], b"-----BEGIN PUBLIC KEY-----"] {
            let mut out = BytesMut::new();
            AuthMoreData(message).encode(&mut out);
            assert_eq!(AuthMoreData::decode(&out), Ok(AuthMoreData(message)));
        }
        assert!(AuthMoreData::decode(&[]).is_err());
        assert!(AuthMoreData::decode(&[0, 3]).is_err());
    }
}
