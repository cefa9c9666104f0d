//! Taking what the client has sent.

use bytes::BytesMut;
use tidegate_hook::{Answer as Reply, OutcomeKind, StatementTraits};
use tidegate_postgres_wire::frame::{HEADER_LEN, Header};
use tidegate_postgres_wire::message::tag::frontend;
use tidegate_postgres_wire::message::{
    ErrorResponse, Severity, TransactionStatus, query, read_query,
};
use tidegate_postgres_wire::relay::{Answer, Request};
use tidegate_postgres_wire::sqlstate::FEATURE_NOT_SUPPORTED;
use tidegate_sql::Kind;
use tidegate_wire::Violation;

use super::batch::is_extended;
use super::statement::Asked;
use super::trace::Trace;
use super::{End, Session, farewell, reply};
use crate::pool::postgres::LeaseError;
use crate::route::Place;

/// So much of a message is held to be looked at; what is longer streams past.
pub(super) const HELD_MAX: usize = 64 << 10;

/// A client that sends faster than its server takes is not read further.
pub(super) const BACKLOG_MAX: usize = 256 << 10;

impl Session {
    /// Takes the requests that have come, as far as they have come whole.
    pub(super) async fn take_requests(&mut self) -> Result<(), End> {
        loop {
            let backlog = self.pipe.to_server.len();
            if !self.pass_over() {
                return Ok(());
            }
            if self.pipe.upload + self.pipe.rest > 0 || backlog > BACKLOG_MAX || self.is_full() {
                return Ok(());
            }
            // What may have to be sent again elsewhere is answered first.
            if self.pipe.held {
                return Ok(());
            }
            let Some(header) = self.header(0)? else { return Ok(()) };
            if self.listed.is_killed() && self.bonds.transaction.is_none() {
                return Err(End::Killed);
            }
            let taken = match header.tag {
                _ if self.owed.skipping && header.tag != frontend::TERMINATE => {
                    self.skip(header);
                    true
                }
                frontend::SYNC | frontend::TERMINATE if self.is_passed_over() => match header.tag {
                    frontend::TERMINATE => return Err(End::Quit),
                    _ => self.batch().await?,
                },
                _ if self.is_passed_over() => {
                    self.drop_message(header);
                    true
                }
                frontend::QUERY => Box::pin(self.query(header)).await?,
                frontend::FUNCTION_CALL => Box::pin(self.function_call(header)).await?,
                frontend::COPY_DATA | frontend::COPY_DONE | frontend::COPY_FAIL => {
                    self.copy(header)?
                }
                frontend::TERMINATE => return Err(End::Quit),
                tag if is_extended(tag) => self.batch().await?,
                _ => return Err(Violation::Unexpected { what: "message of a client" }.into()),
            };
            if !taken {
                return Ok(());
            }
        }
    }

    /// Drops bytes of the client that nobody wants; whether there are none any more.
    fn pass_over(&mut self) -> bool {
        let count = self.owed.passed_over.min(self.client.inbox.len());
        self.client.inbox.consume(count);
        self.owed.passed_over -= count;
        self.owed.passed_over == 0
    }

    /// The header of the message at this place of the client's inbox.
    pub(super) fn header(&self, at: usize) -> Result<Option<Header>, Violation> {
        let bytes = self.client.inbox.as_slice().get(at..).unwrap_or_default();
        let Some(header) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let header = Header::decode(*header)?;
        let max = self.listener.config().max_packet;
        if header.len > max {
            let (len, max) = (header.len as u64, max as u64);
            return Err(Violation::TooLong { what: "message", len, max });
        }
        Ok(Some(header))
    }

    fn is_full(&mut self) -> bool {
        let held = self.active.and_then(|place| self.leases.at(place));
        held.is_some_and(|held| held.leased.connection().scanner.is_full())
    }

    /// Passes over what the client sends behind an error of ours, up to its `Sync`.
    fn skip(&mut self, header: Header) {
        self.owed.passed_over = HEADER_LEN + header.len;
        if header.tag == frontend::SYNC || header.tag == frontend::QUERY {
            self.owed.skipping = false;
            reply::ready(&mut self.pipe.to_client, self.status);
        }
    }

