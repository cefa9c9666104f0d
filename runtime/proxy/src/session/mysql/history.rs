//! What a session has said about itself, so that it can be said again on another connection.

use std::sync::Arc;

use tidegate_mysql_wire::command::Command;

/// More than this is not kept; the session then stays on its connection.
const ENTRIES_MAX: usize = 256;
const BYTES_MAX: usize = 64 << 10;

/// A command that changed the state of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) command: Command,
    pub(super) argument: Arc<[u8]>,
}

/// The commands in their order.
#[derive(Debug, Default)]
pub(super) struct History {
    entries: Vec<Entry>,
    bytes: usize,
}

/// The history is as long as it may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HistoryFull;

impl History {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What a connection that has seen `replayed` entries has missed.
    pub(super) fn since(&self, replayed: usize) -> Vec<Entry> {
        self.entries.get(replayed..).unwrap_or_default().to_vec()
    }

    /// Notes a command that the server has accepted.
    pub(super) fn push(&mut self, command: Command, argument: &[u8]) -> Result<(), HistoryFull> {
        let repeated = self
            .entries
            .last()
            .is_some_and(|last| last.command == command && *last.argument == *argument);
        if repeated {
            return Ok(());
        }
        if self.entries.len() == ENTRIES_MAX || self.bytes + argument.len() > BYTES_MAX {
            return Err(HistoryFull);
        }
        self.bytes += argument.len();
        self.entries.push(Entry { command, argument: argument.into() });
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_commands_are_kept_once_and_the_whole_is_bounded() {
        let mut history = History::default();
        history.push(Command::Query, b"SET NAMES utf8mb4").unwrap();
        history.push(Command::Query, b"SET NAMES utf8mb4").unwrap();
        history.push(Command::InitDb, b"shop").unwrap();
        assert_eq!((history.len(), history.since(1).len()), (2, 1));
        assert_eq!(history.push(Command::Query, &[b'x'; BYTES_MAX]), Err(HistoryFull));
        for n in 0_u32..254 {
            history.push(Command::Query, &n.to_le_bytes()).unwrap();
        }
        assert_eq!(history.push(Command::Query, b"SET a = 1"), Err(HistoryFull));
    }
}
