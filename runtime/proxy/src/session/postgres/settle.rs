//! What statements leave behind in a session, and which connections it needs from then on.

use std::sync::Arc;

use tidegate_hook::{OutcomeKind, SessionState};
use tidegate_postgres_wire::message::{ErrorResponse, Severity, TransactionStatus};
use tidegate_postgres_wire::relay::Summary;
use tidegate_postgres_wire::sqlstate::SqlState;
use tidegate_sql::Kind;
use tracing::{debug, warn};

use super::leases::Held;
use super::pins::Pin;
use super::replies::Group;
use super::statement::{Asked, is_change};
use super::trace::Trace;
use super::{End, Session, farewell};
use crate::pool::ServerLost;
use crate::pool::postgres::{Settings, Victim, cancel};
use crate::route::Place;

const STRINGS: &str = "standard_conforming_strings";

/// What a function may have left on a connection without anybody seeing it: a temporary table, a lock,
/// something that it listens to, a cursor, a prepared statement.
const LEFT: &str = "SELECT pg_my_temp_schema() <> 0 AND EXISTS (SELECT FROM pg_class \
     WHERE relnamespace = pg_my_temp_schema()), \
     EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), \
     EXISTS (SELECT FROM pg_listening_channels()), \
     EXISTS (SELECT FROM pg_cursors WHERE is_holdable), \
     EXISTS (SELECT FROM pg_prepared_statements WHERE from_sql), \
     (SELECT coalesce(string_agg(name, ','), '') FROM pg_settings WHERE source = 'session')";

impl Session {
    /// Takes note of a `ReadyForQuery`.
    pub(super) fn settle(&mut self, place: Place) {
        self.pipe.held = false;
        self.owed.retry = None;
        self.owed.retried = false;
        self.confirm(place);
        let Some(held) = self.leases.at(place) else { return };
        let scanner = &mut held.leased.connection().scanner;
        let (status, summary) = (scanner.status(), scanner.take_summary());
        let Some(Group { asked, .. }) = self.owed.groups.pop_front() else { return };
        let before = std::mem::replace(&mut self.status, status);
        self.bonds.transaction = (status != TransactionStatus::Idle).then_some(place);
        self.note_state(status);
        if before == TransactionStatus::Idle && status != TransactionStatus::Idle {
            self.before = Some(self.settings.clone());
        }
        let last = asked.len().saturating_sub(1);
        let rolls_back = |asked: &Asked| asked.traces.contains(&Trace::RollsBack);
        let undoes = asked.iter().any(rolls_back);
        for (at, asked) in asked.iter().enumerate() {
            if is_change(asked.kind) {
                self.context.state.insert(SessionState::WROTE);
            }
            self.note_written(place, asked.kind);
            match summary.error {
                // Of several, one undoes others, and perhaps not all.
                None if last > 0 && undoes && !rolls_back(asked) => {
                    asked.traces.iter().for_each(|trace| self.leave_perhaps(place, trace));
                }
                None => asked.traces.iter().for_each(|trace| self.leave(place, trace)),
                Some(_) if asked.traces.is_empty() => {}
                // Perhaps it has left a part.
                Some(_) => self.soil(place, &asked.traces),
            }
            let rows = if at == last { rows(summary) } else { 0 };
            let outcome = match (summary.error, self.owed.ended) {
                (Some(_), true) => OutcomeKind::TimedOut,
                (Some(_), false) => OutcomeKind::ServerError,
                (None, _) => OutcomeKind::Ok,
            };
            self.finish(asked, Some(place), outcome, summary.error, rows);
        }
        let has = |kind| match kind {
            Kind::Rollback => undoes,
            kind => asked.iter().any(|asked| asked.kind == kind),
        };
        let undone = before == TransactionStatus::Failed
            || before == TransactionStatus::Open
                && (has(Kind::Rollback) || has(Kind::Commit) && summary.error.is_some());
        match status {
            TransactionStatus::Idle => self.end_transaction(place, undone),
            // One that is chained to another begins where that has ended.
            TransactionStatus::Open if has(Kind::Rollback) || has(Kind::Commit) => {
                self.end_transaction(place, has(Kind::Rollback));
                self.before = Some(self.settings.clone());
            }
            _ => {}
        }
    }

    /// What was set in a transaction that is undone is as it was before.
    fn end_transaction(&mut self, place: Place, undone: bool) {
        self.portals.clear();
        let (pinned, unpinned) =
            (std::mem::take(&mut self.pinned), std::mem::take(&mut self.unpinned));
        for pin in if undone { pinned } else { unpinned } {
            self.unpin(place, &pin);
        }
        let before = self.before.take();
        if let Some(before) = before.filter(|_| undone) {
            self.settings = before;
            if let Some(held) = self.leases.at(place) {
                held.leased.connection().heard = self.settings.clone();
            }
        }
    }

