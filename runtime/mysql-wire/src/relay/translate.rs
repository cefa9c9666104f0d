//! Bridging a client and a server whose packets differ: because only one of them knows
//! `CLIENT_DEPRECATE_EOF` or what MariaDB adds, because the command had not as many frames for
//! both, or because the client's side is compressed.
//!
//! The EOF after column definitions is dropped or made up, the packet that ends the rows changes
//! its form, and all sequence numbers are written anew. Rows are copied once, unread.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::grammar::{Expect, Seen, Summary};
use super::scan::{Frame, Reached, Scan, Scanner, must_come_whole};
use super::side::Side;
use crate::capabilities::Capabilities;
use crate::frame::{self, HEADER_LEN, Header};
use crate::lenenc;
use crate::status::StatusFlags;

/// Inside compression, a frame that is not longer is written at once.
const TOGETHER_MAX: usize = 64 << 10;

/// Catalog, database, table, its real name, column, its real name: the strings that a definition
/// begins with.
const NAMES: usize = 6;

/// Follows one reply and writes it anew for a client of another kind.
#[derive(Clone, Debug)]
pub struct Translator {
    scanner: Scanner,
    client: Side,
    server: Side,
    sequence: u8,
    /// Bytes of the frame at hand that were written, its header among them.
    begun: usize,
    /// Bytes of the frame at hand that are still to be copied.
    remaining: usize,
    /// The end of a result was told, and what follows it may begin.
    told_result: bool,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Copied,
    Dropped,
    /// An EOF follows it.
    WithEof,
    /// The rows end in the other form.
    OtherEnd,
    /// Only a client that keeps definitions is told whether they are sent.
    Counted,
    /// A definition gets or loses the place for what only MariaDB knows about a column. An EOF may
    /// follow it.
    Defined {
        eof: bool,
    },
    Stripped,
}

impl Translator {
    /// From what a server sends to what a client expects. Definitions that a server leaves out
    /// cannot be made up: ask for [`Capabilities::CACHE_METADATA`] only where the client has.
    #[must_use]
    pub fn new(expect: Expect, client: Side, server: Side) -> Self {
        Self {
            scanner: Scanner::for_client(expect, &client, server),
            client,
            server,
            sequence: client.sequence(),
            begun: 0,
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
        let stop = |forward, reached| Ok(Scan { forward, reached });
        loop {
            let copied = self.remaining.min(bytes.len() - at);
            out.put_slice(&bytes[at..at + copied]);
            self.remaining -= copied;
            self.begun += copied;
            at += copied;
            if self.remaining > 0 {
                return stop(at, Reached::More);
            }
            if self.scanner.is_done() {
                return stop(at, Reached::End);
            }
            if self.scanner.wants_file() {
                return stop(at, Reached::File);
            }
            if self.client.is_compressed() && self.scanner.between_results() && !self.told_result {
                self.told_result = true;
                return stop(at, Reached::NextResult);
            }
            match self.frame(&bytes[at..], out)? {
                Some(taken) => at += taken,
                None => return stop(at, Reached::More),
            }
        }
    }

    /// Gives the next packet to the client its number.
    pub fn number(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// As [`Scanner::resume`], with the number of the next packet on both sides.
    pub fn resume(&mut self, client: u8, server: u8) {
        self.scanner.resume(server);
        self.sequence = client;
    }

    /// As [`Scanner::take_changes`].
    #[must_use]
    pub fn take_changes(&mut self) -> Vec<u8> {
        self.scanner.take_changes()
    }

    /// As [`Scanner::at_boundary`].
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.remaining == 0 && self.scanner.at_boundary()
    }

    /// So many bytes of a frame were written whose end is still to come. Before them the bytes for
    /// a compressed client may be cut, and not in them: servers cut no packet more than once, and
    /// mysql-connector-python's own code can read none that is.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        if self.remaining == 0 { 0 } else { self.begun }
    }

    /// The sequence number of the next packet to the client.
    #[must_use]
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// The sequence number of the next packet of the server.
    #[must_use]
    pub fn server_sequence(&self) -> u8 {
        self.scanner.sequence()
    }

