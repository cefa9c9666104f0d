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

/// MariaDB puts this before its real version, for clients that trusted the first digit.
const REPLICATION_PREFIX: &str = "5.5.5-";

/// The greeting of a server that speaks protocol 4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// As sent; see [`Self::plain_version`].
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
            return Err(Violation::Unexpected {
                what: "protocol version of the server",
            });
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
            return Err(Violation::Unexpected {
                what: "server without protocol 4.1",
            });
        }
        let nonce = read_nonce(&mut reader, nonce_head, nonce_len)?;
        let method = match capabilities.contains(Capabilities::PLUGIN_AUTH) {
            true => String::from_utf8_lossy(reader.until_nul()?).into_owned(),
            false => String::new(),
        };
        Ok(Self {
            server_version,
            connection_id,
            nonce,
            capabilities,
            collation,
            status,
            method,
        })
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

    /// The version without what MariaDB puts before it.
    #[must_use]
    pub fn plain_version(&self) -> &str {
        self.server_version
            .strip_prefix(REPLICATION_PREFIX)
            .unwrap_or(&self.server_version)
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
