//! Bridging a client and a server of which only one knows `CLIENT_DEPRECATE_EOF`.
//!
//! The EOF after column definitions is dropped or made up, the packet that ends the rows changes
//! its form, and the sequence numbers after either are shifted. Rows are copied once, unread.

use bytes::{BufMut, BytesMut};
use tidegate_wire::Violation;

use super::grammar::{Expect, Seen, Summary};
use super::scan::{Scan, Scanner};
use crate::frame::{HEADER_LEN, Header};
use crate::status::StatusFlags;

/// No terminator is longer than this; what a server adds to it (session state) is bounded too.
const TERMINATOR_MAX: usize = 64 << 10;

/// Follows one reply and writes it anew for a client of the other kind.
#[derive(Clone, Debug)]
pub struct Translator {
    scanner: Scanner,
    /// The client leaves out EOF packets; the server does not. Or the other way round.
    client_deprecates: bool,
    sequence: u8,
    /// Bytes of the frame at hand that are still to be copied.
    remaining: usize,
}

impl Translator {
    /// For a client that deprecates EOF and a server that does not, or the reverse.
    #[must_use]
    pub fn new(expect: Expect, client_deprecates: bool) -> Self {
        let scanner = Scanner::new(expect, !client_deprecates);
        Self { scanner, client_deprecates, sequence: 1, remaining: 0 }
    }

    /// Translates what has come. [`Scan::forward`] is the number of bytes that were taken.
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
            if self.remaining > 0 || self.scanner.is_done() {
                return Ok(Scan { forward: at, done: self.remaining == 0 });
            }
            match self.frame(&bytes[at..], out)? {
                Some(taken) => at += taken,
                None => return Ok(Scan { forward: at, done: false }),
            }
        }
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
        let body = &bytes[HEADER_LEN..];
        let terminator = !frame.continuation && frame.seen == Seen::RowsEnd;
        let whole = terminator || frame.seen == Seen::ColumnsEnd || frame.seen == Seen::LastColumn;
        if whole && frame.len > body.len() {
            if terminator && frame.len > TERMINATOR_MAX {
                return Err(Violation::Malformed { what: "end of a result" });
            }
            // What must be seen whole has not come whole: look again when more is there.
            self.scanner = before;
            return Ok(None);
        }
        match frame.seen {
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
        if !self.client_deprecates {
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
