//! Which packets make up the reply to a command.
//!
//! ```text
//!  First ──ok/err──▶ Done            First ──column count──▶ Columns ──▶ (EOF) ──▶ Rows ──▶ Done
//!  Prepared ──▶ Columns(parameters) ──▶ (EOF) ──▶ Columns ──▶ (EOF) ──▶ Done
//! ```
//! `SERVER_MORE_RESULTS_EXISTS` in the last packet of a result leads back to `First`. Instead of
//! a result, a server may ask for a file: `First ──▶ File`, the client sends it, `Loaded ──ok/err`.
//! MariaDB may say how far it is before any packet.

use tidegate_wire::Violation;

use crate::capabilities::Capabilities;
use crate::status::StatusFlags;

/// As many bytes of a packet as are needed to know what it is and what it says of the session.
pub(super) const HEAD_MAX: usize = 24;

const OK: u8 = 0x00;
const LOCAL_INFILE: u8 = 0xfb;
const EOF: u8 = 0xfe;
const ERR: u8 = 0xff;
/// An EOF packet is shorter than this; a row that begins with 0xfe is not.
const EOF_LEN_MAX: usize = 9;
/// In the place of an error's code: no error, but how far a statement has come.
const PROGRESS: u16 = 0xffff;

/// What kind of reply a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// OK, ERR or EOF: `COM_PING`, `COM_INIT_DB`, `COM_RESET_CONNECTION`, `COM_STMT_RESET`, …
    Simple,
    /// `COM_QUERY` and `COM_STMT_EXECUTE`: any number of results.
    Results,
    /// `COM_STMT_PREPARE`.
    Prepared,
    /// `COM_STMT_FETCH`: rows without column definitions.
    Rows,
    /// `COM_FIELD_LIST`: column definitions up to an EOF.
    Columns,
    /// `COM_STATISTICS`: one packet of text.
    Text,
}

/// What a reply said, as far as a proxy must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The flags of the last OK or EOF packet; `None` if there was none.
    pub status: Option<StatusFlags>,
    /// The code of the ERR packet that ended the reply.
    pub error: Option<u16>,
    /// Rows of all results.
    pub rows: u64,
    /// Affected rows of all results.
    pub affected: u64,
    /// The number of the last row that was inserted with one of the server's choosing; 0 for none.
    pub last_insert_id: u64,
    /// Warnings of the last result.
    pub warnings: u16,
}

/// What a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Other,
    Row,
    /// How many columns there are.
    ColumnCount,
    /// A definition with others behind it, or with an EOF.
    Column,
    /// The EOF packet that ends column definitions, which `CLIENT_DEPRECATE_EOF` leaves out.
    ColumnsEnd,
    /// The last definition, where no EOF follows although an older client would expect one.
    LastColumn,
    /// The packet that ends the rows: an EOF, or an OK with the header of an EOF.
    RowsEnd,
    /// How far a statement has come.
    Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Simple,
    First,
    Prepared,
    /// So many definitions are still to come, and then what is said.
    Columns {
        left: u64,
        then: AfterColumns,
    },
    ColumnsEof(AfterColumns),
    ColumnsUntilEof,
    Rows,
    Text,
    /// The server has asked for a file, and waits for the client.
    File,
    /// It was sent.
    Loaded,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterColumns {
    Rows,
    /// The result columns of a prepared statement.
    Columns(u64),
    Done,
}

/// The state of one reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    phase: Phase,
    /// Of the server's side.
    capabilities: Capabilities,
    summary: Summary,
}

