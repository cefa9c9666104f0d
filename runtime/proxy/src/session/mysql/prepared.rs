//! The client's prepared statements, under numbers of our own, so that any server can know them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tidegate_sql::Kind;

use super::statement::Asked;
use super::trace::{Follows, Trace};
use crate::pool::Content;
use crate::pool::mysql::Settings;
use crate::route::Place;

/// A client that forgets to close its statements is stopped here.
const STATEMENTS_MAX: usize = 16_384;
const BYTES_MAX: usize = 32 << 20;

/// One prepared statement.
#[derive(Debug)]
pub(super) struct Statement {
    /// As it was sent to the server: rewritten, if a plugin rewrote it.
    pub(super) content: Content,
    /// The session's settings when it was prepared.
    pub(super) settings: Settings,
    pub(super) kind: Kind,
    pub(super) digest: u64,
    /// What an execution needs to find on its connection, and what it leaves behind.
    pub(super) follows: Follows,
    pub(super) trace: Trace,
    pub(super) parameters: usize,
    /// The types that the client has bound last, as they came; with those of attributes.
    pub(super) types: Vec<u8>,
    /// The parameters that were sent as long data since the last execution.
    pub(super) long_data: Vec<u16>,
    /// Where the next execution must go: long data, or an open cursor, is there already.
    bound_to: Option<Place>,
    /// Long data was lost with its connection: the next execution would be of something else.
    pub(super) broken: bool,
}

impl Statement {
    pub(super) fn new(content: Content, settings: Settings, asked: &Asked) -> Self {
        Self {
            content,
            settings,
            kind: asked.kind,
            digest: asked.digest,
            follows: asked.follows,
            trace: asked.trace.clone(),
            parameters: 0,
            types: Vec::new(),
            long_data: Vec::new(),
            bound_to: None,
            broken: false,
        }
    }

    pub(super) fn bound_to(&self) -> Option<Place> {
        self.bound_to
    }

    /// Takes note of a parameter in a `COM_STMT_SEND_LONG_DATA`.
    pub(super) fn note_long_data(&mut self, argument: &[u8]) {
        let parameter = argument.get(4..).and_then(<[u8]>::first_chunk);
        if let Some(parameter) = parameter.map(|bytes| u16::from_le_bytes(*bytes))
            && usize::from(parameter) < self.parameters
            && !self.long_data.contains(&parameter)
        {
            self.long_data.push(parameter);
        }
    }

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
    /// Their contents, by hash.
    contents: HashSet<u64>,
    last_id: u32,
    bytes: usize,
    /// How many are bound to a connection.
    bound: usize,
}

impl Prepared {
    /// No more can be prepared before some are closed.
    pub(super) fn is_full(&self, text: usize) -> bool {
        self.statements.len() >= STATEMENTS_MAX || self.bytes + text > BYTES_MAX
    }

    /// What servers know a statement by. One that is prepared twice is two: each has its own cursor.
    pub(super) fn content(&self, text: Arc<[u8]>, settings: &Settings) -> Content {
        let mut content = Content::new(text, settings.shape(), 0);
        while self.contents.contains(&content.hash()) {
            content = Content::new(content.text, content.shape, content.copy + 1);
        }
        content
    }

    /// Gives a statement its number.
    pub(super) fn add(&mut self, statement: Statement) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1).max(1);
            let taken = self.last_id == u32::MAX || self.statements.contains_key(&self.last_id);
            if !taken {
                break;
            }
        }
        self.bytes += statement.content.text.len();
        self.contents.insert(statement.content.hash());
        self.statements.insert(self.last_id, statement);
        self.last_id
    }

    /// The statement that was prepared last.
    pub(super) fn last(&self) -> Option<u32> {
        self.statements.contains_key(&self.last_id).then_some(self.last_id)
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Statement> {
        self.statements.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Statement> {
        let statement = self.statements.remove(&id)?;
        self.bytes -= statement.content.text.len();
        self.contents.remove(&statement.content.hash());
        self.bound -= usize::from(statement.bound_to.is_some());
        Some(statement)
    }

    /// Says where the next execution must go.
    pub(super) fn bind(&mut self, id: u32, place: Option<Place>) {
        if let Some(statement) = self.statements.get_mut(&id) {
            self.bound -= usize::from(statement.bound_to.is_some());
            self.bound += usize::from(place.is_some());
            statement.bound_to = place;
        }
    }

    /// Long data or a cursor is on the connection there.
    pub(super) fn is_bound_to(&self, place: Place) -> bool {
        self.bound > 0 && self.statements.values().any(|known| known.bound_to == Some(place))
    }

    /// A connection is gone, and with it the long data and cursors that were there.
    pub(super) fn forget(&mut self, place: Place) {
        if self.bound == 0 {
            return;
        }
        for statement in self.statements.values_mut() {
            if statement.bound_to == Some(place) {
                statement.bound_to = None;
                statement.broken = true;
                self.bound -= 1;
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

    fn statement(prepared: &Prepared, text: &[u8]) -> Statement {
        let content = prepared.content(text.into(), &Settings::default());
        Statement::new(content, Settings::default(), &Asked::unasked(Kind::Read, Trace::None))
    }

    #[test]
    fn numbers_are_never_given_twice_at_a_time() {
        let mut prepared = Prepared::default();
        let one = statement(&prepared, b"SELECT 1");
        let one = prepared.add(one);
        prepared.last_id = u32::MAX;
        let other = statement(&prepared, b"SELECT 2");
        let other = prepared.add(other);
        assert!(one != other && other != 0);
        prepared.remove(one);
        assert!(prepared.get(one).is_none() && prepared.get(other).is_some());
    }

    #[test]
    fn a_client_cannot_prepare_without_end() {
        let mut prepared = Prepared::default();
        assert!(prepared.is_full(BYTES_MAX + 1));
        for n in 0..STATEMENTS_MAX {
            let statement = statement(&prepared, n.to_string().as_bytes());
            prepared.add(statement);
        }
        assert!(prepared.is_full(0));
    }

    #[test]
    fn one_that_is_prepared_twice_is_two() {
        let mut prepared = Prepared::default();
        let one = statement(&prepared, b"SELECT 1");
        let hash = one.content.hash();
        let one = prepared.add(one);
        let other = statement(&prepared, b"SELECT 1");
        assert_ne!(other.content.hash(), hash);
        prepared.remove(one);
        assert_eq!(statement(&prepared, b"SELECT 1").content.hash(), hash);
    }

    #[test]
    fn a_lost_connection_breaks_what_was_bound_to_it() {
        let mut prepared = Prepared::default();
        let id = prepared.add(statement(&Prepared::default(), b"SELECT 1"));
        let place = Place { upstream: 0, server: 1 };
        prepared.bind(id, Some(place));
        assert!(prepared.is_bound_to(place));
        prepared.forget(place);
        assert!(!prepared.is_bound_to(place) && prepared.get(id).unwrap().broken);
    }

    #[test]
    fn types_are_remembered_for_servers_that_have_not_heard_them() {
        let mut statement = statement(&Prepared::default(), b"SELECT ?, ?");
        statement.parameters = 2;
        // id, flags, iterations, NULL bitmap, "new types", two types, values
        let first = [&[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1][..], &[8, 0, 253, 0], &[7; 9]].concat();
        assert_eq!(statement.note_types(&first), Types::Sent);
        assert_eq!(statement.types, [8, 0, 253, 0]);
        let again = [&[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0][..], &[7; 9]].concat();
        assert_eq!(statement.note_types(&again), Types::Omitted { flag: 10 });
        assert_eq!(statement.note_types(&first[..5]), Types::Sent);
    }
}
