//! Finding the packets of a reply in the bytes as they arrive.

use tidegate_wire::Violation;

use super::grammar::{Expect, Grammar, HEAD_MAX, Seen, Summary};
use crate::frame::{HEADER_LEN, Header, PAYLOAD_MAX};

/// How far a scan came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// So many bytes from the start belong to the reply and can be forwarded.
    pub forward: usize,
    pub reached: Reached,
}

/// Where a scan has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// In a packet, or before one whose head is not complete: more bytes are needed.
    More,
    /// Between two results, for a client that is told them one by one.
    NextResult,
    /// At the end of the reply.
    End,
}

/// Follows one reply. Its bytes are handed in as they come, and forwarded as they are.
#[derive(Clone, Debug)]
pub struct Scanner {
    grammar: Grammar,
    /// Bytes of the packet at hand that have not come yet.
    remaining: usize,
    /// The packet at hand filled its frame, so the next frame continues it.
    continues: bool,
    sequence: u8,
}

/// One frame whose head is complete, by its place in the bytes.
pub(super) struct Frame {
    pub(super) len: usize,
    /// It continues the frame before it.
    pub(super) continuation: bool,
    pub(super) seen: Seen,
}

impl Scanner {
    /// A scanner for the reply to a command. `sequence` is the number of its first packet: as many
    /// as the command had frames.
    #[must_use]
    pub fn new(expect: Expect, deprecate_eof: bool, sequence: u8) -> Self {
        let grammar = Grammar::new(expect, deprecate_eof);
        Self { grammar, remaining: 0, continues: false, sequence }
    }

    /// Looks at the bytes that were not forwarded yet.
    ///
    /// # Errors
    /// A [`Violation`] when the server's bytes cannot be a reply to the command. What came before
    /// it may have been forwarded already; the connection is of no more use.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Violation> {
        let mut at = 0;
        loop {
            let skipped = self.remaining.min(bytes.len() - at);
            self.remaining -= skipped;
            at += skipped;
            if self.remaining > 0 {
                return Ok(Scan { forward: at, reached: Reached::More });
            }
            if self.is_done() {
                return Ok(Scan { forward: at, reached: Reached::End });
            }
            at += self.rows(&bytes[at..]);
            match self.frame(&bytes[at..])? {
                Some(frame) => {
                    at += HEADER_LEN;
                    self.remaining = frame.len;
                }
                None => return Ok(Scan { forward: at, reached: Reached::More }),
            }
        }
    }

    /// The reply has ended and all its bytes were seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.remaining == 0 && !self.continues && self.grammar.is_done()
    }

    /// Nothing of a packet was forwarded whose end is still to come, so an ERR packet of our own
    /// could follow.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.remaining == 0 && !self.continues
    }

    /// The sequence number that the next packet must have.
    #[must_use]
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// A result has ended whole, and the reply goes on with another one.
    pub(super) fn between_results(&self) -> bool {
        self.at_boundary() && self.grammar.between_results()
    }

    /// What the reply has said so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.grammar.summary()
    }

    /// Skips the ordinary rows that lie whole in the bytes: the inner loop of a large result.
    fn rows(&mut self, bytes: &[u8]) -> usize {
        if self.continues || !self.grammar.in_rows() {
            return 0;
        }
        let (mut at, mut rows) = (0, 0);
        while let Some(&[a, b, c, sequence, first]) = bytes.get(at..at + HEADER_LEN + 1) {
            let len = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            let end = at + HEADER_LEN + len;
            let ordinary = first < 0xfe && len > 0 && len < PAYLOAD_MAX;
            if !ordinary || sequence != self.sequence || end > bytes.len() {
                break;
            }
            self.sequence = sequence.wrapping_add(1);
            (at, rows) = (end, rows + 1);
        }
        self.grammar.add_rows(rows);
        at
    }

    /// Takes the frame at the start of the bytes, if enough of it has come to know it.
    pub(super) fn frame(&mut self, bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let Header { len, sequence } = Header::decode(*header);
        if sequence != self.sequence {
            return Err(Violation::OutOfOrder { expected: self.sequence, got: sequence });
        }
        let continuation = self.continues;
        let seen = if continuation {
            Seen::Other
        } else {
            let Some(head) = body.get(..len.min(HEAD_MAX)) else {
                return Ok(None);
            };
            self.grammar.packet(head, len)?
        };
        self.sequence = sequence.wrapping_add(1);
        self.continues = len == PAYLOAD_MAX;
        Ok(Some(Frame { len, continuation, seen }))
    }
}
