//! The client's prepared statements, under numbers of our own, so that any server can know them.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_sql::Kind;

use super::state::{Follows, Trace};
use crate::route::Place;

/// A client that forgets to close its statements is stopped here.
const STATEMENTS_MAX: usize = 16_384;
const BYTES_MAX: usize = 32 << 20;

/// One prepared statement.
#[derive(Debug)]
pub(super) struct Statement {
    /// As it was sent to the server: rewritten, if a plugin rewrote it.
    pub(super) text: Arc<[u8]>,
    pub(super) kind: Kind,
    pub(super) digest: u64,
    /// What an execution needs to find on its connection, and what it leaves behind.
    pub(super) follows: Follows,
    pub(super) trace: Trace,
    pub(super) parameters: usize,
    /// The types that the client has bound last, as they came, and how often they have changed.
    pub(super) types: Vec<u8>,
    pub(super) types_version: u32,
    /// Where the next execution must go: long data, or an open cursor, is there already.
    pub(super) bound_to: Option<Place>,
    /// Long data was lost with its connection: the next execution would be of something else.
    pub(super) broken: bool,
}

impl Statement {
    /// Takes note of the types in an execution. `argument` follows the command's code.
    pub(super) fn note_types(&mut self, argument: &[u8]) -> Types {
        if self.parameters == 0 {
            return Types::Sent;
        }
        let flag = 9 + self.parameters.div_ceil(8);
        match argument.get(flag) {
            Some(0) => Types::Omitted { flag },
            Some(_) => {
                let types = argument.get(flag + 1..flag + 1 + 2 * self.parameters);
                let types = types.unwrap_or_default();
                if types != self.types {
                    self.types = types.to_vec();
                    self.types_version += 1;
                }
                Types::Sent
            }
            // The server will say what is wrong with it.
            None => Types::Sent,
        }
    }
}

/// Whether an execution says of which types its parameters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Types {
    Sent,
    /// As before: the byte at this offset says so.
    Omitted {
        flag: usize,
    },
}

/// All statements of a session.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    statements: HashMap<u32, Statement>,
    last_id: u32,
    bytes: usize,
}

impl Prepared {
    /// No more can be prepared before some are closed.
    pub(super) fn is_full(&self, text: usize) -> bool {
        self.statements.len() >= STATEMENTS_MAX || self.bytes + text > BYTES_MAX
    }

    /// Gives a statement its number.
    pub(super) fn add(&mut self, statement: Statement) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1).max(1);
            if !self.statements.contains_key(&self.last_id) {
                break;
            }
        }
        self.bytes += statement.text.len();
        self.statements.insert(self.last_id, statement);
        self.last_id
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Statement> {
        self.statements.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Some(statement) = self.statements.remove(&id) {
            self.bytes -= statement.text.len();
        }
    }

    /// A connection is gone, and with it the long data and cursors that were there.
    pub(super) fn forget(&mut self, place: Place) {
        for statement in self.statements.values_mut() {
            if statement.bound_to == Some(place) {
                statement.bound_to = None;
                statement.broken = true;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &[u8], parameters: usize) -> Statement {
        Statement {
            text: text.into(),
            kind: Kind::Read,
            digest: 0,
            follows: Follows::Nothing,
            trace: Trace::None,
            parameters,
            types: Vec::new(),
            types_version: 0,
            bound_to: None,
            broken: false,
        }
    }

    #[test]
    fn numbers_are_never_given_twice_at_a_time() {
        let mut prepared = Prepared::default();
        let one = prepared.add(statement(b"SELECT 1", 0));
        prepared.last_id = u32::MAX;
        let other = prepared.add(statement(b"SELECT 2", 0));
        assert!(one != other && other != 0);
        prepared.remove(one);
        assert!(prepared.get(one).is_none() && prepared.get(other).is_some());
    }

    #[test]
    fn a_client_cannot_prepare_without_end() {
        let mut prepared = Prepared::default();
        assert!(prepared.is_full(BYTES_MAX + 1));
        for _ in 0..STATEMENTS_MAX {
            prepared.add(statement(b"", 0));
        }
        assert!(prepared.is_full(0));
    }

    #[test]
    fn types_are_remembered_for_servers_that_have_not_heard_them() {
        let mut statement = statement(b"SELECT ?, ?", 2);
        // id, flags, iterations, NULL bitmap, "new types", two types, values
        let first = [&[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1][..], &[8, 0, 253, 0], &[7; 9]].concat();
        assert_eq!(statement.note_types(&first), Types::Sent);
        assert_eq!((statement.types.as_slice(), statement.types_version), (&[8, 0, 253, 0][..], 1));
        let again = [&[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0][..], &[7; 9]].concat();
        assert_eq!(statement.note_types(&again), Types::Omitted { flag: 10 });
        statement.note_types(&first);
        assert_eq!(statement.types_version, 1);
        assert_eq!(statement.note_types(&first[..5]), Types::Sent);
    }
}
