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
            return Ok(Self {
                method: OLD_PASSWORD.to_owned(),
                data: Vec::new(),
            });
        }
        let method = String::from_utf8_lossy(reader.until_nul()?).into_owned();
        Ok(Self {
            method,
            data: reader.rest().to_vec(),
        })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(Self::MARK);
        out.put_slice(self.method.as_bytes());
        out.put_u8(0);
        out.put_slice(&self.data);
    }
}
