//! Finding the packets of a reply in the bytes as they arrive.

use bytes::BytesMut;
use tidegate_wire::Violation;

use super::grammar::{Expect, Grammar, HEAD_MAX, Seen, Summary};
use super::side::Side;
use crate::capabilities::Capabilities;
use crate::frame::{self, HEADER_LEN, Header, PAYLOAD_MAX};
use crate::packet::OkPacket;
use crate::status::StatusFlags;

/// Of the bytes that are handed in, no more than these are ever left to be handed in again.
pub const HELD_MAX: usize = CHANGES_MAX + HEADER_LEN;

/// What a server tells of a session in one packet is not longer, in bytes. Only sets of GTIDs can
/// become as long as that.
const CHANGES_MAX: usize = 128 << 10;

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
    /// In a packet, or before one that has not come far enough: more bytes are needed.
    More,
    /// Before an OK packet that tells changes of the session to a client that did not ask for
    /// them: [`Scanner::strip`] it.
    Changes,
    /// Between two results, for a client that is told them one by one.
    NextResult,
    /// Behind the request for a file. The client sends it now, or an empty packet; then the
    /// scanner is to [`resume`](Scanner::resume).
    File,
    /// At the end of the reply.
    End,
}

/// Follows one reply. Its bytes are handed in as they come, and forwarded as they are.
#[derive(Clone, Debug)]
pub struct Scanner {
    cursor: Cursor,
    /// What else is to be done about changes of the session; nothing is looked for without.
    tracking: Option<Tracking>,
    /// What was told of the session since it was asked for last.
    changes: Vec<u8>,
}

/// The place in the reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    grammar: Grammar,
    /// Bytes of the packet at hand that have not come yet.
    remaining: usize,
    /// The packet at hand filled its frame, so the next frame continues it.
    continues: bool,
    sequence: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tracking {
    /// Both sides are told.
    Told,
    /// Only one is.
    Stripped,
}

/// One frame whose head is complete, by its place in the bytes.
pub(super) struct Frame {
    pub(super) len: usize,
    /// It continues the frame before it.
    pub(super) continuation: bool,
    pub(super) seen: Seen,
    /// It is an OK packet that tells changes of the session. Then it has come whole.
    pub(super) changes: bool,
}

impl Scanner {
    /// A scanner for the reply to a command of our own.
    #[must_use]
    pub fn new(expect: Expect, server: Side) -> Self {
        let grammar = Grammar::new(expect, server.capabilities());
        let cursor =
            Cursor { grammar, remaining: 0, continues: false, sequence: server.sequence() };
        let tracking = server.has(Capabilities::SESSION_TRACK).then_some(Tracking::Told);
        Self { cursor, tracking, changes: Vec::new() }
    }

    /// A scanner for a reply that is forwarded to a client. `None` if it has to be written anew
    /// for this client, as a [`Translator`](super::Translator) does.
    #[must_use]
    pub fn between(expect: Expect, client: Side, server: Side) -> Option<Self> {
        client.takes_as_is(&server).then(|| Self::for_client(expect, &client, server))
    }

    pub(super) fn for_client(expect: Expect, client: &Side, server: Side) -> Self {
        let mut scanner = Self::new(expect, server);
        if client.tracks_unlike(&server) {
            scanner.tracking = Some(Tracking::Stripped);
        }
        scanner
    }

