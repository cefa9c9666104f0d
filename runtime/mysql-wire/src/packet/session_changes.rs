//! What a statement has changed in its session, as an OK packet tells it.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html#sect_protocol_basic_ok_packet_sessinfo>,
//! <https://mariadb.com/kb/en/ok_packet/#session-state-info>

use bitflags::bitflags;
use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use crate::lenenc;

/// `SESSION_TRACK_*`.
mod kind {
    pub(super) const SYSTEM_VARIABLES: u8 = 0;
    pub(super) const SCHEMA: u8 = 1;
    pub(super) const STATE_CHANGE: u8 = 2;
    pub(super) const GTIDS: u8 = 3;
    pub(super) const TRANSACTION_CHARACTERISTICS: u8 = 4;
    pub(super) const TRANSACTION_STATE: u8 = 5;
}

/// Before GTIDs, MySQL says how they are written; there is one way.
const GTIDS_AS_TEXT: u8 = 0;

/// One change. Text is in the character set `utf8mb3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange<'a> {
    /// One of those in `session_track_system_variables` was set. MariaDB tells GTIDs so too, as
    /// the variable `last_gtid`.
    SystemVariable { name: &'a [u8], value: &'a [u8] },
    /// The default database is another one; empty for none.
    Schema(&'a [u8]),
    /// With `session_track_state_change`: something changed that a new session would not have.
    State(bool),
    /// With `session_track_gtids`, MySQL only: what was committed.
    Gtids(&'a [u8]),
    /// With `session_track_transaction_info = CHARACTERISTICS`: the statements that would start
    /// such a transaction elsewhere; empty if there is none.
    TransactionCharacteristics(&'a [u8]),
    /// With `session_track_transaction_info`.
    Transaction(TransactionState),
    /// What no server had when this was written.
    Other { kind: u8, data: &'a [u8] },
}

bitflags! {
    /// What the session's transaction has done so far; nothing if there is none.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TransactionState: u16 {
        /// It was begun by a statement.
        const EXPLICIT = 1;
        /// It was begun by a statement's work, with `autocommit` off.
        const IMPLICIT = 1 << 1;
        /// It has read tables that have no transactions.
        const READ_UNSAFE = 1 << 2;
        const READ = 1 << 3;
        /// It has written to tables that have no transactions.
        const WROTE_UNSAFE = 1 << 4;
        const WROTE = 1 << 5;
        /// It has run a statement whose effect may differ elsewhere.
        const STATEMENT_UNSAFE = 1 << 6;
        /// It has sent rows to its client.
        const SENT_ROWS = 1 << 7;
        const LOCKED_TABLES = 1 << 8;
    }
}

impl TransactionState {
    /// The letters of the text behind the first, which has two.
    const PLACES: [(u8, Self); 7] = [
        (b'r', Self::READ_UNSAFE),
        (b'R', Self::READ),
        (b'w', Self::WROTE_UNSAFE),
        (b'W', Self::WROTE),
        (b's', Self::STATEMENT_UNSAFE),
        (b'S', Self::SENT_ROWS),
        (b'L', Self::LOCKED_TABLES),
    ];

    /// From a text such as `T_R_W_S_`. What stands in a place says nothing but that it is so.
    fn from_text(text: &[u8]) -> Option<Self> {
        let (first, places) = text.split_first()?;
        let begun = match first {
            b'T' => Self::EXPLICIT,
            b'I' => Self::IMPLICIT,
            b'_' => Self::empty(),
            _ => return None,
        };
        let places = places.get(..Self::PLACES.len())?;
        let set = places.iter().zip(Self::PLACES).filter(|(letter, _)| **letter != b'_');
        Some(set.fold(begun, |state, (_, (_, flag))| state | flag))
    }

    fn to_text(self) -> [u8; 8] {
        let mut text = [b'_'; 8];
        if self.contains(Self::EXPLICIT) {
            text[0] = b'T';
        } else if self.contains(Self::IMPLICIT) {
            text[0] = b'I';
        }
        for (at, (letter, flag)) in Self::PLACES.into_iter().enumerate() {
            if self.contains(flag) {
                text[at + 1] = letter;
            }
        }
        text
    }
}

/// Reads the changes one after the other from [`OkPacket::session_state`], or from several of
/// these put together. Nothing is copied.
///
/// [`OkPacket::session_state`]: super::OkPacket::session_state
#[derive(Clone, Debug)]
pub struct SessionChanges<'a> {
    reader: Reader<'a>,
    /// What is left of an entry with several variables.
    variables: Reader<'a>,
}

impl<'a> SessionChanges<'a> {
    #[must_use]
    pub fn new(session_state: &'a [u8]) -> Self {
        Self { reader: reader(session_state), variables: reader(b"") }
    }

    fn read(&mut self) -> Result<SessionChange<'a>, Violation> {
        if !self.variables.is_empty() {
            return read_variable(&mut self.variables);
        }
        let kind = self.reader.u8()?;
        let data = lenenc::read_bytes(&mut self.reader)?;
        let mut entry = reader(data);
        let change = match kind {
            kind::SYSTEM_VARIABLES => {
                let first = read_variable(&mut entry)?;
                self.variables = entry;
                return Ok(first);
            }
            kind::SCHEMA => SessionChange::Schema(lenenc::read_bytes(&mut entry)?),
            // The one that has no length of its own, whatever the manual says.
            kind::STATE_CHANGE => return Ok(SessionChange::State(data == b"1")),
            kind::GTIDS if entry.u8()? != GTIDS_AS_TEXT => {
                return Ok(SessionChange::Other { kind, data });
            }
            kind::GTIDS => SessionChange::Gtids(lenenc::read_bytes(&mut entry)?),
            kind::TRANSACTION_CHARACTERISTICS => {
                SessionChange::TransactionCharacteristics(lenenc::read_bytes(&mut entry)?)
            }
            kind::TRANSACTION_STATE => {
                let text = lenenc::read_bytes(&mut entry)?;
                let state = TransactionState::from_text(text).ok_or_else(|| entry.malformed())?;
                SessionChange::Transaction(state)
            }
            _ => return Ok(SessionChange::Other { kind, data }),
        };
        if entry.is_empty() { Ok(change) } else { Err(entry.malformed()) }
    }
}

