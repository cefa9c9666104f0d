//! The server's first words: handshake version 10.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use crate::capabilities::Capabilities;
use crate::status::StatusFlags;

/// The length of the random bytes that a client mixes into the proof of its password.
pub const NONCE_LEN: usize = 20;

const VERSION: u8 = 10;

/// The nonce comes in two pieces, the first of this length.
const NONCE_HEAD: usize = 8;

const RESERVED: usize = 6;

/// The greeting of a server that speaks protocol 4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// As sent: with what MariaDB puts before it.
    pub server_version: String,
    pub connection_id: u32,
    pub nonce: [u8; NONCE_LEN],
    pub capabilities: Capabilities,
    pub collation: u8,
    pub status: StatusFlags,
    /// The authentication method that the server would like; empty without
    /// [`Capabilities::PLUGIN_AUTH`].
    pub method: String,
}

impl Greeting {
    /// # Errors
    /// A violation if it is cut short, or of a server without protocol 4.1.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a greeting");
        if reader.u8()? != VERSION {
            return Err(Violation::Unexpected { what: "protocol version of the server" });
        }
        let server_version = String::from_utf8_lossy(reader.until_nul()?).into_owned();
        let connection_id = reader.u32_le()?;
        let nonce_head: [u8; NONCE_HEAD] = reader.array()?;
        reader.take(1)?;
        let low = u32::from(reader.u16_le()?);
        let collation = reader.u8()?;
        let status = StatusFlags::from_bits_retain(reader.u16_le()?);
        let low = low | u32::from(reader.u16_le()?) << 16;
        let nonce_len = usize::from(reader.u8()?);
        reader.take(RESERVED)?;
        let capabilities = Capabilities::from_halves(low, reader.u32_le()?);
        if !capabilities.contains(Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION) {
            return Err(Violation::Unexpected { what: "server without protocol 4.1" });
        }
        let nonce = read_nonce(&mut reader, nonce_head, nonce_len)?;
        let method = match capabilities.contains(Capabilities::PLUGIN_AUTH) {
            true => String::from_utf8_lossy(reader.until_nul()?).into_owned(),
            false => String::new(),
        };
        Ok(Self { server_version, connection_id, nonce, capabilities, collation, status, method })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        let [low0, low1, high0, high1] = self.capabilities.low_bytes();
        let (nonce_head, nonce_tail) = self.nonce.split_at(NONCE_HEAD);
        out.put_u8(VERSION);
        out.put_slice(self.server_version.as_bytes());
        out.put_u8(0);
        out.put_u32_le(self.connection_id);
        out.put_slice(nonce_head);
        out.put_u8(0);
        out.put_slice(&[low0, low1]);
        out.put_u8(self.collation);
        out.put_u16_le(self.status.bits());
        out.put_slice(&[high0, high1]);
        // The nonce and a NUL, by a length that only servers with methods to choose from send.
        out.put_u8(if self.has_method() { 21 } else { 0 });
        out.put_slice(&[0; RESERVED]);
        out.put_slice(&self.capabilities.extended_bytes());
        out.put_slice(nonce_tail);
        out.put_u8(0);
        if self.has_method() {
            out.put_slice(self.method.as_bytes());
            out.put_u8(0);
        }
    }

    fn has_method(&self) -> bool {
        self.capabilities.contains(Capabilities::PLUGIN_AUTH)
    }
}

/// The rest of the nonce takes at least 13 bytes, a NUL included that belongs to no proof.
fn read_nonce(
    reader: &mut Reader<'_>,
    head: [u8; NONCE_HEAD],
    len: usize,
) -> Result<[u8; NONCE_LEN], Violation> {
    let tail: [u8; NONCE_LEN - NONCE_HEAD] = reader.array()?;
    reader.take(std::cmp::max(len.saturating_sub(NONCE_LEN), 1))?;
    let mut nonce = [0; NONCE_LEN];
    nonce[..NONCE_HEAD].copy_from_slice(&head);
    nonce[NONCE_HEAD..].copy_from_slice(&tail);
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::super::cuts;
    use super::*;

    /// MariaDB 10.11.
    const CAPTURED: &[u8] = b"\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0ggP;v_[,\0\xfe\xff\x08\
        \x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0f>An%ha,WRtr\0mysql_native_password\0";

    fn encoded(greeting: &Greeting) -> BytesMut {
        let mut out = BytesMut::new();
        greeting.encode(&mut out);
        out
    }

    #[test]
    fn comes_back_as_it_was() {
        let greeting = Greeting::decode(CAPTURED).unwrap();
        assert_eq!(greeting.server_version, "5.5.5-10.11.19-MariaDB-0+deb12u1");
        assert_eq!(greeting.connection_id, 5);
        assert_eq!(&greeting.nonce, b"ggP;v_[,f>An%ha,WRtr");
        assert_eq!(greeting.method, "mysql_native_password");
        assert_eq!((greeting.collation, greeting.status), (8, StatusFlags::AUTOCOMMIT));
        assert_eq!(encoded(&greeting), CAPTURED);
    }

    #[test]
    fn mariadb_tells_its_extended_capabilities() {
        let capabilities = Greeting::decode(CAPTURED).unwrap().capabilities;
        let extended = Capabilities::PROGRESS
            | Capabilities::STMT_BULK_OPERATIONS
            | Capabilities::EXTENDED_METADATA
            | Capabilities::CACHE_METADATA;
        assert!(capabilities.contains(extended | Capabilities::DEPRECATE_EOF));
        assert!(!capabilities.contains(Capabilities::LONG_PASSWORD));
        assert!(capabilities.contains(Capabilities::SSL));
    }

    #[test]
    fn a_server_without_methods_to_choose_from_names_none() {
        let mut greeting = Greeting::decode(CAPTURED).unwrap();
        greeting.capabilities.remove(Capabilities::PLUGIN_AUTH);
        greeting.method.clear();
        assert_eq!(Greeting::decode(&encoded(&greeting)), Ok(greeting));
    }

    #[test]
    fn cut_or_older_greetings_are_refused() {
        cuts::are_refused(CAPTURED, Greeting::decode);
        let version_9 = [&[9], &CAPTURED[1..]].concat();
        assert!(matches!(Greeting::decode(&version_9), Err(Violation::Unexpected { .. })));
        let mut old = Greeting::decode(CAPTURED).unwrap();
        old.capabilities.remove(Capabilities::PROTOCOL_41);
        assert!(matches!(Greeting::decode(&encoded(&old)), Err(Violation::Unexpected { .. })));
    }
}