impl Grammar {
    pub(super) fn new(expect: Expect, capabilities: Capabilities) -> Self {
        let phase = match expect {
            Expect::Simple => Phase::Simple,
            Expect::Results => Phase::First,
            Expect::Prepared => Phase::Prepared,
            Expect::Rows => Phase::Rows,
            Expect::Columns => Phase::ColumnsUntilEof,
            Expect::Text => Phase::Text,
        };
        Self { phase, capabilities, summary: Summary::default() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// A result has ended that another one follows.
    pub(super) fn between_results(&self) -> bool {
        self.phase == Phase::First && self.summary.status.is_some()
    }

    /// The server waits for a file.
    pub(super) fn wants_file(&self) -> bool {
        self.phase == Phase::File
    }

    /// The client has sent the file.
    pub(super) fn file_sent(&mut self) {
        if self.phase == Phase::File {
            self.phase = Phase::Loaded;
        }
    }

    /// Whether the next packet, of which these are the first bytes, is an OK packet that speaks
    /// of changes in the session.
    pub(super) fn tells_changes(&self, head: &[u8], len: usize) -> bool {
        let ok = match (self.phase, head.first()) {
            (Phase::Simple | Phase::First | Phase::Loaded, Some(&OK)) => true,
            (Phase::Rows, Some(&EOF)) => {
                self.has(Capabilities::DEPRECATE_EOF) && len < crate::frame::PAYLOAD_MAX
            }
            _ => false,
        };
        ok && ok_flags(head)
            .is_ok_and(|(.., status, _)| status.contains(StatusFlags::SESSION_STATE_CHANGED))
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn has(&self, capability: Capabilities) -> bool {
        self.capabilities.contains(capability)
    }

    pub(super) fn in_rows(&self) -> bool {
        self.phase == Phase::Rows
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary
    }

    pub(super) fn add_rows(&mut self, rows: u64) {
        self.summary.rows += rows;
    }

    /// Takes the first bytes of the next packet, at least `min(len, HEAD_MAX)` of them.
    pub(super) fn packet(&mut self, head: &[u8], len: usize) -> Result<Seen, Violation> {
        let Some(&first) = head.first() else {
            // An empty row cannot be; an empty text can.
            return self.text_only();
        };
        if first == ERR && !matches!(self.phase, Phase::Text | Phase::Columns { .. }) {
            let code = u16_at(head, 1)?;
            if code == PROGRESS && self.has(Capabilities::PROGRESS) {
                return Ok(Seen::Progress);
            }
            self.summary.error = Some(code);
            self.phase = Phase::Done;
            return Ok(Seen::Other);
        }
        match self.phase {
            Phase::Simple => self.simple(head, first),
            Phase::First => self.first(head, first),
            Phase::Prepared => self.prepared(head, first),
            Phase::Columns { left, then } => Ok(self.column(left, then)),
            Phase::ColumnsEof(then) => self.columns_end(head, first, len, then),
            Phase::ColumnsUntilEof => self.listed_column(head, first, len),
            Phase::Rows => self.row(head, first, len),
            Phase::Text => self.text_only(),
            Phase::Loaded if first == OK => {
                self.ok(head)?;
                self.end_of_result();
                Ok(Seen::Other)
            }
            Phase::File | Phase::Loaded => Err(Violation::Unexpected { what: "reply to a file" }),
            Phase::Done => Err(Violation::Unexpected { what: "packet after the end of a reply" }),
        }
    }

    fn text_only(&mut self) -> Result<Seen, Violation> {
        if self.phase != Phase::Text {
            return Err(Violation::Malformed { what: "empty packet in a reply" });
        }
        self.phase = Phase::Done;
        Ok(Seen::Other)
    }

    fn simple(&mut self, head: &[u8], first: u8) -> Result<Seen, Violation> {
        match first {
            OK => self.ok(head)?,
            EOF => self.eof(head)?,
            _ => return Err(Violation::Unexpected { what: "neither OK nor ERR" }),
        }
        self.phase = Phase::Done;
        Ok(Seen::Other)
    }

    fn first(&mut self, head: &[u8], first: u8) -> Result<Seen, Violation> {
        match first {
            OK => {
                self.ok(head)?;
                self.end_of_result();
            }
            LOCAL_INFILE if self.has(Capabilities::LOCAL_FILES) => self.phase = Phase::File,
            LOCAL_INFILE => return Err(Violation::Unexpected { what: "request for a local file" }),
            _ => {
                self.column_count(head)?;
                return Ok(Seen::ColumnCount);
            }
        }
        Ok(Seen::Other)
    }

    fn column_count(&mut self, head: &[u8]) -> Result<(), Violation> {
        let (left, used) = lenenc(head)?;
        let then = AfterColumns::Rows;
        // A client that keeps definitions is told whether they are sent again.
        let sent = match self.has(Capabilities::CACHE_METADATA) {
            true => head.get(used).copied().ok_or(Violation::Truncated { what: "reply packet" })?,
            false => 1,
        };
        if sent != 0 {
            self.phase = Phase::Columns { left, then };
        } else if self.has(Capabilities::DEPRECATE_EOF) {
            self.after_columns(then);
        } else {
            self.phase = Phase::ColumnsEof(then);
        }
        Ok(())
    }

    fn prepared(&mut self, head: &[u8], first: u8) -> Result<Seen, Violation> {
        if first != OK {
            return Err(Violation::Unexpected { what: "neither prepared nor ERR" });
        }
        let columns = u64::from(u16_at(head, 5)?);
        let parameters = u64::from(u16_at(head, 7)?);
        self.phase = match (parameters, columns) {
            (0, 0) => Phase::Done,
            (0, left) => Phase::Columns { left, then: AfterColumns::Done },
            (left, 0) => Phase::Columns { left, then: AfterColumns::Done },
            (left, columns) => Phase::Columns { left, then: AfterColumns::Columns(columns) },
        };
        Ok(Seen::Other)
    }

    fn column(&mut self, left: u64, then: AfterColumns) -> Seen {
        if left > 1 {
            self.phase = Phase::Columns { left: left - 1, then };
            return Seen::Column;
        }
        if self.has(Capabilities::DEPRECATE_EOF) {
            self.after_columns(then);
            Seen::LastColumn
        } else {
            self.phase = Phase::ColumnsEof(then);
            Seen::Column
        }
    }

    fn columns_end(
        &mut self,
        head: &[u8],
        first: u8,
        len: usize,
        then: AfterColumns,
    ) -> Result<Seen, Violation> {
        if first != EOF || len >= EOF_LEN_MAX {
            return Err(Violation::Unexpected { what: "no EOF after column definitions" });
        }
        self.eof(head)?;
        let cursor = self.summary.status.is_some_and(|s| s.contains(StatusFlags::CURSOR_EXISTS));
        // With a cursor the rows are fetched later; this EOF is all there is.
        if cursor && then == AfterColumns::Rows {
            self.end_of_result();
            return Ok(Seen::RowsEnd);
        }
        self.after_columns(then);
        Ok(Seen::ColumnsEnd)
    }

    fn after_columns(&mut self, then: AfterColumns) {
        self.phase = match then {
            AfterColumns::Rows => Phase::Rows,
            AfterColumns::Columns(left) => Phase::Columns { left, then: AfterColumns::Done },
            AfterColumns::Done => Phase::Done,
        };
    }

    fn listed_column(&mut self, head: &[u8], first: u8, len: usize) -> Result<Seen, Violation> {
        if first != EOF || len >= EOF_LEN_MAX {
            return Ok(Seen::Column);
        }
        self.terminator(head)?;
        self.phase = Phase::Done;
        Ok(Seen::RowsEnd)
    }

    fn row(&mut self, head: &[u8], first: u8, len: usize) -> Result<Seen, Violation> {
        let deprecates = self.has(Capabilities::DEPRECATE_EOF);
        let longest = if deprecates { crate::frame::PAYLOAD_MAX } else { EOF_LEN_MAX };
        if first != EOF || len >= longest {
            self.summary.rows += 1;
            return Ok(Seen::Row);
        }
        self.terminator(head)?;
        self.end_of_result();
        Ok(Seen::RowsEnd)
    }

    fn terminator(&mut self, head: &[u8]) -> Result<(), Violation> {
        if self.has(Capabilities::DEPRECATE_EOF) { self.ok(head) } else { self.eof(head) }
    }

    fn end_of_result(&mut self) {
        let more = self.summary.status.is_some_and(|s| s.contains(StatusFlags::MORE_RESULTS));
        self.phase = if more { Phase::First } else { Phase::Done };
    }

    fn ok(&mut self, head: &[u8]) -> Result<(), Violation> {
        let (affected, last_insert_id, status, warnings) = ok_flags(head)?;
        self.summary.affected = self.summary.affected.saturating_add(affected);
        if last_insert_id != 0 {
            self.summary.last_insert_id = last_insert_id;
        }
        self.summary.status = Some(status);
        self.summary.warnings = warnings;
        Ok(())
    }

    fn eof(&mut self, head: &[u8]) -> Result<(), Violation> {
        // Before 4.1 an EOF was a single byte; a server that we log in to speaks 4.1.
        self.summary.warnings = u16_at(head, 1)?;
        self.summary.status = Some(StatusFlags::from_bits_retain(u16_at(head, 3)?));
        Ok(())
    }
}

/// Affected rows, the number of an inserted row, status and warnings of an OK packet.
fn ok_flags(head: &[u8]) -> Result<(u64, u64, StatusFlags, u16), Violation> {
    let body = head.get(1..).unwrap_or_default();
    let (affected, used) = lenenc(body)?;
    let body = body.get(used..).unwrap_or_default();
    let (last_insert_id, used) = lenenc(body)?;
    let status = StatusFlags::from_bits_retain(u16_at(body, used)?);
    Ok((affected, last_insert_id, status, u16_at(body, used + 2)?))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Violation> {
    match bytes.get(at..at + 2) {
        Some(&[low, high]) => Ok(u16::from_le_bytes([low, high])),
        _ => Err(Violation::Truncated { what: "reply packet" }),
    }
}

/// A length-encoded integer and how many bytes it took.
fn lenenc(bytes: &[u8]) -> Result<(u64, usize), Violation> {
    let width = match bytes.first() {
        Some(&small @ ..=0xfa) => return Ok((u64::from(small), 1)),
        Some(0xfc) => 2,
        Some(0xfd) => 3,
        Some(0xfe) => 8,
        _ => return Err(Violation::Malformed { what: "length-encoded integer in a reply" }),
    };
    let digits = bytes.get(1..=width).ok_or(Violation::Truncated { what: "reply packet" })?;
    let value = digits.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    Ok((value, width + 1))
}
