//! A statement is done, and what it was.

use bytes::BytesMut;
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

/// A `CommandComplete`: words, and a number of rows behind some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandComplete<'a>(pub &'a [u8]);

impl<'a> CommandComplete<'a> {
    /// # Errors
    /// A violation if its text does not end with the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "the tag of a command");
        let words = reader.until_nul()?;
        text::end(&reader).map(|()| Self(words))
    }

    /// Rows that were changed; 0 if it only reads, or counts none.
    #[must_use]
    pub fn changed_rows(&self) -> u64 {
        let mut words = self.0.split(|byte| *byte == b' ');
        let changes = words.next().is_some_and(|verb| {
            [&b"INSERT"[..], b"UPDATE", b"DELETE", b"MERGE", b"COPY"].contains(&verb)
        });
        let count = words.next_back().filter(|_| changes);
        let count = count.and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
        count.unwrap_or(0)
    }

    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_with(out, tag::backend::COMMAND_COMPLETE, |out| text::put(out, self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;
    use crate::cuts;

    #[test]
    fn comes_back_as_it_was() {
        let bytes = b"INSERT 0 5\0";
        let complete = CommandComplete::decode(bytes).unwrap();
        assert_eq!(payload(|out| complete.encode(out)), bytes);
        cuts::are_refused(bytes, CommandComplete::decode);
    }

    #[test]
    fn changes_are_counted_and_reads_are_not() {
        for (words, rows) in [
            (&b"INSERT 0 5"[..], 5),
            (b"UPDATE 18446744073709551615", u64::MAX),
            (b"MERGE 3", 3),
            (b"COPY 7", 7),
            (b"SELECT 100", 0),
            (b"FETCH 4", 0),
            (b"CREATE TABLE", 0),
            (b"UPDATE", 0),
            (b"UPDATE x", 0),
            (b"", 0),
        ] {
            assert_eq!(CommandComplete(words).changed_rows(), rows, "{}", words.escape_ascii());
        }
    }
}