fn reader(bytes: &[u8]) -> Reader<'_> {
    Reader::new(bytes, "a change of the session")
}

fn read_variable<'a>(reader: &mut Reader<'a>) -> Result<SessionChange<'a>, Violation> {
    let name = lenenc::read_bytes(reader)?;
    Ok(SessionChange::SystemVariable { name, value: lenenc::read_bytes(reader)? })
}

impl<'a> Iterator for SessionChanges<'a> {
    /// An error is the last item.
    type Item = Result<SessionChange<'a>, Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() && self.variables.is_empty() {
            return None;
        }
        let change = self.read();
        if change.is_err() {
            *self = Self::new(b"");
        }
        Some(change)
    }
}

impl SessionChange<'_> {
    /// Writes it as an entry of its own.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut data = BytesMut::new();
        let kind = match *self {
            Self::SystemVariable { name, value } => {
                lenenc::write_bytes(&mut data, name);
                lenenc::write_bytes(&mut data, value);
                kind::SYSTEM_VARIABLES
            }
            Self::Schema(name) => {
                lenenc::write_bytes(&mut data, name);
                kind::SCHEMA
            }
            Self::State(changed) => {
                data.put_u8(if changed { b'1' } else { b'0' });
                kind::STATE_CHANGE
            }
            Self::Gtids(gtids) => {
                data.put_u8(GTIDS_AS_TEXT);
                lenenc::write_bytes(&mut data, gtids);
                kind::GTIDS
            }
            Self::TransactionCharacteristics(statements) => {
                lenenc::write_bytes(&mut data, statements);
                kind::TRANSACTION_CHARACTERISTICS
            }
            Self::Transaction(state) => {
                lenenc::write_bytes(&mut data, &state.to_text());
                kind::TRANSACTION_STATE
            }
            Self::Other { kind, data: other } => {
                data.put_slice(other);
                kind
            }
        };
        out.put_u8(kind);
        lenenc::write_bytes(out, &data);
    }
}