    /// A simple query. `false`: it has not come far enough.
    async fn query(&mut self, header: Header) -> Result<bool, End> {
        let held = header.len.min(HELD_MAX);
        if self.client.inbox.len() < HEADER_LEN + held {
            return Ok(false);
        }
        let whole = held == header.len;
        let inbox = std::mem::take(&mut self.client.inbox);
        let payload = inbox.as_slice().get(HEADER_LEN..HEADER_LEN + held).unwrap_or_default();
        let text = match whole {
            true => read_query(payload),
            false => Ok(payload),
        };
        let asked = text.map(|text| match self.looks_away() {
            true => {
                self.opaque = true;
                Asked::unasked(Kind::Unknown)
            }
            false => {
                let mut traits = StatementTraits::empty();
                traits.set(StatementTraits::TRUNCATED, !whole);
                self.ask(text, traits)
            }
        });
        self.client.inbox = inbox;
        let mut asked = asked?;
        self.deallocates_here(&mut asked);
        self.prepared.remove(b"");
        self.hold_back(&asked).await;
        if let Some(answer) = &asked.verdict.answer {
            let answer = answer.clone();
            return Box::pin(self.answer_query(header, asked, &answer)).await.map(|()| true);
        }
        if self.asks_in_vain(&asked) {
            let refusal = Reply::Reject(sequence_refusal());
            return Box::pin(self.answer_query(header, asked, &refusal)).await.map(|()| true);
        }
        let place = match self.place_for(&asked).await? {
            Ok(place) => place,
            Err(error) => {
                self.refuse_message(header, &asked, &error);
                return Ok(true);
            }
        };
        if whole {
            self.mirror_query(&asked, header);
            let wished = self.wished(&asked);
            let digests = std::iter::once(asked.digest);
            self.arm_retry(place, wished, digests, HEADER_LEN + header.len);
        }
        self.send_pending(place)?;
        self.expect(place, Request::Query, Answer::Forward)?;
        match &asked.verdict.rewrite {
            Some(text) => {
                query(&mut self.pipe.to_server, text.as_bytes());
                self.drop_message(header);
            }
            None => self.pass(header, held),
        }
        self.begin(place, asked)?;
        self.owed.group().closed = true;
        Ok(true)
    }

    /// A statement is carried out. What changes the schema does so for what is prepared behind it.
    pub(super) fn begin(&mut self, place: Place, asked: Asked) -> Result<(), Violation> {
        if asked.traces.contains(&Trace::Schema)
            && let Some(held) = self.leases.at(place)
        {
            held.leased.server().schema_changed();
        }
        self.owed.begin(asked)
    }

    /// A statement that was prepared by the protocol has another name at the server: what gives it up is
    /// answered here.
    pub(super) fn deallocates_here(&mut self, asked: &mut Asked) {
        if let [Trace::Deallocate(Some(name))] = &*asked.traces
            && self.prepared.remove(name).is_some()
        {
            let info = "DEALLOCATE".to_owned();
            let done = tidegate_hook::Reply::Done { affected: 0, last_insert_id: 0, info };
            asked.verdict.answer = Some(Reply::Reply(done));
            asked.traces = super::trace::Traces::default();
        }
    }

    fn mirror_query(&self, asked: &Asked, header: Header) {
        if let Some(text) = &asked.verdict.rewrite {
            return self.mirror(asked, text.as_bytes());
        }
        let payload = self.client.inbox.as_slice().get(HEADER_LEN..HEADER_LEN + header.len);
        if let Some(Ok(text)) = payload.map(read_query) {
            self.mirror(asked, text);
        }
    }

    /// The oldest way to call a function: nobody looks at it.
    async fn function_call(&mut self, header: Header) -> Result<bool, End> {
        let held = header.len.min(HELD_MAX);
        if self.client.inbox.len() < HEADER_LEN + held {
            return Ok(false);
        }
        let mut asked = Asked::unasked(Kind::Call);
        asked.traces = super::trace::traces(b"CALL", Kind::Call, true);
        let place = match self.place_for(&asked).await? {
            Ok(place) => place,
            Err(error) => {
                self.refuse_message(header, &asked, &error);
                return Ok(true);
            }
        };
        self.send_pending(place)?;
        self.expect(place, Request::FunctionCall, Answer::Forward)?;
        self.pass(header, held);
        self.begin(place, asked)?;
        self.owed.group().closed = true;
        Ok(true)
    }

    /// Data of a COPY goes to the server as it comes, or, where none waits for it, nowhere.
    fn copy(&mut self, header: Header) -> Result<bool, End> {
        let len = HEADER_LEN + header.len;
        let Some(place) = self.active else {
            self.owed.passed_over = len;
            return Ok(true);
        };
        if header.tag != frontend::COPY_DATA {
            self.expect(place, Request::CopyEnd, Answer::Forward)?;
        }
        // What was sent before goes first; the pipe keeps that order.
        self.pipe.upload = len.min(self.client.inbox.len());
        self.pipe.rest = len - self.pipe.upload;
        Ok(false)
    }

    /// Where a statement goes that a hook has looked at. What was sent elsewhere before is answered
    /// first. The inner error is told to the client.
    pub(super) async fn place_for(
        &mut self,
        asked: &Asked,
    ) -> Result<Result<Place, LeaseError>, End> {
        let wished = self.wished(asked);
        self.place_at_rest(wished).await
    }

    /// As [`Self::place_for`], of a target.
    pub(super) async fn place_at_rest(
        &mut self,
        wished: Option<tidegate_hook::Target>,
    ) -> Result<Result<Place, LeaseError>, End> {
        if let Some(place) = self.bound() {
            return Ok(Ok(place));
        }
        self.drain().await?;
        // What was answered may have bound the session.
        let placed = self.place(wished).await;
        if let Ok(place) = placed {
            self.talk_to(place);
        }
        Ok(placed)
    }

