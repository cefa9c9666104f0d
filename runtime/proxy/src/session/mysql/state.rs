//! What replies leave behind in a session, and which connections it needs from then on.

use std::sync::Arc;

use tidegate_hook::SessionState;
use tidegate_mysql_wire::relay::Summary;
use tidegate_mysql_wire::status::StatusFlags;
use tidegate_sql::Kind;
use tracing::debug;

use super::Session;
use super::leases::Leases;
use super::relay::Done;
use super::statement::is_change;
use super::trace::{Pin, Trace};
use crate::pool::mysql::SettingsFull;
use crate::route::Place;

/// The flags that are not about one reply only: those that replies of our own carry too.
pub(super) const LASTING: StatusFlags = StatusFlags::IN_TRANSACTION
    .union(StatusFlags::AUTOCOMMIT)
    .union(StatusFlags::NO_BACKSLASH_ESCAPES)
    .union(StatusFlags::IN_READ_ONLY_TRANSACTION)
    .union(StatusFlags::ANSI_QUOTES);

/// What the functions that count the rows of the last statement answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) found: u64,
    /// -1 after a statement that has rows, or an error.
    pub(super) changed: i64,
}

impl Session {
    pub(super) fn set_database(&mut self, database: Option<Arc<str>>) {
        if self.context.database != database {
            self.context.database = database;
            self.context.refresh_identity();
        }
    }

    /// Takes note of a reply that has come whole, and gives back what is not needed any more.
    pub(super) fn settle(&mut self, place: Place, kind: Kind, trace: &Trace, done: &Done) {
        let summary = done.summary;
        self.settle_transaction(place, kind, summary);
        self.last = Some(place);
        self.settle_counts(place, kind, summary);
        self.note_written(place, kind, done.told.committed.as_ref());
        if is_change(kind) {
            self.last_change = Some(place);
            self.context.state.insert(SessionState::WROTE);
        }
        if let Some(held) = self.leases.at(place) {
            // A kill that came late would hit the next statement, whosever it is.
            held.dirty |= done.killed;
        }
        if summary.error.is_none() {
            self.leave(place, trace);
            let unseen = matches!(
                trace,
                Trace::None | Trace::Unseen | Trace::CountsRows | Trace::SaysInsertId
            );
            if done.told.is_changed() && unseen && self.is_transactional(place) && !self.opaque {
                self.pin(place, &[Pin::Routine]);
            }
        } else if !matches!(trace, Trace::None | Trace::Undone) {
            self.leave_half(place, trace);
        }
        self.diagnostics =
            (summary.warnings > 0 || summary.error.is_some() || matches!(trace, Trace::CountsRows))
                .then_some(place);
        if let (Some(_), Some(held)) = (self.diagnostics, self.leases.at(place)) {
            held.has_own_messages = true;
        }
        self.release();
    }

    fn settle_transaction(&mut self, place: Place, kind: Kind, summary: Summary) {
        let Some(status) = summary.status else {
            return;
        };
        self.status = status & LASTING;
        let autocommit = status.contains(StatusFlags::AUTOCOMMIT);
        let open = status.contains(StatusFlags::IN_TRANSACTION);
        if open || !matches!(kind, Kind::SessionState | Kind::Admin) {
            self.next_transaction = false;
        }
        // A session that keeps its connections keeps them to one server while autocommit is off.
        let bound = open || self.next_transaction || !autocommit && !self.is_transactional(place);
        self.bonds.transaction = bound.then_some(place);
        self.context.state.set(SessionState::IN_TRANSACTION, open || !autocommit);
        let read_only = status.contains(StatusFlags::IN_READ_ONLY_TRANSACTION);
        self.context.state.set(SessionState::READ_ONLY, read_only);
    }

    fn settle_counts(&mut self, place: Place, kind: Kind, summary: Summary) {
        if summary.last_insert_id != 0 || kind == Kind::Call {
            self.note_inserted(place);
        }
        self.counts.changed = match kind {
            _ if summary.error.is_some() => -1,
            Kind::Read => -1,
            _ => i64::try_from(summary.affected).unwrap_or(i64::MAX),
        };
        if kind == Kind::Read && summary.error.is_none() {
            self.counts.found = summary.rows;
        }
    }