    /// What the reply has said so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.scanner.summary()
    }

    fn frame(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<Option<usize>, Violation> {
        let before = self.scanner.cursor();
        let Some(frame) = self.scanner.frame(bytes)? else {
            return Ok(None);
        };
        let body = &bytes[HEADER_LEN..];
        let change = self.change(&frame);
        let copied = change == Change::Copied;
        let together = self.client.is_compressed() && frame.len <= TOGETHER_MAX;
        if body.len() < frame.len && (!copied || together) {
            // What must be there whole has not come whole: look again when more is there.
            self.scanner.back_to(before);
            return if copied { Ok(None) } else { must_come_whole(frame.len).map(|()| None) };
        }
        self.told_result = false;
        if copied {
            self.scanner.collect(&frame, body)?;
            self.header(frame.len, out);
            self.begun = HEADER_LEN;
            self.remaining = frame.len;
            return Ok(Some(HEADER_LEN));
        }
        self.write(change, &frame, body.get(..frame.len).unwrap_or_default(), out)?;
        Ok(Some(HEADER_LEN + frame.len))
    }

    fn change(&self, frame: &Frame) -> Change {
        let differs = |capability| self.client.has(capability) != self.server.has(capability);
        let eof = differs(Capabilities::DEPRECATE_EOF);
        let extended = differs(Capabilities::EXTENDED_METADATA);
        match frame.seen {
            _ if frame.continuation => Change::Copied,
            Seen::ColumnsEnd if eof => Change::Dropped,
            Seen::RowsEnd if eof => Change::OtherEnd,
            Seen::Column if extended => Change::Defined { eof: false },
            Seen::LastColumn if extended => Change::Defined { eof },
            Seen::LastColumn if eof => Change::WithEof,
            Seen::ColumnCount if differs(Capabilities::CACHE_METADATA) => Change::Counted,
            Seen::Progress if !self.client.has(Capabilities::PROGRESS) => Change::Dropped,
            _ if frame.changes && self.client.tracks_unlike(&self.server) => Change::Stripped,
            _ => Change::Copied,
        }
    }

    fn write(
        &mut self,
        change: Change,
        frame: &Frame,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), Violation> {
        match change {
            Change::Dropped => {}
            Change::Copied | Change::WithEof => frame::write(out, &mut self.sequence, payload),
            Change::OtherEnd => {
                self.scanner.collect(frame, payload)?;
                self.end(out);
            }
            Change::Counted => {
                let mut reader = Reader::new(payload, "a count of columns");
                let count = lenenc::read_int(&mut reader)?;
                if reader.rest() == [0] {
                    return Err(Violation::Unexpected { what: "result without definitions" });
                }
                let told = self.client.has(Capabilities::CACHE_METADATA);
                frame::write_with(out, &mut self.sequence, |out| {
                    lenenc::write_int(out, count);
                    out.put_slice(if told { &[1] } else { &[] });
                });
            }
            Change::Defined { .. } => {
                let mut reader = Reader::new(payload, "a column definition");
                for _ in 0..NAMES {
                    lenenc::read_bytes(&mut reader)?;
                }
                let (names, _) = payload.split_at(payload.len() - reader.remaining());
                let extended = self.client.has(Capabilities::EXTENDED_METADATA);
                if !extended {
                    lenenc::read_bytes(&mut reader)?;
                }
                frame::write_with(out, &mut self.sequence, |out| {
                    out.put_slice(names);
                    out.put_slice(if extended { &[0] } else { &[] });
                    out.put_slice(reader.rest());
                });
            }
            Change::Stripped => {
                self.scanner.strip_payload(frame, payload, &mut self.sequence, out)?;
            }
        }
        if matches!(change, Change::WithEof | Change::Defined { eof: true }) {
            self.eof(out, 0);
        }
        Ok(())
    }

    fn header(&mut self, len: usize, out: &mut BytesMut) {
        out.put_slice(&Header { len, sequence: self.sequence }.encode());
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn end(&mut self, out: &mut BytesMut) {
        let warnings = self.scanner.summary().warnings;
        if !self.client.has(Capabilities::DEPRECATE_EOF) {
            return self.eof(out, warnings);
        }
        let status = self.status();
        self.header(7, out);
        out.put_slice(&[0xfe, 0, 0]);
        out.put_u16_le(status.bits());
        out.put_u16_le(warnings);
    }

    fn eof(&mut self, out: &mut BytesMut, warnings: u16) {
        let status = self.status();
        self.header(5, out);
        out.put_u8(0xfe);
        out.put_u16_le(warnings);
        out.put_u16_le(status.bits());
    }

    /// Neither form has room for changes of the session.
    fn status(&self) -> StatusFlags {
        let status = self.scanner.summary().status.unwrap_or(StatusFlags::AUTOCOMMIT);
        status.difference(StatusFlags::SESSION_STATE_CHANGED)
    }
}
