//! The server wants another authentication method than the client took.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_auth_switch_request.html>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

/// The method of servers before 4.1, which is asked for without its name.
const OLD_PASSWORD: &str = "mysql_old_password";

/// A request to start again with `method`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSwitchRequest {
    pub method: String,
    /// What the method starts from: mostly a nonce and a NUL.
    pub data: Vec<u8>,
}

impl AuthSwitchRequest {
    pub const MARK: u8 = 0xfe;

    /// # Errors
    /// A violation if it is no such request, or cut short.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a request for another authentication method");
        if reader.u8()? != Self::MARK {
            return Err(reader.malformed());
        }
        if reader.is_empty() {
            return Ok(Self { method: OLD_PASSWORD.to_owned(), data: Vec::new() });
        }
        let method = String::from_utf8_lossy(reader.until_nul()?).into_owned();
        Ok(Self { method, data: reader.rest().to_vec() })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(Self::MARK);
        out.put_slice(self.method.as_bytes());
        out.put_u8(0);
        out.put_slice(&self.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MariaDB 10.11 about a user with another method; its nonce has 32 bytes.
    const CAPTURED: &[u8] =
        b"\xfeclient_ed25519\0\x16LI\xc4\xefC\x01\xb6bA\xef\xddr\x89\x1e\xfd\x91\xcd\
        \xa7\x19\xeaD\x10\xb48\x02mR\xba\x19\x10J";

    #[test]
    fn comes_back_as_it_was() {
        let request = AuthSwitchRequest::decode(CAPTURED).unwrap();
        assert_eq!((request.method.as_str(), request.data.len()), ("client_ed25519", 32));
        let mut out = BytesMut::new();
        request.encode(&mut out);
        assert_eq!(out, CAPTURED);
    }

    #[test]
    fn the_oldest_method_has_no_name() {
        let request = AuthSwitchRequest::decode(&[0xfe]).unwrap();
        assert_eq!((request.method.as_str(), request.data.len()), ("mysql_old_password", 0));
    }

    #[test]
    fn a_cut_name_is_refused() {
        for cut in (0..16).filter(|cut| *cut != 1) {
            assert!(AuthSwitchRequest::decode(&CAPTURED[..cut]).is_err(), "cut at {cut}");
        }
        assert!(AuthSwitchRequest::decode(b"\0client_ed25519\0").is_err());
    }
}