    /// What `LAST_INSERT_ID()` answers may be another number from now on, and this connection knows it.
    fn note_inserted(&mut self, place: Place) {
        for held in self.leases.iter_mut() {
            match held.place == place {
                true => held.inserted = true,
                false => held.knows_insert_id = false,
            }
        }
    }

    fn leave(&mut self, place: Place, trace: &Trace) {
        match trace {
            Trace::None | Trace::CountsRows | Trace::Undone => {}
            Trace::SaysInsertId => self.note_inserted(place),
            Trace::Unseen => {
                self.note_inserted(place);
                if let Some(held) = self.leases.at(place) {
                    held.dirty = true;
                }
            }
            Trace::Pins(pins) => self.pin(place, pins),
            Trace::Unpins(pin) => self.unpin(place, pin),
            Trace::NextTransaction => {
                self.next_transaction = true;
                self.bonds.transaction = Some(place);
            }
            Trace::Said { entry, database } => {
                if let Some(database) = database {
                    self.set_database(Some(Arc::clone(database)));
                }
                if self.settings.push(Arc::clone(entry)) == Err(SettingsFull) {
                    return self.pin(place, &[Pin::SessionVariable]);
                }
                // It was just said on this connection, which had heard all that came before.
                let said = self.settings.clone();
                if let Some(held) = self.leases.at(place) {
                    held.leased.connection().heard = said;
                }
            }
        }
    }

    /// A statement has failed that would have left something behind; perhaps it has left a part.
    fn leave_half(&mut self, place: Place, trace: &Trace) {
        if let Some(held) = self.leases.at(place) {
            held.dirty = true;
        }
        if let Trace::Pins(pins) = trace
            && pins.contains(&Pin::SessionVariable)
        {
            self.pin(place, pins);
        }
    }

    fn pin(&mut self, place: Place, pins: &[Pin]) {
        if self.pins.is_empty()
            && let Some(pin) = pins.first()
        {
            let reason = pin.reason();
            debug!(session = self.context.id, reason = reason.as_str(), "session is pinned");
            self.listener.metrics().pinned(reason);
        }
        for pin in pins {
            self.pins.add(pin, self.context.database.as_deref());
        }
        self.bonds.pin = Some(place);
        if let Some(held) = self.leases.at(place) {
            held.dirty = true;
        }
    }

    fn unpin(&mut self, place: Place, pin: &Pin) {
        self.pins.remove(pin, self.context.database.as_deref());
        if self.bonds.pin == Some(place) && self.pins.is_empty() {
            debug!(session = self.context.id, "session is pinned no longer");
            self.bonds.pin = None;
        }
    }

    /// Gives back the connections that hold nothing of the session's.
    fn release(&mut self) {
        let (bonds, diagnostics, opaque) = (self.bonds, self.diagnostics, self.opaque);
        let (upstreams, prepared) = (self.listener.upstreams(), &self.prepared);
        let unneeded = |held: &super::leases::Held| {
            let place = held.place;
            let transactional =
                upstreams.get(place.upstream).is_some_and(|upstream| upstream.is_transactional());
            transactional
                && !opaque
                && ![bonds.transaction, bonds.pin, diagnostics].contains(&Some(place))
                && !prepared.is_bound_to(place)
        };
        while let Some(held) = self.leases.take(unneeded) {
            if !self.listed.rests() {
                // Somebody's KILL is on its way to it.
                if held.inserted {
                    self.insert_id.ask(held.leased.close_asking());
                }
                continue;
            }
            if held.inserted {
                self.insert_id.ask(held.leased.give_back_asking(held.dirty));
            } else if held.dirty {
                held.leased.give_back_reset();
            } else {
                held.leased.give_back();
            }
        }
    }

    /// Gives all connections back, whatever they hold.
    pub(super) fn give_back_all(&mut self) {
        if self.listed.rests() {
            self.leases.give_back();
        } else {
            self.leases = Leases::default();
        }
    }

    pub(super) fn is_transactional(&self, place: Place) -> bool {
        let upstream = self.listener.upstreams().get(place.upstream);
        upstream.is_some_and(|upstream| upstream.is_transactional())
    }
}