#[cfg(test)]
mod tests {
    use super::super::cuts;
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<SessionChange<'_>>, Violation> {
        SessionChanges::new(bytes).collect()
    }

    #[test]
    fn what_servers_send_is_understood() {
        // MariaDB 10.11: USE app.
        assert_eq!(all(b"\x01\x04\x03app"), Ok(vec![SessionChange::Schema(b"app")]));
        // The same: SET autocommit = 0, and COMMIT, with everything tracked.
        let state = b"\x00\x0f\x0aautocommit\x03OFF\x02\x011\x05\x09\x08________\x04\x01\x00";
        let expected = [
            SessionChange::SystemVariable { name: b"autocommit", value: b"OFF" },
            SessionChange::State(true),
            SessionChange::Transaction(TransactionState::empty()),
            SessionChange::TransactionCharacteristics(b""),
        ];
        assert_eq!(all(state), Ok(expected.to_vec()));
        // MySQL 9.7: an INSERT, and START TRANSACTION.
        let gtid = b"\x03\x28\x00\x26bc1d48da-e5ad-11f1-85c6-02fc00000001:3";
        let expected = SessionChange::Gtids(b"bc1d48da-e5ad-11f1-85c6-02fc00000001:3");
        assert_eq!(all(gtid), Ok(vec![expected]));
        let begun = b"\x05\x09\x08T_R_____\x04\x1d\x1cSTART TRANSACTION READ ONLY;";
        let expected = [
            SessionChange::Transaction(TransactionState::EXPLICIT | TransactionState::READ),
            SessionChange::TransactionCharacteristics(b"START TRANSACTION READ ONLY;"),
        ];
        assert_eq!(all(begun), Ok(expected.to_vec()));
    }

    #[test]
    fn an_entry_may_hold_several_variables() {
        let state = b"\x00\x08\x01a\x011\x01b\x012\x01\x01\x00";
        let variable = |name, value| SessionChange::SystemVariable { name, value };
        let expected = [variable(b"a", b"1"), variable(b"b", b"2"), SessionChange::Schema(b"")];
        assert_eq!(all(state), Ok(expected.to_vec()));
    }

    #[test]
    fn a_transaction_says_what_it_has_done() {
        let read = |text: &[u8]| -> Result<TransactionState, Violation> {
            let mut entry = BytesMut::new();
            entry.put_slice(&[5, 9, 8]);
            entry.put_slice(text);
            match all(&entry)?[..] {
                [SessionChange::Transaction(state)] => Ok(state),
                _ => panic!("{entry:?} is of a transaction"),
            }
        };
        assert_eq!(read(b"________"), Ok(TransactionState::empty()));
        assert_eq!(read(b"T_______"), Ok(TransactionState::EXPLICIT));
        let busy =
            TransactionState::IMPLICIT | TransactionState::READ | TransactionState::SENT_ROWS;
        assert_eq!(read(b"I_R___S_"), Ok(busy));
        assert_eq!(read(b"TrRwWsSL"), Ok(TransactionState::all() - TransactionState::IMPLICIT));
        assert!(read(b"X_______").is_err());
    }

    #[test]
    fn every_kind_comes_back() {
        let changes = [
            SessionChange::SystemVariable { name: b"sql_mode", value: b"" },
            SessionChange::Schema(b"shop"),
            SessionChange::State(false),
            SessionChange::Gtids(b"3e11fa47-71ca-11e1-9e33-c80aa9429562:23"),
            SessionChange::TransactionCharacteristics(b"START TRANSACTION READ ONLY;"),
            SessionChange::Transaction(TransactionState::EXPLICIT | TransactionState::WROTE),
            SessionChange::Other { kind: 77, data: b"anything" },
        ];
        let mut out = BytesMut::new();
        for change in &changes {
            change.encode(&mut out);
        }
        assert_eq!(all(&out), Ok(changes.to_vec()));
        for change in &changes {
            let mut one = BytesMut::new();
            change.encode(&mut one);
            if let SessionChange::Other { .. } = change {
                continue;
            }
            cuts::are_refused(&one, |bytes| match bytes {
                b"" => Err(Violation::Truncated { what: "nothing" }),
                _ => all(bytes).map(|_| ()),
            });
        }
    }

    #[test]
    fn lengths_that_are_not_true_are_refused() {
        assert!(all(b"\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(all(b"\x01\x05\x03app!").is_err());
        assert!(all(b"\x00\x03\x01a\x05").is_err());
        let mut broken = SessionChanges::new(b"\x01\x02\x05a\x01\x01\x00");
        assert!(broken.next().is_some_and(|change| change.is_err()));
        assert!(broken.next().is_none());
    }
}
