//! What statements leave behind in a session, and what follows from it for the next one.

use std::sync::Arc;

use tidegate_hook::SessionState;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::relay::Summary;
use tidegate_mysql_wire::status::StatusFlags;
use tidegate_sql::{Dialect, Kind, TokenKind, tokens};
use tidegate_telemetry::PinReason;
use tracing::debug;

use super::Session;
use super::history::HistoryFull;
use crate::route::Place;

/// What a statement will have done to the session once the server has accepted it.
#[derive(Clone, Debug, Default)]
pub(super) enum Trace {
    #[default]
    None,
    /// It can be said again on another connection.
    Replayable(Command, Arc<[u8]>),
    /// As [`Self::Replayable`], and this is the database from now on.
    Database(Command, Arc<[u8]>, Arc<str>),
    /// It lives on this connection only.
    Pin(PinReason),
}

/// What a statement of the client will leave behind. `text` is the whole of it.
pub(super) fn trace(kind: Kind, multiple: bool, text: &[u8]) -> Trace {
    /*SHIM*/
    if kind != Kind::SessionState {
        let hidden = multiple;
        return if hidden { Trace::Pin(PinReason::SessionVariable) } else { Trace::None };
    }
    if multiple {
        return Trace::Pin(PinReason::SessionVariable);
    }
    match used_database(text) {
        Some(database) => Trace::Database(Command::Query, text.into(), database),
        None => Trace::Replayable(Command::Query, text.into()),
    }
}

/// The database that a `USE` names.
fn used_database(text: &[u8]) -> Option<Arc<str>> {
    let mut words = tokens(text, Dialect::Mysql).filter(|token| token.kind != TokenKind::Comment);
    if !words.next()?.bytes.eq_ignore_ascii_case(b"USE") {
        return None;
    }
    let name = words.next()?;
    let text = std::str::from_utf8(name.bytes).ok()?;
    Some(match name.kind {
        TokenKind::QuotedName => {
            let inner = text.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
            inner.unwrap_or(text).replace("``", "`").into()
        }
        _ => text.into(),
    })
}

impl Session {
    /// The flags that a reply of our own carries.
    pub(super) fn status(&self) -> StatusFlags {
        let mut status = StatusFlags::AUTOCOMMIT;
        status.set(StatusFlags::IN_TRANSACTION, self.bonds.transaction.is_some());
        status
    }

    pub(super) fn set_database(&mut self, database: Option<Arc<str>>) {
        if self.context.database != database {
            self.context.database = database;
            self.context.refresh_identity();
        }
    }

    /// Takes note of a reply that has come whole.
    pub(super) fn settle(&mut self, place: Place, kind: Kind, trace: Trace, summary: Summary) {
        if let Some(status) = summary.status {
            let open = status.contains(StatusFlags::IN_TRANSACTION)
                || !status.contains(StatusFlags::AUTOCOMMIT);
            self.bonds.transaction = open.then_some(place);
            self.context.state.set(SessionState::IN_TRANSACTION, open);
            let read_only = status.contains(StatusFlags::IN_READ_ONLY_TRANSACTION);
            self.context.state.set(SessionState::READ_ONLY, read_only);
        }
        if matches!(kind, Kind::Write | Kind::Ddl | Kind::Call) {
            self.context.state.insert(SessionState::WROTE);
        }
        if summary.error.is_none() {
            self.leave(place, trace);
        }
    }

    fn leave(&mut self, place: Place, trace: Trace) {
        let pushed = match trace {
            Trace::None => return,
            Trace::Pin(reason) => return self.pin(place, reason),
            Trace::Replayable(command, argument) => self.history.push(command, &argument),
            Trace::Database(command, argument, database) => {
                self.set_database(Some(database));
                self.history.push(command, &argument)
            }
        };
        if pushed == Err(HistoryFull) {
            return self.pin(place, PinReason::SessionVariable);
        }
        // It was just said on this connection, which had heard all that came before.
        let said = self.history.len();
        if let Some(held) = self.leases.at(place) {
            held.replayed = said;
        }
    }

    fn pin(&mut self, place: Place, reason: PinReason) {
        if self.bonds.pin.is_none() {
            debug!(session = self.context.id, reason = reason.as_str(), "session is pinned");
            self.bonds.pin = Some(place);
            self.listener.metrics().pinned(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(text: &str) -> Trace {
        let analysis = tidegate_sql::analyze(text.as_bytes(), Dialect::Mysql);
        trace(analysis.kind, analysis.multiple, text.as_bytes())
    }

    #[test]
    fn settings_are_replayed_and_reads_leave_nothing() {
        assert!(matches!(traced("SET NAMES utf8mb4"), Trace::Replayable(..)));
        assert!(matches!(traced("set session sql_mode = ''"), Trace::Replayable(..)));
        assert!(matches!(traced("SELECT * FROM t WHERE a = 1"), Trace::None));
        assert!(matches!(traced("INSERT INTO t VALUES (1)"), Trace::None));
    }

    #[test]
    fn the_database_is_followed() {
        for (text, name) in
            [("use shop", "shop"), ("USE `a``b`", "a`b"), ("/* x */ USE  db ;", "db")]
        {
            match traced(text) {
                Trace::Database(_, _, database) => assert_eq!(&*database, name, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_lives_on_one_connection_pins() {
        for text in [
            "CREATE TEMPORARY TABLE t (a INT)",
            "LOCK TABLES t WRITE",
            "SELECT GET_LOCK('a', 1)",
            "SET @a = 1",
            "SELECT 1; SET NAMES latin1",
            "PREPARE s FROM 'SELECT 1'",
        ] {
            assert!(matches!(traced(text), Trace::Pin(_)), "{text}: {:?}", traced(text));
        }
    }
}
