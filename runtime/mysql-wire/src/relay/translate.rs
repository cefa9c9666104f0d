//! Bridging a client and a server that number their packets differently: because only one of them
//! knows `CLIENT_DEPRECATE_EOF`, because the command had not as many frames for both, or because
//! the client's side is compressed.
//!
//! The EOF after column definitions is dropped or made up, the packet that ends the rows changes
//! its form, and all sequence numbers are written anew. Rows are copied once, unread.

use bytes::{BufMut, BytesMut};
use tidegate_wire::Violation;

use super::grammar::{Expect, Seen, Summary};
use super::scan::{Reached, Scan, Scanner};
use crate::frame::{HEADER_LEN, Header};
use crate::status::StatusFlags;

/// No terminator is longer than this; what a server adds to it (session state) is bounded too.
const TERMINATOR_MAX: usize = 64 << 10;

/// What is true of one side of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// It has agreed on `CLIENT_DEPRECATE_EOF`.
    pub deprecate_eof: bool,
    /// The number of the reply's first packet.
    pub sequence: u8,
    /// It is compressed. A server sends each result on its own then and numbers it from the
    /// compressed packet, and some clients insist on it.
    pub compressed: bool,
}

/// Follows one reply and writes it anew for a client of another kind.
#[derive(Clone, Debug)]
pub struct Translator {
    scanner: Scanner,
    client: Side,
    server_deprecates: bool,
    sequence: u8,
    /// Bytes of the frame at hand that are still to be copied.
    remaining: usize,
    /// The end of a result was told, and what follows it may begin.
    told_result: bool,
}

impl Translator {
    /// From what a server sends to what a client expects.
    #[must_use]
    pub fn new(expect: Expect, client: Side, server: Side) -> Self {
        Self {
            scanner: Scanner::new(expect, server.deprecate_eof, server.sequence),
            client,
            server_deprecates: server.deprecate_eof,
            sequence: client.sequence,
            remaining: 0,
            told_result: false,
        }
    }

    /// Translates what has come. [`Scan::forward`] is the number of bytes that were taken. At
    /// [`Reached::NextResult`] send what is there, then [`Self::number`] the next result.
    ///
    /// # Errors
    /// As [`Scanner::scan`].
    pub fn translate(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<Scan, Violation> {
        let mut at = 0;
        loop {
            let copied = self.remaining.min(bytes.len() - at);
            out.put_slice(&bytes[at..at + copied]);
            self.remaining -= copied;
            at += copied;
            if self.remaining > 0 {
                return Ok(Scan { forward: at, reached: Reached::More });
            }
            if self.scanner.is_done() {
                return Ok(Scan { forward: at, reached: Reached::End });
            }
            if self.client.compressed && self.scanner.between_results() && !self.told_result {
                self.told_result = true;
                return Ok(Scan { forward: at, reached: Reached::NextResult });
            }
            match self.frame(&bytes[at..], out)? {
                Some(taken) => at += taken,
                None => return Ok(Scan { forward: at, reached: Reached::More }),
            }
        }
    }

    /// Gives the next packet to the client its number.
    pub fn number(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// As [`Scanner::at_boundary`].
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.remaining == 0 && self.scanner.at_boundary()
    }

    /// The sequence number of the next packet to the client.
    #[must_use]
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// What the reply has said so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.scanner.summary()
    }

    fn frame(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<Option<usize>, Violation> {
        let before = self.scanner.clone();
        let Some(frame) = self.scanner.frame(bytes)? else {
            return Ok(None);
        };
        self.told_result = false;
        let body = &bytes[HEADER_LEN..];
        let translated = self.client.deprecate_eof != self.server_deprecates;
        let seen = if translated && !frame.continuation { frame.seen } else { Seen::Other };
        let terminator = seen == Seen::RowsEnd;
        let whole = terminator || seen == Seen::ColumnsEnd || seen == Seen::LastColumn;
        if whole && frame.len > body.len() {
            if terminator && frame.len > TERMINATOR_MAX {
                return Err(Violation::Malformed { what: "end of a result" });
            }
            // What must be seen whole has not come whole: look again when more is there.
            self.scanner = before;
            return Ok(None);
        }
        match seen {
            Seen::ColumnsEnd => return Ok(Some(HEADER_LEN + frame.len)),
            Seen::RowsEnd => {
                self.end(out);
                return Ok(Some(HEADER_LEN + frame.len));
            }
            Seen::LastColumn => {
                self.header(frame.len, out);
                out.put_slice(&body[..frame.len]);
                self.eof(out);
                return Ok(Some(HEADER_LEN + frame.len));
            }
            Seen::Other | Seen::Row => {}
        }
        self.header(frame.len, out);
        self.remaining = frame.len;
        Ok(Some(HEADER_LEN))
    }

    fn header(&mut self, len: usize, out: &mut BytesMut) {
        out.put_slice(&Header { len, sequence: self.sequence }.encode());
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn end(&mut self, out: &mut BytesMut) {
        if !self.client.deprecate_eof {
            return self.eof(out);
        }
        let status = self.status();
        self.header(7, out);
        out.put_slice(&[0xfe, 0, 0]);
        out.put_u16_le(status.bits());
        out.put_u16_le(0);
    }

    fn eof(&mut self, out: &mut BytesMut) {
        let status = self.status();
        self.header(5, out);
        out.put_slice(&[0xfe, 0, 0]);
        out.put_u16_le(status.bits());
    }

    fn status(&self) -> StatusFlags {
        self.scanner.summary().status.unwrap_or(StatusFlags::AUTOCOMMIT)
    }
}
