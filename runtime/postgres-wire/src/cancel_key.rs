//! What a server gives to a client so that it can have its statements cancelled.

use std::fmt;

use bytes::{BufMut, BytesMut};
use subtle::ConstantTimeEq;
use tidegate_wire::{Reader, Violation};
use zeroize::Zeroizing;

use crate::frame;
use crate::version::ProtocolVersion;

/// Of a secret, in bytes. PostgreSQL itself makes them of 4, and of 32 since 18.
const SECRET_LEN_MIN: usize = 4;
const SECRET_LEN_MAX: usize = 256;

/// A number that says which session, and a secret that proves the right to it.
#[derive(Clone)]
pub struct CancelKey {
    pub process_id: u32,
    secret: Zeroizing<Vec<u8>>,
}

impl CancelKey {
    /// The tag of `BackendKeyData`.
    pub const TAG: u8 = b'K';

    /// A key of our own, for a client that speaks this version. `random` is new for each.
    #[must_use]
    pub fn generate(version: ProtocolVersion, process_id: u32, random: &[u8; 32]) -> Self {
        let len = if version.has_long_keys() { random.len() } else { SECRET_LEN_MIN };
        Self { process_id, secret: Zeroizing::new(random[..len].to_vec()) }
    }

    /// # Errors
    /// A violation if the secret has less than 4 or more than 256 bytes.
    pub fn new(process_id: u32, secret: &[u8]) -> Result<Self, Violation> {
        if secret.len() > SECRET_LEN_MAX {
            let (len, max) = (secret.len() as u64, SECRET_LEN_MAX as u64);
            return Err(Violation::TooLong { what: "a key for cancelling", len, max });
        }
        if secret.len() < SECRET_LEN_MIN {
            return Err(Violation::Truncated { what: "a key for cancelling" });
        }
        Ok(Self { process_id, secret: Zeroizing::new(secret.to_vec()) })
    }

    /// Reads `BackendKeyData`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        Self::read(&mut Reader::new(payload, "a key for cancelling"))
    }

    /// Writes `BackendKeyData`.
    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_with(out, Self::TAG, |out| self.write(out));
    }

    /// Reads what `BackendKeyData` and a request to cancel have in common.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let process_id = reader.u32_be()?;
        Self::new(process_id, reader.rest())
    }

    pub(crate) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.process_id);
        out.put_slice(&self.secret);
    }
}

/// Who measures the time of guesses learns nothing about the secret.
impl PartialEq for CancelKey {
    fn eq(&self, other: &Self) -> bool {
        self.process_id == other.process_id && bool::from(self.secret.ct_eq(&other.secret))
    }
}

impl Eq for CancelKey {}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelKey").field("process_id", &self.process_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was() {
        for len in [4, 32, 256] {
            let key = CancelKey::new(0x0102_0304, &vec![7; len]).unwrap();
            let mut out = BytesMut::new();
            key.encode(&mut out);
            assert_eq!(out[..5], [b'K', 0, 0, u8::from(len == 256), (8 + len).to_le_bytes()[0]]);
            assert_eq!(CancelKey::decode(&out[5..]).unwrap(), key);
        }
    }

    #[test]
    fn older_clients_get_short_ones() {
        let generate = |version| CancelKey::generate(version, 7, &[9; 32]);
        assert_eq!(generate(ProtocolVersion::V3_0), CancelKey::new(7, &[9; 4]).unwrap());
        assert_eq!(generate(ProtocolVersion::V3_2), CancelKey::new(7, &[9; 32]).unwrap());
    }

    #[test]
    fn secrets_have_a_length_that_makes_sense() {
        assert!(CancelKey::new(1, &[0; 3]).is_err());
        assert!(CancelKey::new(1, &[0; 257]).is_err());
        assert!(CancelKey::decode(&[0, 0, 0, 1, 2, 3, 4]).is_err());
        assert!(CancelKey::decode(&[0, 0]).is_err());
    }

    #[test]
    fn both_parts_must_be_right() {
        let key = |process_id, secret: &[u8]| CancelKey::new(process_id, secret).unwrap();
        assert_eq!(key(1, b"abcd"), key(1, b"abcd"));
        assert_ne!(key(1, b"abcd"), key(2, b"abcd"));
        assert_ne!(key(1, b"abcd"), key(1, b"abce"));
        assert_ne!(key(1, b"abcd"), key(1, b"abcde"));
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", CancelKey::new(9, b"abcd").unwrap());
        assert_eq!(shown, "CancelKey { process_id: 9, .. }");
    }
}
