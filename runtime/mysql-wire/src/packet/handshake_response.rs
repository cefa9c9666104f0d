//! Who the client is, and its proof.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use std::fmt;

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::SslRequest;
use crate::capabilities::Capabilities;
use crate::lenenc;

/// No more attributes of a client than this are kept; what is over is passed over.
pub const ATTRIBUTES_MAX: usize = 32;

/// Names and values that are longer than this are passed over too, in bytes.
const ATTRIBUTE_LEN_MAX: usize = 256;

/// MariaDB allows 128 characters of up to four bytes for a user, and nobody allows more.
const NAME_LEN_MAX: usize = 512;

/// The response of a client that speaks protocol 4.1.
#[derive(Clone, PartialEq, Eq)]
pub struct HandshakeResponse {
    /// What the client can do and wants to. The fields that follow are laid out by it.
    pub capabilities: Capabilities,
    /// The longest packet that the client takes, in bytes.
    pub max_packet: u32,
    pub collation: u8,
    pub user: String,
    /// What [`Self::method`] makes of the password and the nonce. At most 255 bytes without
    /// [`Capabilities::PLUGIN_AUTH_LENENC`].
    pub proof: Vec<u8>,
    /// Never empty.
    pub database: Option<String>,
    /// Absent without [`Capabilities::PLUGIN_AUTH`]; the method is native then.
    pub method: Option<String>,
    /// What the client says about itself, such as the name of its program.
    pub attributes: Vec<(String, String)>,
    /// How hard the client wants its replies compressed, with [`Capabilities::ZSTD_COMPRESSION`];
    /// 0 where it does not say.
    pub zstd_level: u8,
}

impl HandshakeResponse {
    /// # Errors
    /// A violation if it is cut short, from before protocol 4.1, or if a name in it is not UTF-8:
    /// two names that are not must never be taken for the same one.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a handshake response");
        let SslRequest { capabilities, max_packet, collation } = SslRequest::read(&mut reader)?;
        let has = |flag| capabilities.contains(flag);
        let user = name(reader.until_nul()?, "a user name")?;
        let proof = read_proof(&mut reader, capabilities)?.to_vec();
        let database = match has(Capabilities::CONNECT_WITH_DB) {
            true => Some(name(reader.until_nul()?, "a database name")?),
            false => None,
        };
        let method = match has(Capabilities::PLUGIN_AUTH) {
            true => Some(read_method(&mut reader)?),
            false => None,
        };
        let attributes = match has(Capabilities::CONNECT_ATTRS) {
            true => read_attributes(lenenc::read_bytes(&mut reader)?)?,
            false => Vec::new(),
        };
        let zstd_level = match has(Capabilities::ZSTD_COMPRESSION) {
            true => reader.peek().first().copied().unwrap_or_default(),
            false => 0,
        };
        let database = database.filter(|database| !database.is_empty());
        Ok(Self {
            capabilities,
            max_packet,
            collation,
            user,
            proof,
            database,
            method,
            attributes,
            zstd_level,
        })
    }

    /// Writes the fields whose capabilities are set; the others are left out.
    pub fn encode(&self, out: &mut BytesMut) {
        let Self { capabilities, max_packet, collation, .. } = *self;
        SslRequest { capabilities, max_packet, collation }.encode(out);
        put_text(out, &self.user);
        self.encode_proof(out);
        if self.capabilities.contains(Capabilities::CONNECT_WITH_DB) {
            put_text(out, self.database.as_deref().unwrap_or_default());
        }
        if self.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            put_text(out, self.method.as_deref().unwrap_or_default());
        }
        if self.capabilities.contains(Capabilities::CONNECT_ATTRS) {
            write_attributes(out, &self.attributes);
        }
        if self.capabilities.contains(Capabilities::ZSTD_COMPRESSION) {
            out.put_u8(self.zstd_level);
        }
    }

    fn encode_proof(&self, out: &mut BytesMut) {
        if self.capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC) {
            return lenenc::write_bytes(out, &self.proof);
        }
        let len = u8::try_from(self.proof.len()).unwrap_or(u8::MAX);
        out.put_u8(len);
        out.put_slice(&self.proof[..usize::from(len)]);
    }
}

/// The proof is left out: with some methods it is the password.
impl fmt::Debug for HandshakeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeResponse")
            .field("capabilities", &self.capabilities)
            .field("collation", &self.collation)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

fn read_proof<'a>(
    reader: &mut Reader<'a>,
    capabilities: Capabilities,
) -> Result<&'a [u8], Violation> {
    if capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC) {
        return lenenc::read_bytes(reader);
    }
    let len = reader.u8()?;
    reader.take(usize::from(len))
}

/// Some drivers forget the NUL if nothing follows, or the whole name; servers bear with it.
pub(super) fn read_method(reader: &mut Reader<'_>) -> Result<String, Violation> {
    let bytes = reader.until_nul().unwrap_or_else(|_| reader.rest());
    name(bytes, "the name of an authentication method")
}

pub(super) fn read_attributes(bytes: &[u8]) -> Result<Vec<(String, String)>, Violation> {
    let mut reader = Reader::new(bytes, "the attributes of a connection");
    let mut attributes = Vec::new();
    while !reader.is_empty() {
        let key = lenenc::read_bytes(&mut reader)?;
        let value = lenenc::read_bytes(&mut reader)?;
        let kept = attributes.len() < ATTRIBUTES_MAX
            && key.len() <= ATTRIBUTE_LEN_MAX
            && value.len() <= ATTRIBUTE_LEN_MAX;
        if kept {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            attributes.push((text(key), text(value)));
        }
    }
    Ok(attributes)
}

pub(super) fn name(bytes: &[u8], what: &'static str) -> Result<String, Violation> {
    if bytes.len() > NAME_LEN_MAX {
        let (len, max) = (bytes.len() as u64, NAME_LEN_MAX as u64);
        return Err(Violation::TooLong { what, len, max });
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| Violation::Malformed { what })
}

pub(super) fn write_attributes(out: &mut BytesMut, attributes: &[(String, String)]) {
    let mut pairs = Vec::new();
    for (key, value) in attributes {
        lenenc::write_bytes(&mut pairs, key.as_bytes());
        lenenc::write_bytes(&mut pairs, value.as_bytes());
    }
    lenenc::write_bytes(out, &pairs);
}

pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    out.put_slice(text.as_bytes());
    out.put_u8(0);
}

#[cfg(test)]
mod tests;
