//! Following what a server says.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tidegate_postgres_wire::message::ErrorResponse;
use tidegate_postgres_wire::relay::{Answer, Reached, Request};
use tidegate_postgres_wire::sqlstate::{READ_ONLY_SQL_TRANSACTION, SqlState};
use tidegate_wire::Violation;
use tokio::time::Instant;

use super::prepared::Statement;
use super::statement::Asked;
use super::{Answers, End, Session};
use crate::pool::Content;
use crate::pool::postgres::Victim;
use crate::route::Place;

/// What a server says of a plan whose result is another one since it was made.
const FEATURE_NOT_SUPPORTED: SqlState = SqlState(*b"0A000");

/// So many statements are not confirmed one by one.
const UNCONFIRMED_MANY: usize = 64;

/// So many statements can have one `Sync`.
const GROUP_MAX: usize = 1 << 16;

/// More than this of a reply is not kept back.
const REPLY_HELD_MAX: usize = 16 << 10;

/// Statements whose end the same `ReadyForQuery` tells.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) asked: Vec<Asked>,
    /// The request that it answers was sent.
    pub(super) closed: bool,
}

/// A statement that was prepared, without the server having said so yet.
#[derive(Debug)]
struct Unconfirmed {
    /// Its request's number among all that were sent.
    request: u64,
    /// What the client calls it; `None` where it is only the server that has to know it.
    name: Option<Box<[u8]>>,
    statement: Arc<Statement>,
}

/// What may be sent again to another server.
#[derive(Debug)]
pub(super) struct Retry {
    /// As the client sent it.
    pub(super) requests: Bytes,
    pub(super) digests: Vec<u64>,
    /// So many bytes waited for the client before.
    pub(super) before: usize,
}

/// What is known of the requests that are on their way.
#[derive(Debug, Default)]
pub(super) struct Owed {
    pub(super) groups: VecDeque<Group>,
    pub(super) answers: Answers,
    unconfirmed: Vec<Unconfirmed>,
    /// So many requests have been sent, or are ours to answer.
    sent: u64,
    /// What is told in the place of the error of this request.
    substitute: Option<(u64, ErrorResponse)>,
    pub(super) retry: Option<Retry>,
    /// The requests that come next were sent before.
    pub(super) retried: bool,
    /// tidegate ends what runs at this time.
    deadline: Option<Instant>,
    /// It has.
    pub(super) ended: bool,
    /// The statement that was asked about last, until it is executed.
    pub(super) just_asked: Option<(Arc<Statement>, Asked)>,
    /// What the client sends is passed over until its `Sync`.
    pub(super) skipping: bool,
    /// So many bytes that the client sends are for nobody.
    pub(super) passed_over: usize,
}

impl Owed {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// The time is over for what runs.
    pub(super) fn end(&mut self) {
        self.deadline = None;
        self.ended = true;
    }

    /// The group that the next request belongs to.
    pub(super) fn group(&mut self) -> &mut Group {
        if self.groups.back().is_none_or(|group| group.closed) {
            self.groups.push_back(Group::default());
        }
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }

    /// A statement is carried out, which may take so long.
    ///
    /// # Errors
    /// A violation if there are more than makes sense before a `Sync`.
    pub(super) fn begin(&mut self, asked: Asked) -> Result<(), Violation> {
        if let Some(limit) = asked.verdict.timeout {
            self.deadline = Some(Instant::now() + limit);
        }
        let group = self.group();
        if group.asked.len() >= GROUP_MAX {
            let (len, max) = (group.asked.len() as u64, GROUP_MAX as u64);
            return Err(Violation::TooLong { what: "batch of statements", len, max });
        }
        group.asked.push(asked);
        Ok(())
    }
}

impl Session {
    /// Sends a request to the connection, or holds it back to be answered with `answer`. Whether there
    /// will be an answer: behind an error there is none.
    pub(super) fn expect(
        &mut self,
        place: Place,
        request: Request,
        answer: Answer,
    ) -> Result<bool, Violation> {
        let Some(held) = self.leases.at(place) else { return Ok(false) };
        held.used = true;
        let scanner = &mut held.leased.connection().scanner;
        let before = scanner.owed();
        scanner.expect(request, answer)?;
        let is_owed = scanner.owed() > before;
        self.owed.sent += u64::from(is_owed);
        self.talk_to(place);
        Ok(is_owed)
    }