    fn note_state(&mut self, status: TransactionStatus) {
        let state = &mut self.context.state;
        state.set(SessionState::IN_TRANSACTION, status != TransactionStatus::Idle);
        state.set(SessionState::TRANSACTION_FAILED, status == TransactionStatus::Failed);
    }

    fn leave(&mut self, place: Place, trace: &Trace) {
        match trace {
            Trace::Set { name, statement } => {
                let said = self.said(name).unwrap_or_else(|| statement.to_string());
                match self.settings.set(name, &said) {
                    Ok(()) => self.heard(place, |heard| drop(heard.set(name, &said))),
                    Err(_) => self.pin(place, &Pin::SessionVariable),
                }
                if &**name == "search_path" && statement.to_ascii_lowercase().contains("pg_temp") {
                    self.pin(place, &Pin::TemporaryTable(None));
                }
                // Texts cannot be read here that escape by backslashes.
                if &**name == STRINGS && !self.told.has_standard_strings() {
                    self.pin(place, &Pin::SessionVariable);
                }
            }
            Trace::Reset { name } => {
                self.settings.reset(name);
                self.heard(place, |heard| heard.reset(name));
                // What a reset leads back to is what the client logged in with.
                self.settings.add_one(&self.initial, name);
            }
            Trace::ResetAll => {
                self.settings.reset_all();
                self.heard(place, Settings::reset_all);
                self.settings.add(&self.initial);
            }
            Trace::Discard => self.discard(place),
            Trace::Deallocate(None) => {
                self.prepared.clear();
                self.unpin(place, &Pin::PreparedStatement(None));
                if let Some(held) = self.leases.at(place) {
                    held.leased.connection().forget_statements();
                }
            }
            Trace::Deallocate(Some(name)) => {
                self.prepared.remove(name);
                self.unpin(place, &Pin::PreparedStatement(Some(name.clone())));
            }
            Trace::Pin(pin) => {
                if pin.is_transactional() && self.bonds.transaction.is_some() {
                    self.pinned.push(pin.clone());
                }
                self.pin(place, pin);
            }
            Trace::Unpin(pin) if pin.is_transactional() && self.bonds.transaction.is_some() => {
                self.unpinned.push(pin.clone());
            }
            Trace::Unpin(pin) => self.unpin(place, pin),
            Trace::Schema => {
                if let Some(held) = self.leases.at(place) {
                    held.leased.server().schema_changed();
                }
            }
            // What was set in this transaction is perhaps not, and what was dropped is perhaps there.
            Trace::RollsBackTo => {
                self.unpinned.clear();
                let changed = |before: &Settings| !before.is_same(&self.settings);
                if self.bonds.transaction.is_some() && self.before.as_ref().is_some_and(changed) {
                    self.pin(place, &Pin::SessionVariable);
                }
            }
            Trace::AsksSequence | Trace::Begins | Trace::RollsBack => {}
            Trace::Unseen => {
                if let Some(held) = self.leases.at(place) {
                    held.unseen = true;
                }
            }
        }
    }

    /// As [`Self::leave`], where it may have been undone since.
    fn leave_perhaps(&mut self, place: Place, trace: &Trace) {
        match trace {
            Trace::Set { .. } | Trace::Reset { .. } | Trace::ResetAll => {
                self.pin(place, &Pin::SessionVariable);
            }
            Trace::Unpin(pin) if pin.is_transactional() => {}
            _ => self.leave(place, trace),
        }
    }

    /// How a setting is said again that a part of it was said of: from what the server tells of it.
    fn said(&self, name: &str) -> Option<String> {
        let whole = self.told.get("DateStyle").filter(|_| name == "datestyle")?;
        Some(format!("SET datestyle = '{}'", String::from_utf8_lossy(whole)))
    }

    /// It was just said on this connection.
    fn heard(&mut self, place: Place, said: impl FnOnce(&mut Settings)) {
        if let Some(held) = self.leases.at(place) {
            said(&mut held.leased.connection().heard);
        }
    }

    /// `DISCARD ALL`.
    fn discard(&mut self, place: Place) {
        self.prepared.clear();
        self.pins.clear();
        self.pinned.clear();
        self.unpinned.clear();
        self.bonds.pin = None;
        self.heard(place, |heard| *heard = Settings::default());
        self.settings = self.initial.clone();
        if let Some(held) = self.leases.at(place) {
            held.leased.connection().forget_statements();
            (held.dirty, held.unseen) = (false, false);
        }
    }

