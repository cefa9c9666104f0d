//! The server has done what it was asked, and says whether a transaction is open.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

/// Whether a transaction is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// None is.
    Idle,
    /// One is.
    Open,
    /// One is, and has failed: nothing but its end is accepted.
    Failed,
}

/// A `ReadyForQuery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyForQuery(pub TransactionStatus);

impl ReadyForQuery {
    /// # Errors
    /// A violation if it is not one of three letters.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "the status of a transaction");
        let status = match reader.u8()? {
            b'I' => TransactionStatus::Idle,
            b'T' => TransactionStatus::Open,
            b'E' => TransactionStatus::Failed,
            _ => return Err(reader.malformed()),
        };
        text::end(&reader).map(|()| Self(status))
    }

    pub fn encode(&self, out: &mut BytesMut) {
        let letter = match self.0 {
            TransactionStatus::Idle => b'I',
            TransactionStatus::Open => b'T',
            TransactionStatus::Failed => b'E',
        };
        frame::write_with(out, tag::backend::READY_FOR_QUERY, |out| out.put_u8(letter));
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;

    #[test]
    fn every_status_is_a_letter() {
        for letter in [b"I", b"T", b"E"] {
            let ready = ReadyForQuery::decode(letter).unwrap();
            assert_eq!(payload(|out| ready.encode(out)), letter);
        }
        for wrong in [&b""[..], b"X", b"II"] {
            assert!(ReadyForQuery::decode(wrong).is_err());
        }
    }
}
