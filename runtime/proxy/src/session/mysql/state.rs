//! What statements leave behind in a session, and what follows from it for the next one.

use std::sync::Arc;

use tidegate_hook::SessionState;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::relay::Summary;
use tidegate_mysql_wire::status::StatusFlags;
use tidegate_sql::effects::{Effects, effects};
use tidegate_sql::{Dialect, Kind, TokenKind, tokens};
use tidegate_telemetry::PinReason;
use tracing::debug;

use super::Session;
use super::history::HistoryFull;
use super::statement::is_change;
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

/// What a statement needs to find on its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Follows {
    #[default]
    Nothing,
    /// What the statement before it left there: warnings, counts.
    LastStatement,
    /// What the last change left there: the number of an inserted row.
    LastChange,
}

/// What a statement of the client needs, and what it will leave behind. `text` is the whole of it.
pub(super) fn trace(kind: Kind, multiple: bool, text: &[u8]) -> (Follows, Trace) {
    let effects = effects(text, Dialect::Mysql);
    let follows = if effects.contains(Effects::LAST_INSERT_ID) {
        Follows::LastChange
    } else if effects.contains(Effects::DIAGNOSTICS) {
        Follows::LastStatement
    } else {
        Follows::Nothing
    };
    (follows, left(kind, multiple, text, effects))
}

fn left(kind: Kind, multiple: bool, text: &[u8], effects: Effects) -> Trace {
    if let Some(pin) = pin(effects) {
        return Trace::Pin(pin);
    }
    if !effects.contains(Effects::SESSION_STATE) {
        return Trace::None;
    }
    // A setting among other statements, or one of the whole server, cannot be said again alone.
    match (multiple, kind) {
        (true, _) => Trace::Pin(PinReason::SessionVariable),
        (false, Kind::SessionState) => match used_database(text) {
            Some(database) => Trace::Database(Command::Query, text.into(), database),
            None => Trace::Replayable(Command::Query, text.into()),
        },
        (false, _) => Trace::None,
    }
}

fn pin(effects: Effects) -> Option<PinReason> {
    [
        (Effects::TEMPORARY_TABLE, PinReason::TemporaryTable),
        (Effects::TABLE_LOCK, PinReason::TableLock),
        (Effects::NAMED_LOCK, PinReason::UserLock),
        (Effects::USER_VARIABLE, PinReason::UserVariable),
        (Effects::SQL_PREPARE, PinReason::PreparedStatement),
    ]
    .into_iter()
    .find_map(|(effect, pin)| effects.contains(effect).then_some(pin))
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
        self.last = Some(place);
        if is_change(kind) {
            self.last_change = Some(place);
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
        trace(analysis.kind, analysis.multiple, text.as_bytes()).1
    }

    #[test]
    fn settings_are_replayed_and_reads_leave_nothing() {
        assert!(matches!(traced("SET NAMES utf8mb4"), Trace::Replayable(..)));
        assert!(matches!(traced("set session sql_mode = ''"), Trace::Replayable(..)));
        assert!(matches!(traced("SELECT * FROM t WHERE a = 1"), Trace::None));
        assert!(matches!(traced("INSERT INTO t VALUES (1)"), Trace::None));
    }

    #[test]
    fn what_the_last_statement_left_is_looked_for_where_it_left_it() {
        let follows = |text: &str| trace(Kind::Read, false, text.as_bytes()).0;
        assert_eq!(follows("SELECT a FROM t"), Follows::Nothing);
        assert_eq!(follows("SELECT FOUND_ROWS()"), Follows::LastStatement);
        assert_eq!(follows("SHOW WARNINGS"), Follows::LastStatement);
        assert_eq!(follows("SELECT LAST_INSERT_ID()"), Follows::LastChange);
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