    /// Waits until everything that was sent has been answered.
    pub(super) async fn drain(&mut self) -> Result<(), End> {
        while self.active.is_some() && self.is_busy() && self.bound().is_none() {
            if !self.follow().await? && self.is_busy() {
                Box::pin(self.wait(None)).await?;
            }
        }
        Ok(())
    }

    /// What a connection has to hear before anything else, of which the client does not know.
    pub(super) fn send_pending(&mut self, place: Place) -> Result<(), Violation> {
        let Some(held) = self.leases.at(place) else { return Ok(()) };
        let (pending, closing) = held.leased.connection().take_pending();
        self.pipe.to_server.extend_from_slice(&pending);
        for _ in 0..closing {
            self.expect(place, Request::Close, Answer::Drop)?;
        }
        Ok(())
    }

    /// Passes the message at the front of the client's inbox on, of which so much is held.
    pub(super) fn pass(&mut self, header: Header, held: usize) {
        let len = HEADER_LEN + held;
        let bytes = self.client.inbox.as_slice().get(..len).unwrap_or_default();
        self.pipe.to_server.extend_from_slice(bytes);
        self.client.inbox.consume(len);
        self.pipe.rest = header.len - held;
    }

    /// Drops the message at the front of the client's inbox.
    pub(super) fn drop_message(&mut self, header: Header) {
        self.owed.passed_over = HEADER_LEN + header.len;
        self.pass_over();
    }

    /// As [`Self::refuse`], of a request that is one message.
    fn refuse_message(&mut self, header: Header, asked: &Asked, error: &LeaseError) {
        self.refuse(asked, error);
        self.drop_message(header);
        reply::ready(&mut self.pipe.to_client, self.status);
    }

    /// No connection could be had. The client is told, and the session goes on.
    pub(super) fn refuse(&mut self, asked: &Asked, error: &LeaseError) {
        tracing::debug!(session = self.context.id, "no connection for a statement: {error}");
        let error = farewell::lease(error, Severity::Error);
        // What a server says to a login is fatal there, and not here.
        let error = match error.is_fatal() {
            true => ErrorResponse::new(Severity::Error, error.sqlstate(), error.message()),
            false => error,
        };
        self.finish(asked, None, OutcomeKind::ProxyError, Some(error.sqlstate()), 0);
        self.tell(&error);
    }

    /// It asks about a sequence, and no connection is the one to ask.
    pub(super) fn asks_in_vain(&mut self, asked: &Asked) -> bool {
        matches!(asked.kind, Kind::Read | Kind::Write)
            && asked.traces.contains(&Trace::AsksSequence)
            && self.bound().is_none()
            && self
                .listener
                .upstreams()
                .get(self.default.upstream)
                .is_some_and(|upstream| upstream.is_transactional())
    }

    /// A plugin wants the statement, or its answer, to come later.
    pub(super) async fn hold_back(&mut self, asked: &Asked) {
        if let Some(delay) = asked.verdict.delay() {
            Box::pin(tokio::time::sleep(delay)).await;
        }
    }

    /// Answers a simple query in the server's place.
    async fn answer_query(
        &mut self,
        header: Header,
        asked: Asked,
        answer: &Reply,
    ) -> Result<(), End> {
        let error = match answer {
            Reply::Reject(rejection) => Err(reply::rejection(rejection, Severity::Error)),
            Reply::Reply(made) => reply::check(made).map(|()| made),
        };
        match error {
            // An error of ours ends a transaction as one of the server's does.
            Err(error) if self.status == TransactionStatus::Open => {
                let Ok(place) = self.place_for(&asked).await? else { return Ok(()) };
                self.drop_message(header);
                query(&mut self.pipe.to_server, REFUSED);
                self.expect(place, Request::Query, Answer::Forward)?;
                self.substitute(error);
                self.begin(place, asked)?;
                self.owed.group().closed = true;
                return Ok(());
            }
            Err(error) => {
                self.drain().await?;
                self.drop_message(header);
                self.finish(&asked, None, OutcomeKind::Rejected, Some(error.sqlstate()), 0);
                self.tell(&error);
            }
            Ok(made) => {
                self.drain().await?;
                self.drop_message(header);
                let formats = reply::Formats::default();
                let mut out = BytesMut::new();
                if matches!(made, tidegate_hook::Reply::Rows(_)) {
                    reply::describe(&mut out, made, &formats);
                }
                reply::result(&mut out, made, &formats);
                self.pipe.to_client.extend_from_slice(&out);
                self.finish(&asked, None, OutcomeKind::Ok, None, 0);
            }
        }
        reply::ready(&mut self.pipe.to_client, self.status);
        Ok(())
    }
}

/// What no server can parse.
pub(super) const REFUSED: &[u8] = b"tidegate: refused";

/// Why `currval` and `lastval` are not answered.
pub(super) fn sequence_refusal() -> tidegate_hook::Rejection {
    tidegate_hook::Rejection {
        code: 0,
        sqlstate: FEATURE_NOT_SUPPORTED.as_str().to_owned(),
        message:
            "tidegate: currval() and lastval() need the connection that the sequence was used \
                  on; use them in the same transaction, or INSERT … RETURNING"
                .to_owned(),
    }
}