    /// From now on it is this connection that is talked to.
    pub(super) fn talk_to(&mut self, place: Place) {
        if self.active == Some(place) {
            return;
        }
        self.active = Some(place);
        let held = self.leases.at(place);
        if let Some(key) = held.and_then(|held| held.leased.connection().cancel_key.clone()) {
            self.listed.runs(place, Victim(key));
        }
    }

    /// The server passes over what it is sent, up to a `Sync`.
    pub(super) fn is_passed_over(&mut self) -> bool {
        let held = self.active.and_then(|place| self.leases.at(place));
        held.is_some_and(|held| held.leased.connection().scanner.is_skipping())
    }

    /// As [`Self::expect`], of what is answered here.
    pub(super) fn answer_in_turn(
        &mut self,
        place: Place,
        request: Request,
        answer: BytesMut,
    ) -> Result<bool, Violation> {
        let is_owed = self.expect(place, request, Answer::Ours)?;
        if is_owed {
            self.owed.answers.push_back(answer);
        }
        Ok(is_owed)
    }

    /// The request that was sent last prepares this statement for the client.
    pub(super) fn unconfirmed(&mut self, name: &[u8], statement: &Arc<Statement>) {
        self.note_unconfirmed(Some(name.into()), statement);
    }

    /// The request that was sent last has the server prepare this statement.
    pub(super) fn taught(&mut self, statement: &Arc<Statement>) {
        self.note_unconfirmed(None, statement);
    }

    fn note_unconfirmed(&mut self, name: Option<Box<[u8]>>, statement: &Arc<Statement>) {
        let request = self.owed.sent.saturating_sub(1);
        let statement = Arc::clone(statement);
        self.owed.unconfirmed.push(Unconfirmed { request, name, statement });
    }

    /// The request that was sent last will fail; this is why.
    pub(super) fn substitute(&mut self, error: ErrorResponse) {
        self.owed.substitute = Some((self.owed.sent.saturating_sub(1), error));
    }

    /// Takes note of what has come from the server. `true`: there may be room for more requests.
    pub(super) async fn follow(&mut self) -> Result<bool, End> {
        loop {
            let Some(place) = self.active else { return Ok(false) };
            let Some(held) = self.leases.at(place) else {
                self.active = None;
                return Ok(false);
            };
            let connection = held.leased.connection();
            let bytes = connection.conn.inbox.as_slice().get(self.pipe.forward..);
            let scan = match connection.scanner.scan(bytes.unwrap_or_default()) {
                Ok(scan) => scan,
                Err(violation) => {
                    let why = format!("the server broke the protocol: {violation}");
                    Box::pin(self.lost(&why)).await?;
                    return Ok(true);
                }
            };
            self.pipe.forward += scan.forward;
            let changes = connection.scanner.take_changes();
            for status in changes.iter() {
                connection.shown.set(&status)?;
                self.told.set(&status)?;
            }
            match scan.reached {
                Reached::More => {
                    self.let_go();
                    self.confirm_many(place);
                    return Ok(false);
                }
                Reached::Drop(count) => {
                    self.pipe.stage(&mut connection.conn);
                    connection.conn.inbox.consume(count);
                }
                Reached::Ours(request) => {
                    self.pipe.stage(&mut connection.conn);
                    connection.scanner.answered();
                    if request == Request::Sync {
                        self.owed.groups.pop_front();
                    }
                    if let Some(answer) = self.owed.answers.pop_front() {
                        self.pipe.to_client.extend_from_slice(&answer);
                    }
                }
                Reached::Error(error) => {
                    if self.failed(place, error) {
                        Box::pin(self.try_again(place)).await?;
                        return Ok(true);
                    }
                }
                Reached::CopyIn | Reached::CopyBoth => self.pipe.held = false,
                Reached::Ready => self.settle(place),
                Reached::Answered if self.is_unsynced() => {
                    self.pipe.held = false;
                    self.confirm_many(place);
                    return Ok(false);
                }
                Reached::Answered => return Box::pin(self.rest(place)).await,
            }
        }
    }