    /// Statements have failed that would have left something behind.
    fn soil(&mut self, place: Place, traces: &[Trace]) {
        if let Some(held) = self.leases.at(place) {
            held.dirty = true;
        }
        // Of several statements, some may have been carried out, and made to stay.
        if traces.len() > 1 && traces.iter().any(|trace| matches!(trace, Trace::Set { .. })) {
            self.pin(place, &Pin::SessionVariable);
        }
        // A lock is held also by a statement that fails behind it.
        for trace in traces {
            if let Trace::Pin(pin @ (Pin::AdvisoryLock(_) | Pin::SessionVariable)) = trace {
                self.pin(place, pin);
            }
        }
    }

    pub(super) fn pin(&mut self, place: Place, pin: &Pin) {
        if self.pins.is_empty() {
            let reason = pin.reason();
            debug!(session = self.context.id, reason = reason.as_str(), "session is pinned");
            self.listener.metrics().pinned(reason);
        }
        self.pins.add(pin);
        self.bonds.pin = Some(place);
        if let Some(held) = self.leases.at(place) {
            held.dirty = true;
        }
    }

    fn unpin(&mut self, place: Place, pin: &Pin) {
        self.pins.remove(pin);
        if self.bonds.pin == Some(place) && self.pins.is_empty() {
            debug!(session = self.context.id, "session is pinned no longer");
            self.bonds.pin = None;
        }
    }

    /// The connection has answered everything. `true`: there may be room for more requests.
    pub(super) async fn rest(&mut self, place: Place) -> Result<bool, End> {
        let Some(held) = self.leases.at(place) else { return Ok(true) };
        let connection = held.leased.connection();
        let was_busy = self.owed.sent() > 0;
        if !connection.scanner.is_idle() {
            return Ok(false);
        }
        let is_clean = connection.is_clean();
        self.owes_nothing();
        if !is_clean || !self.pipe.to_server.is_empty() || self.pipe.upload + self.pipe.rest > 0 {
            return Ok(was_busy);
        }
        if !self.is_transactional(place) || self.opaque || self.bonds.pin == Some(place) {
            return Ok(was_busy);
        }
        let Some(held) = self.leases.at(place) else { return Ok(true) };
        self.pipe.try_send(&mut self.client, &mut held.leased.connection().conn);
        self.pipe.stage(&mut held.leased.connection().conn);
        if held.unseen && !held.dirty && !self.look_for_leftovers(place).await {
            return Ok(true);
        }
        self.active = None;
        if let Some(held) = self.leases.take(place) {
            self.give_back(held);
        }
        Ok(true)
    }

    /// Whether the connection can be given back after functions have run that nobody knows.
    async fn look_for_leftovers(&mut self, place: Place) -> bool {
        let Some(held) = self.leases.at(place) else { return false };
        held.unseen = false;
        let left = match held.leased.connection().query(LEFT).await {
            Ok(Ok(rows)) => {
                let cells = rows.first().map_or(&[][..], |row| row);
                let (settings, others) = cells.split_last().unwrap_or((&None, &[]));
                let names = settings.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                others.iter().any(|cell| cell.as_deref() == Some(b"t"))
                    || names.split(',').any(|name| !name.is_empty() && !self.settings.has(name))
            }
            Ok(Err(_)) => true,
            Err(_) => {
                self.drop_at(place);
                return false;
            }
        };
        if left {
            self.pin(place, &Pin::Routine);
        }
        !left
    }

    fn give_back(&mut self, held: Held) {
        if !self.listed.rests() {
            // Somebody is about to end what runs on it.
            return;
        }
        match held.dirty {
            true => held.leased.give_back_reset(),
            false => held.leased.give_back(),
        }
    }

    /// Gives all connections back, whatever they hold.
    pub(super) fn give_back_all(&mut self) {
        self.active = None;
        let rests = self.listed.rests();
        for mut held in self.leases.drain().collect::<Vec<_>>() {
            let is_idle = held.leased.connection().scanner.is_idle();
            match (rests && is_idle, held.used) {
                (true, true) => held.leased.give_back_reset(),
                (true, false) => held.leased.give_back(),
                // It is closed; what it has been sent, its server still carries out.
                (false, _) => {}
            }
        }
    }

    /// What runs can never be made to stay, as nobody is there any more who could say so.
    pub(super) fn is_in_vain(&self) -> bool {
        let begins = |asked: &Asked| asked.traces.contains(&Trace::Begins);
        self.status != TransactionStatus::Idle
            || self.owed.groups.iter().flat_map(|group| &group.asked).any(begins)
    }

