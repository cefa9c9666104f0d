//! Cutting the client's commands from its bytes.

use std::io;

use thiserror::Error;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::frame::{HEADER_LEN, Header, PAYLOAD_MAX};
use tidegate_wire::Violation;

use crate::conn::{Conn, Inbox};

/// So much of a statement is held to be looked at; what is longer streams past.
pub(super) const HELD_MAX: usize = 64 << 10;
/// A statement to prepare is held whole, because it may have to be prepared again elsewhere.
const PREPARE_MAX: usize = 4 << 20;

/// The client cannot go on.
#[derive(Debug, Error)]
pub(super) enum ClientLost {
    #[error("the client's connection was lost: {0}")]
    Io(io::Error),
    #[error("the client closed the connection in the middle of a command")]
    Cut,
    #[error("the client broke the protocol: {0}")]
    Violation(#[from] Violation),
}

impl From<io::Error> for ClientLost {
    /// A stream that cannot be unpacked fails as if its socket did.
    fn from(error: io::Error) -> Self {
        let violation = error.get_ref().and_then(|inner| inner.downcast_ref().copied());
        violation.map_or(Self::Io(error), Self::Violation)
    }
}

/// A command at the front of the client's inbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// `None` for a code that there is no name for.
    pub(super) command: Option<Command>,
    pub(super) code: u8,
    /// Bytes of the first frame's payload, the command's code among them.
    len: usize,
    /// Bytes of it that are in the inbox.
    held: usize,
    /// Bytes of attributes between the code and the text of a query.
    attributes: usize,
}

impl Head {
    /// Waits for as much of the command as has to be held. Its first byte must have come.
    pub(super) async fn read(client: &mut Conn, max: usize) -> Result<Self, ClientLost> {
        client.fill_to(HEADER_LEN).await.map_err(cut)?;
        let header = client.inbox.as_slice().first_chunk::<HEADER_LEN>();
        let Header { len, sequence } =
            header.map_or(Header { len: 0, sequence: 0 }, |bytes| Header::decode(*bytes));
        if sequence != 0 {
            return Err(Violation::OutOfOrder { expected: 0, got: sequence }.into());
        }
        if len == 0 {
            return Err(Violation::Malformed { what: "a command without a code" }.into());
        }
        check(len, max)?;
        client.fill_to(HEADER_LEN + 1).await.map_err(cut)?;
        let code = client.inbox.as_slice().get(HEADER_LEN).copied().unwrap_or_default();
        let command = Command::from_u8(code);
        let hold = match command {
            Some(Command::StmtPrepare) if len > PREPARE_MAX => {
                let (len, max) = (len as u64, PREPARE_MAX as u64);
                let what = "statement to prepare";
                return Err(Violation::TooLong { what, len, max }.into());
            }
            Some(Command::StmtPrepare) => len,
            _ => len.min(HELD_MAX),
        };
        client.fill_to(HEADER_LEN + hold).await.map_err(cut)?;
        Ok(Self { command, code, len, held: hold, attributes: 0 })
    }

    /// Everything of the command is in the inbox.
    pub(super) fn is_whole(&self) -> bool {
        self.held == self.len && self.len < PAYLOAD_MAX
    }

    /// What follows the command's code, and the attributes of a query, as far as it is held.
    pub(super) fn argument(self, inbox: &Inbox) -> &[u8] {
        let start = HEADER_LEN + 1 + self.attributes;
        inbox.as_slice().get(start..HEADER_LEN + self.held).unwrap_or_default()
    }

    /// So many bytes of the argument are attributes.
    pub(super) fn skip(&mut self, attributes: usize) {
        self.attributes = attributes;
    }

    pub(super) fn attributes(self, inbox: &Inbox) -> &[u8] {
        inbox
            .as_slice()
            .get(HEADER_LEN + 1..)
            .and_then(|b| b.get(..self.attributes))
            .unwrap_or_default()
    }

    /// The same, to blank them for a server that would take them for text.
    pub(super) fn attributes_mut(self, inbox: &mut Inbox) -> &mut [u8] {
        let bytes = inbox.as_mut_slice().get_mut(HEADER_LEN + 1..).unwrap_or_default();
        bytes.get_mut(..self.attributes).unwrap_or_default()
    }

    /// The same, to patch a number in it.
    pub(super) fn argument_mut(self, inbox: &mut Inbox) -> &mut [u8] {
        let bytes = inbox.as_mut_slice();
        bytes.get_mut(HEADER_LEN + 1..HEADER_LEN + self.held).unwrap_or_default()
    }

    /// Bytes in the inbox, with the frame's header.
    pub(super) fn framed(&self) -> usize {
        HEADER_LEN + self.held
    }

    /// The payload bytes of the first frame that are still to come.
    pub(super) fn outstanding(&self) -> usize {
        self.len - self.held
    }

    /// The frame is full, so another one continues the command.
    pub(super) fn continues(&self) -> bool {
        self.len == PAYLOAD_MAX
    }

    /// Bytes of the first frame's payload.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// What is still to come of a command that is not held whole, frame by frame.
pub(super) struct Rest {
    outstanding: usize,
    continues: bool,
    sequence: u8,
    total: usize,
    max: usize,
}

impl Rest {
    pub(super) fn of(head: &Head, max: usize) -> Self {
        Self {
            outstanding: head.outstanding(),
            continues: head.continues(),
            sequence: 1,
            total: head.len(),
            max,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.outstanding == 0 && !self.continues
    }

    /// The number of the frame that would follow: of the reply, once [`Self::is_done`].
    pub(super) fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Takes the next piece that is in the inbox, waiting for it: so many bytes at its front
    /// belong to the command.
    pub(super) async fn next(&mut self, client: &mut Conn) -> Result<usize, ClientLost> {
        if self.outstanding > 0 {
            client.fill_to(1).await.map_err(cut)?;
            let piece = self.outstanding.min(client.inbox.len());
            self.outstanding -= piece;
            return Ok(piece);
        }
        client.fill_to(HEADER_LEN).await.map_err(cut)?;
        let header = client.inbox.as_slice().first_chunk::<HEADER_LEN>();
        let Header { len, sequence } =
            header.map_or(Header { len: 0, sequence: 0 }, |bytes| Header::decode(*bytes));
        if sequence != self.sequence {
            if !client.is_compressed() {
                return Err(Violation::OutOfOrder { expected: self.sequence, got: sequence }.into());
            }
            // Inside compression nobody looks at these numbers; MariaDB's library leaves them 0.
            if let Some(number) = client.inbox.as_mut_slice().get_mut(HEADER_LEN - 1) {
                *number = self.sequence;
            }
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.total = self.total.saturating_add(len);
        check(self.total, self.max)?;
        (self.outstanding, self.continues) = (len, len == PAYLOAD_MAX);
        Ok(HEADER_LEN)
    }
}

/// Drops a command that is not going anywhere. Returns the number of its reply's first packet.
pub(super) async fn discard(client: &mut Conn, head: &Head, max: usize) -> Result<u8, ClientLost> {
    client.inbox.consume(head.framed());
    let mut rest = Rest::of(head, max);
    while !rest.is_done() {
        let piece = rest.next(client).await?;
        client.inbox.consume(piece);
    }
    Ok(client.next_sequence(rest.sequence()))
}

fn check(len: usize, max: usize) -> Result<(), Violation> {
    if len > max {
        let (len, max) = (len as u64, max as u64);
        return Err(Violation::TooLong { what: "packet", len, max });
    }
    Ok(())
}

fn cut(error: io::Error) -> ClientLost {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ClientLost::Cut,
        _ => ClientLost::from(error),
    }
}