    /// What was kept back need not be any longer, or is too much.
    fn let_go(&mut self) {
        let kept = self.pipe.forward + self.pipe.to_client.len();
        if self.pipe.held && kept > REPLY_HELD_MAX {
            self.pipe.held = false;
            self.owed.retry = None;
        }
    }

    /// A request has failed. `true`: it is tried again elsewhere, and the client hears nothing.
    fn failed(&mut self, place: Place, error: SqlState) -> bool {
        let Some(held) = self.leases.at(place) else { return false };
        let connection = held.leased.connection();
        let owed = u64::try_from(connection.scanner.owed()).unwrap_or_default();
        let failing = self.owed.sent.saturating_sub(owed);
        if error == READ_ONLY_SQL_TRANSACTION && self.pipe.held && self.owed.retry.is_some() {
            return true;
        }
        // The server says goodbye, and the session goes on: it is told what that means for it, if
        // anything, when the connection is closed.
        let is_bound = self.bonds.pin.is_some() || self.bonds.transaction.is_some() || self.opaque;
        if !is_bound && (owed == 0 || error.0.starts_with(b"57P0")) {
            held.leased.connection().scanner.drop_error();
            return false;
        }
        // What the client holds prepared is still there, but not what is known of it here.
        if error == FEATURE_NOT_SUPPORTED {
            held.leased.server().schema_changed();
        }
        let connection = held.leased.connection();
        for Unconfirmed { request, name, statement } in self.owed.unconfirmed.drain(..) {
            let Some(name) = name else {
                forget(connection, &statement.content);
                continue;
            };
            let is_it = |known: &Arc<Statement>| Arc::ptr_eq(known, &statement);
            if request >= failing && self.prepared.get(&name).is_some_and(is_it) {
                self.prepared.remove(&name);
            }
        }
        if let Some((_, error)) = self.owed.substitute.take_if(|(at, _)| *at == failing) {
            connection.scanner.drop_error();
            self.pipe.stage(&mut connection.conn);
            error.encode(&mut self.pipe.to_client);
        }
        false
    }

    /// As [`Self::confirm`], where there are enough of them.
    fn confirm_many(&mut self, place: Place) {
        if self.owed.unconfirmed.len() >= UNCONFIRMED_MANY {
            self.confirm(place);
        }
    }

    /// All statements that were prepared up to here are known to be.
    pub(super) fn confirm(&mut self, place: Place) {
        let Some(held) = self.leases.at(place) else { return };
        let owed = u64::try_from(held.leased.connection().scanner.owed()).unwrap_or_default();
        let done = self.owed.sent.saturating_sub(owed);
        self.owed.unconfirmed.retain(|unconfirmed| unconfirmed.request >= done);
        // Behind an error nobody answers what was still to come before its `Sync`.
        let ours = held.leased.connection().scanner.owed_by_us();
        while self.owed.answers.len() > ours {
            self.owed.answers.pop_front();
        }
        if owed == 0 {
            self.owed.deadline = None;
            self.owed.substitute = None;
        }
    }

    /// Nothing is owed by anybody any more.
    pub(super) fn owes_nothing(&mut self) {
        let Owed { skipping, passed_over, retried, .. } = self.owed;
        self.owed = Owed { skipping, passed_over, retried, ..Owed::default() };
        self.pipe.held = false;
        self.pipe.joins = false;
    }

    /// Has everything undone that the requests did which are tried again.
    pub(super) fn undo_unconfirmed(&mut self, place: Place) {
        let Some(held) = self.leases.at(place) else { return };
        let connection = held.leased.connection();
        for Unconfirmed { name, statement, .. } in self.owed.unconfirmed.drain(..) {
            match name {
                None => forget(connection, &statement.content),
                Some(name) => drop(self.prepared.remove(&name)),
            }
        }
    }
}

/// A statement that the server may not know after all.
fn forget(connection: &mut crate::pool::postgres::ServerConn, content: &Content) {
    if let Some(id) = connection.statements.remove(content) {
        connection.close_statements(&[id]);
    }
}