    /// Ends what the session has left behind.
    pub(super) fn end_in_vain(&mut self) {
        let held = self.active.and_then(|place| self.leases.at(place));
        let Some(held) = held else { return };
        if held.leased.connection().scanner.is_idle() {
            return;
        }
        let server = Arc::clone(held.leased.server());
        let Some(key) = held.leased.connection().cancel_key.clone() else { return };
        tokio::spawn(async move {
            if let Err(error) = cancel(&server, &Victim(key)).await {
                debug!(server = %server.address, "cannot cancel: {error}");
            }
        });
    }

    pub(super) fn is_transactional(&self, place: Place) -> bool {
        let upstream = self.listener.upstreams().get(place.upstream);
        upstream.is_some_and(|upstream| upstream.is_transactional())
    }

    /// A connection was lost, perhaps under a statement. The client is told as much as it can hear.
    pub(super) async fn lost(&mut self, why: &str) -> Result<(), End> {
        let Some(place) = self.active else { return Ok(()) };
        let Some(held) = self.leases.at(place) else { return Ok(()) };
        let server = Arc::clone(held.leased.server());
        let boundary = held.leased.connection().scanner.at_boundary();
        let owes = !held.leased.connection().scanner.is_idle();
        server.failed(&ServerLost::Closed);
        self.pipe.stage(&mut held.leased.connection().conn);
        self.pipe.to_server.clear();
        self.pipe.held = false;
        self.pipe.joins = false;
        let bound = self.bonds.transaction.is_some() || self.bonds.pin.is_some() || self.opaque;
        self.drop_at(place);
        let address = &*server.address;
        if !owes && !bound {
            debug!(
                session = self.context.id,
                server = address,
                "an idle connection was lost: {why}"
            );
            return Ok(());
        }
        let consequence = match (self.bonds.transaction, self.bonds.pin) {
            (Some(_), _) => "The open transaction is lost, and so this session ends.",
            (None, Some(_)) => "The session's state is lost, and so it ends.",
            (None, None) if self.opaque => "The session ends.",
            (None, None) => "Whether the statement was carried out is not known.",
        };
        warn!(session = self.context.id, server = address, "{why}; {consequence}");
        let severity = if bound { Severity::Fatal } else { Severity::Error };
        let error = farewell::server_lost(severity, address, why, consequence);
        self.finish_all(place, OutcomeKind::ProxyError, error.sqlstate());
        if !boundary {
            return Err(End::Server(why.to_owned()));
        }
        error.encode(&mut self.pipe.to_client);
        if bound {
            self.flush().await?;
            return Err(End::Server(why.to_owned()));
        }
        self.fail_rest();
        Ok(())
    }

    /// What was sent has failed, and nobody answers it: the client expects a `ReadyForQuery` for each
    /// of its groups, and what it has not sent yet of the last is passed over.
    fn fail_rest(&mut self) {
        let groups = std::mem::take(&mut self.owed.groups);
        let open = groups.back().is_some_and(|group| !group.closed);
        self.owes_nothing();
        self.status = TransactionStatus::Idle;
        self.note_state(self.status);
        for _ in groups.iter().filter(|group| group.closed) {
            super::reply::ready(&mut self.pipe.to_client, self.status);
        }
        self.owed.skipping = open;
    }

    /// Tells metrics, the query log and observers how everything went that was on its way.
    pub(super) fn finish_all(&mut self, place: Place, outcome: OutcomeKind, error: SqlState) {
        for group in std::mem::take(&mut self.owed.groups) {
            for asked in &group.asked {
                self.finish(asked, Some(place), outcome, Some(error), 0);
            }
            let empty = Group { asked: Vec::new(), closed: group.closed };
            self.owed.groups.push_back(empty);
        }
    }

    /// A statement takes too long: its server is told to end it, and says so.
    pub(super) async fn end_statement(&mut self) -> Result<(), End> {
        self.owed.end();
        let Some(held) = self.active.and_then(|place| self.leases.at(place)) else {
            return Ok(());
        };
        let server = Arc::clone(held.leased.server());
        // A cancellation that came late would hit the next statement, whosever it is.
        held.dirty = true;
        let Some(key) = held.leased.connection().cancel_key.clone() else { return Ok(()) };
        if let Err(error) = cancel(&server, &Victim(key)).await {
            warn!(server = %server.address, "cannot cancel a statement: {error}");
        }
        Ok(())
    }

    /// An error of ours, in the place of whatever the client has asked for.
    pub(super) fn tell(&mut self, error: &ErrorResponse) {
        error.encode(&mut self.pipe.to_client);
    }
}

fn rows(summary: Summary) -> u64 {
    if summary.rows > 0 { summary.rows } else { summary.changed }
}