    /// Looks at the bytes that were not forwarded yet.
    ///
    /// # Errors
    /// A [`Violation`] when the server's bytes cannot be a reply to the command. What came before
    /// it may have been forwarded already; the connection is of no more use.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Violation> {
        let mut at = 0;
        let stop = |forward, reached| Ok(Scan { forward, reached });
        loop {
            let skipped = self.cursor.remaining.min(bytes.len() - at);
            self.cursor.remaining -= skipped;
            at += skipped;
            if self.cursor.remaining > 0 {
                return stop(at, Reached::More);
            }
            if self.is_done() {
                return stop(at, Reached::End);
            }
            if self.wants_file() {
                return stop(at, Reached::File);
            }
            at += self.rows(&bytes[at..]);
            let before = self.cursor;
            match self.frame(&bytes[at..])? {
                Some(frame) if frame.changes && self.tracking == Some(Tracking::Stripped) => {
                    self.cursor = before;
                    return stop(at, Reached::Changes);
                }
                Some(frame) => {
                    at += HEADER_LEN;
                    self.collect(&frame, &bytes[at..])?;
                    self.cursor.remaining = frame.len;
                }
                None => return stop(at, Reached::More),
            }
        }
    }

    /// At [`Reached::Changes`]: writes the packet that the bytes begin with as this client
    /// understands it, and returns how many of the bytes it was.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub fn strip(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<usize, Violation> {
        let mut sequence = self.cursor.sequence;
        let Some(frame) = self.frame(bytes)?.filter(|frame| frame.changes) else {
            return Err(Violation::Unexpected { what: "packet in the place of an OK" });
        };
        let payload = bytes.get(HEADER_LEN..HEADER_LEN + frame.len).unwrap_or_default();
        self.strip_payload(&frame, payload, &mut sequence, out)?;
        Ok(HEADER_LEN + frame.len)
    }

    /// Writes an OK packet without what it tells of the session, and without the flag.
    pub(super) fn strip_payload(
        &mut self,
        frame: &Frame,
        payload: &[u8],
        sequence: &mut u8,
        out: &mut BytesMut,
    ) -> Result<(), Violation> {
        self.collect(frame, payload)?;
        let mut ok = OkPacket::decode(payload, self.cursor.grammar.capabilities())?;
        ok.status.remove(StatusFlags::SESSION_STATE_CHANGED);
        frame::write_with(out, sequence, |out| match payload.first() {
            Some(&OkPacket::MARK) => ok.encode(out, Capabilities::empty()),
            _ => ok.encode_end_of_rows(out, Capabilities::empty()),
        });
        Ok(())
    }

    /// Goes on behind the file that a client has sent. `sequence` is the number of the server's
    /// next packet: behind that of the empty packet that ended the file.
    pub fn resume(&mut self, sequence: u8) {
        self.cursor.grammar.file_sent();
        self.cursor.sequence = sequence;
    }

    /// What OK packets have told of the session since this was asked last, in the form that
    /// [`SessionChanges`](crate::packet::SessionChanges) reads: entries of
    /// [`OkPacket::session_state`], one behind the other. Empty unless the server's side has
    /// agreed on [`Capabilities::SESSION_TRACK`].
    ///
    /// It holds no more than the bytes that were scanned, so ask after each scan, or at the end of
    /// replies that are short.
    #[must_use]
    pub fn take_changes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.changes)
    }

    /// The reply has ended and all its bytes were seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at_boundary() && self.cursor.grammar.is_done()
    }

    /// Nothing of a packet was forwarded whose end is still to come, so an ERR packet of our own
    /// could follow.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.cursor.remaining == 0 && !self.cursor.continues
    }

    /// The sequence number that the next packet must have.
    #[must_use]
    pub fn sequence(&self) -> u8 {
        self.cursor.sequence
    }

    /// A result has ended whole, and the reply goes on with another one.
    pub(super) fn between_results(&self) -> bool {
        self.at_boundary() && self.cursor.grammar.between_results()
    }

    pub(super) fn wants_file(&self) -> bool {
        self.at_boundary() && self.cursor.grammar.wants_file()
    }

    /// What the reply has said so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.cursor.grammar.summary()
    }

    pub(super) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Goes back to a place in the same packet.
    pub(super) fn back_to(&mut self, cursor: Cursor) {
        self.cursor = cursor;
    }

    /// Skips the ordinary rows that lie whole in the bytes: the inner loop of a large result.
    fn rows(&mut self, bytes: &[u8]) -> usize {
        let cursor = &mut self.cursor;
        if cursor.continues || !cursor.grammar.in_rows() {
            return 0;
        }
        let (mut at, mut rows) = (0, 0);
        while let Some(&[a, b, c, sequence, first]) = bytes.get(at..at + HEADER_LEN + 1) {
            let len = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            let end = at + HEADER_LEN + len;
            let ordinary = first < 0xfe && len > 0 && len < PAYLOAD_MAX;
            if !ordinary || sequence != cursor.sequence || end > bytes.len() {
                break;
            }
            cursor.sequence = sequence.wrapping_add(1);
            (at, rows) = (end, rows + 1);
        }
        cursor.grammar.add_rows(rows);
        at
    }

    /// Takes the frame at the start of the bytes, if enough of it has come to know it.
    pub(super) fn frame(&mut self, bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let cursor = &mut self.cursor;
        let Header { len, sequence } = Header::decode(*header);
        if sequence != cursor.sequence {
            return Err(Violation::OutOfOrder { expected: cursor.sequence, got: sequence });
        }
        let continuation = cursor.continues;
        let (mut seen, mut changes) = (Seen::Other, false);
        if !continuation {
            let Some(head) = body.get(..len.min(HEAD_MAX)) else {
                return Ok(None);
            };
            changes = self.tracking.is_some() && cursor.grammar.tells_changes(head, len);
            if changes && body.len() < len {
                return must_come_whole(len).map(|()| None);
            }
            seen = cursor.grammar.packet(head, len)?;
        }
        cursor.sequence = sequence.wrapping_add(1);
        cursor.continues = len == PAYLOAD_MAX;
        Ok(Some(Frame { len, continuation, seen, changes }))
    }

    /// Keeps what an OK packet tells of the session.
    pub(super) fn collect(&mut self, frame: &Frame, payload: &[u8]) -> Result<(), Violation> {
        let capabilities = self.cursor.grammar.capabilities();
        if frame.changes && capabilities.contains(Capabilities::SESSION_TRACK) {
            let payload = payload.get(..frame.len).unwrap_or_default();
            let ok = OkPacket::decode(payload, capabilities)?;
            self.changes.extend_from_slice(ok.session_state);
        }
        Ok(())
    }
}

/// For a packet that is looked at whole, and has not come whole.
pub(super) fn must_come_whole(len: usize) -> Result<(), Violation> {
    if len > CHANGES_MAX {
        let (len, max) = (len as u64, CHANGES_MAX as u64);
        return Err(Violation::TooLong { what: "packet to be seen whole", len, max });
    }
    Ok(())
}
