//! What queries and executions have in common: asking, choosing a connection, sending, relaying,
//! and saying how it went.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tidegate_hook::{
    Answer, Attribute, Hooked, Outcome, OutcomeKind, Statement, StatementTraits, Target, Verdict,
};
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::frame::HEADER_LEN;
use tidegate_mysql_wire::packet::ErrPacket;
use tidegate_mysql_wire::relay::{Expect, Side};
use tidegate_sql::{Dialect, Kind, analyze};
use tracing::{debug, warn};

use super::command::{ClientLost, Head, Rest};
use super::relay::{Done, RelayError, Sides, TimeLimit, relay};
use super::trace::{Follows, Reading, Trace, trace};
use super::{End, Session, farewell, reply};
use crate::conn::{Conn, Inbox};
use crate::listener::Finished;
use crate::pool::ServerLost;
use crate::pool::mysql::{Borrower, Identity, LeaseError, Missed, Settings, write_command};
use crate::route::{Place, Route, route};

/// How many connections may turn out to be of no use before a statement could be sent on one.
pub(super) struct Tries {
    lost: u8,
    /// Others have left them so; there are not so many in most pools.
    unclean: u8,
}

impl Default for Tries {
    fn default() -> Self {
        Self { lost: 3, unclean: 100 }
    }
}

/// What uses a table and is right leaves no message, also not of a statement before.
const CLEAR_MESSAGES: &str = "SELECT 1 FROM (SELECT 1) AS nothing";

/// A statement between its arrival and its end.
pub(super) struct Asked {
    pub(super) started: Instant,
    pub(super) kind: Kind,
    pub(super) digest: u64,
    pub(super) verdict: Verdict,
    pub(super) follows: Follows,
    pub(super) trace: Trace,
    /// The text for the query log, where there is one.
    pub(super) logged: Option<Arc<[u8]>>,
}

/// What is sent to a server.
pub(super) enum Outgoing {
    /// The client's own bytes, from the front of its inbox.
    Frames(Head),
    /// A command of ours in the place of the client's, which is gone from the inbox.
    Packet(Packet),
    /// Bytes of ours in the place of the part that is held; the rest follows as it comes.
    Head(BytesMut, Head),
}

/// A command of ours.
pub(super) struct Packet {
    pub(super) bytes: BytesMut,
    /// The number of the first packet of the reply.
    pub(super) sequence: u8,
    /// Bytes of attributes between the code and the text of a query.
    pub(super) attributes: usize,
}

impl Packet {
    pub(super) fn new(command: Command, attributes: &[u8], argument: &[u8]) -> Self {
        let mut bytes = BytesMut::new();
        let sequence = write_command(&mut bytes, command, attributes, argument);
        Self { bytes, sequence, attributes: attributes.len() }
    }
}

impl Outgoing {
    /// For a server that would take the attributes of a query for text.
    fn blank_attributes(&mut self, inbox: &mut Inbox) {
        match self {
            Self::Frames(head) => head.attributes_mut(inbox).fill(b' '),
            Self::Packet(packet) => {
                let text = packet.bytes.get_mut(HEADER_LEN + 1..).unwrap_or_default();
                text.get_mut(..packet.attributes).unwrap_or_default().fill(b' ');
            }
            Self::Head(..) => {}
        }
    }
}

impl Session {
    /// Looks at a statement, if anyone wants to, and asks the plugins about it.
    pub(super) fn ask(
        &mut self,
        text: &[u8],
        mut traits: StatementTraits,
        attributes: &[Attribute<'_>],
    ) -> Asked {
        let started = Instant::now();
        let wanted = self.listener.hooks().wanted(self.context.listener);
        if wanted.is_empty() && !self.listener.looks_at_statements() {
            self.opaque = true;
            return Asked { started, ..Asked::unasked(Kind::Unknown, Trace::None) };
        }
        let analysis = analyze(text, Dialect::Mysql);
        traits.set(StatementTraits::MULTIPLE, analysis.multiple);
        let (kind, digest) = (analysis.kind, analysis.digest);
        let verdict =
            self.decide(wanted, &Statement { bytes: text, kind, traits, digest, attributes });
        let sent = verdict.rewrite.as_deref().map_or(text, str::as_bytes);
        let truncated = verdict.rewrite.is_none() && traits.contains(StatementTraits::TRUNCATED);
        let reading = Reading { kind, multiple: analysis.multiple, truncated };
        let (follows, trace) = trace(sent, reading);
        let logged = self.listener.logs_statements().then(|| text.into());
        Asked { started, kind, digest, verdict, follows, trace, logged }
    }

    /// Asks the plugins about the execution of a statement that was looked at when prepared.
    pub(super) fn ask_again(&mut self, id: u32, attributes: &[Attribute<'_>]) -> Asked {
        let started = Instant::now();
        let wanted = self.listener.hooks().wanted(self.context.listener);
        let Some(prepared) = self.prepared.get(id) else {
            return Asked::unasked(Kind::Unknown, Trace::None);
        };
        let (kind, digest) = (prepared.kind, prepared.digest);
        let (follows, trace) = (prepared.follows, prepared.trace.clone());
        let text = Arc::clone(&prepared.content.text);
        let traits = StatementTraits::PREPARED;
        let verdict =
            self.decide(wanted, &Statement { bytes: &text, kind, traits, digest, attributes });
        let logged = self.listener.logs_statements().then_some(text);
        Asked { started, kind, digest, verdict, follows, trace, logged }
    }

    fn decide(&mut self, wanted: Hooked, statement: &Statement<'_>) -> Verdict {
        if wanted.contains(Hooked::SQL) {
            self.listener.hooks().on_statement(&mut self.context, statement)
        } else {
            Verdict::default()
        }
    }

    /// The connection that a statement goes to.
    pub(super) async fn place(&mut self, asked: &Asked) -> Result<Place, LeaseError> {
        let followed = match asked.follows {
            Follows::Nothing | Follows::ConnectionId => None,
            Follows::LastChange => self.last_change,
            // A change has its place; what it wants to know of a read elsewhere it cannot have.
            _ if is_change(asked.kind) => None,
            _ => self.last,
        };
        if let Some(place) = followed.filter(|place| self.leases.at(*place).is_some()) {
            return Ok(place);
        }
        let wished = asked.verdict.target.and_then(|id| self.listener.targets().get(id));
        let target = match route(self.bonds, wished, self.default) {
            Route::Held(place) if self.leases.at(place).is_some() => return Ok(place),
            // What bound the session was lost with its server and said so; it starts anew.
            Route::Held(_) => self.default,
            Route::To(target) => target,
        };
        if self.must_follow(target) {
            return Box::pin(self.place_after_write(target)).await;
        }
        self.place_at(target).await
    }

    /// As [`Self::place`]; the connection has heard what the session has said. One that is lost
    /// before that is replaced, if nothing of the session lives there: nothing was sent yet that
    /// could be carried out twice.
    pub(super) async fn place_ready(&mut self, asked: &Asked) -> Result<Place, LeaseError> {
        let mut tries = Tries::default();
        loop {
            let place = self.place(asked).await?;
            if self.is_bound_to(place) || !self.is_behind(place, asked.follows) {
                return Ok(place);
            }
            match Box::pin(self.catch_up(place, asked.follows)).await {
                Ok(()) => return Ok(place),
                Err(lost) => self.abandon(place, lost, &mut tries)?,
            }
        }
    }

    /// What is on this connection cannot be had on another.
    pub(super) fn is_bound_to(&self, place: Place) -> bool {
        self.opaque
            || [self.bonds.transaction, self.bonds.pin].contains(&Some(place))
            || self.prepared.is_bound_to(place)
    }

    /// Gives up a connection that is lost, and on which nothing was sent that matters.
    ///
    /// # Errors
    /// There are no tries left.
    pub(super) fn abandon(
        &mut self,
        place: Place,
        why: ServerLost,
        tries: &mut Tries,
    ) -> Result<(), LeaseError> {
        let server = self.leases.at(place).map(|held| Arc::clone(held.leased.server()));
        self.leases.drop_at(place);
        self.prepared.forget(place);
        let address = server.as_ref().map_or("a server", |server| &server.address).to_owned();
        let unclean = matches!(why, ServerLost::Unclean);
        if let Some(server) = server.filter(|_| !unclean) {
            server.failed(&why);
        }
        let left = if unclean { &mut tries.unclean } else { &mut tries.lost };
        *left = left.saturating_sub(1);
        if *left == 0 {
            return Err(LeaseError::Lost { server: address, source: why });
        }
        debug!(session = self.context.id, server = %address, "lost before a statement: {why}");
        Ok(())
    }

    pub(super) fn borrower(&self) -> Borrower<'_> {
        Borrower {
            identity: &self.identity,
            credential: &self.credential,
            state: self.settings.fingerprint(),
        }
    }

    /// A connection that serves a target: one that the session holds, or another one.
    pub(super) async fn place_at(&mut self, target: Target) -> Result<Place, LeaseError> {
        if let Some(place) = self.leases.for_target(target, self.listener.upstreams()) {
            let bound = self.bonds.pin == Some(place) || self.opaque;
            let stale = self.leases.at(place).is_some_and(|held| held.is_stale());
            if bound || !stale {
                return Ok(place);
            }
            debug!(session = self.context.id, "an idle connection was closed by its server");
            self.leases.drop_at(place);
            self.prepared.forget(place);
        }
        let upstream = self.listener.upstreams().get(target.upstream);
        let upstream = upstream.ok_or_else(|| LeaseError::NoServer { target: String::new() })?;
        let borrower = self.borrower();
        let leased = match upstream.lease_idle(target.member, borrower) {
            Some(leased) => leased,
            // What is rare is boxed, here and below: an idle session is as large as its largest wait.
            None => Box::pin(upstream.lease(target.member, borrower)).await?,
        };
        Ok(self.hold(leased))
    }

    /// Sends a statement to the connection and relays the reply. `Ok(None)`: it failed, the client
    /// was told, and the session goes on.
    pub(super) async fn run_at(
        &mut self,
        place: Place,
        outgoing: &mut Outgoing,
        expect: Expect,
        asked: &Asked,
    ) -> Result<Option<Done>, End> {
        if !self.begin(place, outgoing, asked).await? {
            return Ok(None);
        }
        self.relay_from(place, expect, asked).await
    }

    /// Sends a statement, after what the connection has missed. `false`: as [`Self::run_at`].
    pub(super) async fn begin(
        &mut self,
        place: Place,
        outgoing: &mut Outgoing,
        asked: &Asked,
    ) -> Result<bool, End> {
        if self.is_behind(place, asked.follows)
            && let Err(lost) = Box::pin(self.catch_up(place, asked.follows)).await
        {
            self.drain(outgoing).await?;
            Box::pin(self.lost(place, asked, &lost, Some(self.reply_sequence))).await?;
            return Ok(false);
        }
        if let Err(error) = self.send_at(place, outgoing).await? {
            // The server may have said why, so its answer is still awaited.
            debug!("the server took no more of a statement: {error}");
        }
        Ok(true)
    }

    /// Sends a command. The inner error is the server's.
    pub(super) async fn send_at(
        &mut self,
        place: Place,
        outgoing: &mut Outgoing,
    ) -> Result<Result<(), std::io::Error>, End> {
        let max = self.listener.config().max_packet;
        let Some(held) = self.leases.at(place) else {
            return Err(End::Server("no connection is held there".to_owned()));
        };
        held.used = true;
        if !held.capabilities().contains(Capabilities::QUERY_ATTRIBUTES) {
            outgoing.blank_attributes(&mut self.client.inbox);
        }
        let connection = held.leased.connection();
        self.listed.runs(place, connection.session.connection_id);
        let mut pending = std::mem::take(&mut connection.pending);
        let server = &mut connection.conn;
        let Sent { sequence, last, outcome } =
            send(&mut self.client, server, outgoing, &mut pending, max).await?;
        if let Some(sequence) = last {
            self.reply_sequence = sequence;
        }
        held.reply_sequence = sequence;
        Ok(outcome)
    }

    /// Relays the reply to what was sent. `Ok(None)`: as [`Self::run_at`].
    pub(super) async fn relay_from(
        &mut self,
        place: Place,
        expect: Expect,
        asked: &Asked,
    ) -> Result<Option<Done>, End> {
        let limit = asked.verdict.timeout.map(|after| self.time_limit(place, after));
        let Some(held) = self.leases.at(place) else {
            return Err(End::Server("no connection is held there".to_owned()));
        };
        let client = Side::new(self.capabilities, self.reply_sequence);
        let sides = Sides {
            client: client.compressed(self.client.is_compressed()),
            server: Side::new(held.capabilities(), held.reply_sequence),
        };
        let server = &mut held.leased.connection().conn;
        match relay(&mut self.client, server, expect, sides, limit).await {
            Ok(done) => Ok(Some(done)),
            Err(RelayError::Client(error)) => {
                // The server is in the middle of a reply that nobody will read.
                self.leases.drop_at(place);
                self.finish(asked, place, OutcomeKind::ClientGone, 0, 0);
                Err(ClientLost::Io(error).into())
            }
            Err(RelayError::Server { source, boundary }) => {
                Box::pin(self.lost(place, asked, &source, boundary)).await?;
                Ok(None)
            }
        }
    }

    /// The session has said something elsewhere that this connection has not heard, or it has heard
    /// what this session has not said.
    pub(super) fn is_behind(&mut self, place: Place, follows: Follows) -> bool {
        let transactional = self.is_transactional(place);
        let Some(held) = self.leases.at(place) else {
            return false;
        };
        follows == Follows::LastChange && transactional && !held.knows_insert_id
            || follows == Follows::Warnings && transactional && !held.has_own_messages
            || !held.leased.connection().heard.is_same(&self.settings)
    }

    /// Brings this connection to where the session is.
    pub(super) async fn catch_up(
        &mut self,
        place: Place,
        follows: Follows,
    ) -> Result<(), ServerLost> {
        let settings = self.settings.clone();
        self.bring(place, &settings).await?;
        if follows == Follows::LastChange && self.is_transactional(place) {
            self.tell_insert_id(place).await?;
        }
        if follows == Follows::Warnings
            && self.is_transactional(place)
            && let Some(held) = self.leases.at(place)
            && !held.has_own_messages
        {
            held.leased.connection().query(CLEAR_MESSAGES).await?.ok();
            held.has_own_messages = true;
        }
        Ok(())
    }

    /// Gives a connection these settings. One that has heard what is not among them is reset.
    pub(super) async fn bring(
        &mut self,
        place: Place,
        settings: &Settings,
    ) -> Result<(), ServerLost> {
        let Some(held) = self.leases.at(place) else {
            return Ok(());
        };
        held.used = true;
        if settings.missed_by(&held.leased.connection().heard) == Missed::StartOver {
            self.save_from_reset(place).await?;
        }
        let Some(held) = self.leases.at(place) else {
            return Ok(());
        };
        let heard = held.leased.bring(settings).await?;
        self.note_refused(place, heard);
        Ok(())
    }

    /// Takes note of what a connection will have forgotten after a reset.
    async fn save_from_reset(&mut self, place: Place) -> Result<(), ServerLost> {
        if self.leases.at(place).is_some_and(|held| held.inserted) {
            self.tell_insert_id(place).await?;
        }
        if let Some(held) = self.leases.at(place) {
            held.inserted = false;
            held.knows_insert_id = false;
            held.has_own_messages = false;
        }
        Ok(())
    }

    /// Brings a connection from where the session was before to where it is now.
    pub(super) async fn bring_forward(&mut self, place: Place) -> Result<(), ServerLost> {
        let settings = self.settings.clone();
        let Some(held) = self.leases.at(place) else {
            return Ok(());
        };
        let heard = held.leased.bring_forward(&settings).await?;
        self.note_refused(place, heard);
        Ok(())
    }

    fn note_refused(&mut self, place: Place, heard: Result<(), ErrPacket>) {
        if let (Err(refused), Some(held)) = (heard, self.leases.at(place)) {
            held.dirty = true;
            warn!(
                session = self.context.id,
                server = %held.leased.server().address,
                "a setting of the session was refused on another server: {refused}"
            );
        }
    }

    /// What ends a statement that takes too long: `KILL QUERY` on a connection of its own.
    fn time_limit(&mut self, place: Place, after: Duration) -> TimeLimit {
        let identity = Identity { database: None, ..(*self.identity).clone() };
        let credential = self.credential.clone();
        let victim = self.leases.at(place).map(|held| {
            let id = held.leased.connection().session.connection_id;
            (Arc::clone(held.leased.server()), id)
        });
        let kill = async move {
            let Some((server, id)) = victim else { return };
            match server.dial(&identity, &credential).await {
                Ok(mut killer) => {
                    let killed = killer.query(&format!("KILL QUERY {id}")).await;
                    debug!(server = %server.address, ok = killed.is_ok(), "killed a statement");
                }
                Err(error) => warn!(server = %server.address, "cannot kill a statement: {error}"),
            }
        };
        TimeLimit { after, kill: Box::pin(kill) }
    }

    /// A connection was lost under a statement. The client is told as much as it can hear.
    pub(super) async fn lost(
        &mut self,
        place: Place,
        asked: &Asked,
        why: &ServerLost,
        boundary: Option<u8>,
    ) -> Result<(), End> {
        let server = self.leases.at(place).map(|held| Arc::clone(held.leased.server()));
        let address = server.as_ref().map_or("a server", |server| &server.address).to_owned();
        if let Some(server) = server.as_ref().filter(|_| !matches!(why, ServerLost::Unclean)) {
            server.failed(why);
        }
        let bound = self.bonds.transaction.is_some() || self.bonds.pin.is_some() || self.opaque;
        self.leases.drop_at(place);
        self.prepared.forget(place);
        let consequence = match (self.bonds.transaction, self.bonds.pin) {
            (Some(_), _) => "; the open transaction is lost, and so this session ends",
            (None, Some(_)) => "; the session's state is lost, and so it ends",
            (None, None) if self.opaque => "; the session ends",
            (None, None) => "; whether it was carried out is not known",
        };
        warn!(session = self.context.id, server = %address, "{why}{consequence}");
        let error = farewell::server_lost(&address, &why.to_string(), consequence);
        self.finish(asked, place, OutcomeKind::ProxyError, error.code, 0);
        let Some(sequence) = boundary else {
            return Err(End::Server(why.to_string()));
        };
        self.send_error(sequence, &error).await?;
        if bound { Err(End::Server(why.to_string())) } else { Ok(()) }
    }

    /// No connection could be had. The client is told, and the session goes on.
    pub(super) async fn refuse(&mut self, asked: &Asked, error: &LeaseError) -> Result<(), End> {
        debug!(session = self.context.id, "no connection for a statement: {error}");
        let error = farewell::lease(error);
        self.finish(asked, self.nowhere(), OutcomeKind::ProxyError, error.code, 0);
        self.send_error(self.reply_sequence, &error).await
    }

    /// Answers in the server's place.
    pub(super) async fn answer(
        &mut self,
        asked: &Asked,
        answer: &Answer,
        form: reply::Form,
    ) -> Result<(), End> {
        let mut out = BytesMut::new();
        let refused = match answer {
            Answer::Reject(rejection) => Err(reply::rejection(rejection)),
            Answer::Reply(made) => {
                let sequence = self.reply_sequence;
                reply::reply(&mut out, sequence, form, self.capabilities, self.status, made)
            }
        };
        let (outcome, code) = match refused {
            Ok(()) => (OutcomeKind::Ok, 0),
            Err(error) => {
                out.clear();
                reply::error(&mut out, self.reply_sequence, self.capabilities, &error);
                (OutcomeKind::Rejected, error.code)
            }
        };
        self.send(&out).await?;
        self.finish(asked, self.nowhere(), outcome, code, 0);
        Ok(())
    }

    /// Tells metrics, the query log and observers how a statement went.
    pub(super) fn finish(
        &mut self,
        asked: &Asked,
        place: Place,
        outcome: OutcomeKind,
        error_code: u16,
        rows: u64,
    ) {
        let outcome = Outcome {
            digest: asked.digest,
            kind: asked.kind,
            outcome,
            error_code: error_code.into(),
            rows,
            duration: asked.started.elapsed(),
        };
        self.listener.finished(
            &mut self.context,
            &Finished { outcome, place, verdict: &asked.verdict, text: asked.logged.as_deref() },
        );
    }

    /// As [`Self::finish`], for a reply that came from the server.
    pub(super) fn finish_done(&mut self, asked: &Asked, place: Place, done: &Done) {
        let Done { summary, killed, .. } = done;
        let outcome = match (summary.error, killed) {
            (Some(_), true) => OutcomeKind::TimedOut,
            (Some(_), false) => OutcomeKind::ServerError,
            (None, _) => OutcomeKind::Ok,
        };
        let rows = if summary.rows > 0 { summary.rows } else { summary.affected };
        self.finish(asked, place, outcome, summary.error.unwrap_or_default(), rows);
    }

    /// Refuses a command with an error of our own.
    pub(super) async fn refuse_command(
        &mut self,
        head: Head,
        error: &ErrPacket,
    ) -> Result<(), End> {
        self.discard(head).await?;
        self.send_error(self.reply_sequence, error).await
    }

    pub(super) async fn drain(&mut self, outgoing: &Outgoing) -> Result<(), End> {
        match outgoing {
            Outgoing::Frames(head) => self.discard(*head).await,
            Outgoing::Packet(..) => Ok(()),
            Outgoing::Head(_, head) => {
                let mut rest = Rest::of(head, self.listener.config().max_packet);
                while !rest.is_done() {
                    let piece = rest.next(&mut self.client).await?;
                    self.client.inbox.consume(piece);
                }
                self.reply_sequence = self.client.next_sequence(rest.sequence());
                Ok(())
            }
        }
    }

    /// For what reached no server.
    fn nowhere(&self) -> Place {
        Place { upstream: self.default.upstream, server: usize::MAX }
    }
}

/// Whether statements of this kind change what is stored.
pub(super) fn is_change(kind: Kind) -> bool {
    matches!(kind, Kind::Write | Kind::Ddl | Kind::Call)
}

/// A command that was sent.
struct Sent {
    /// The number of the first packet of the server's reply.
    sequence: u8,
    /// The same as the client sees it, where the command has ended only now.
    last: Option<u8>,
    /// What the server made of it: it may have answered all the same.
    outcome: Result<(), std::io::Error>,
}

/// Sends a command.
async fn send(
    client: &mut Conn,
    server: &mut Conn,
    outgoing: &Outgoing,
    pending: &mut BytesMut,
    max: usize,
) -> Result<Sent, End> {
    let (head, outcome) = match outgoing {
        Outgoing::Packet(Packet { bytes, sequence, .. }) => {
            let outcome = send_with(server, pending, bytes).await;
            return Ok(Sent { sequence: *sequence, last: None, outcome });
        }
        Outgoing::Frames(head) => {
            let framed = head.framed();
            let held = client.inbox.as_slice().get(..framed).unwrap_or_default();
            let outcome = send_with(server, pending, held).await;
            client.inbox.consume(framed);
            (head, outcome)
        }
        Outgoing::Head(bytes, head) => (head, send_with(server, pending, bytes).await),
    };
    if head.is_whole() {
        return Ok(Sent { sequence: 1, last: None, outcome });
    }
    Box::pin(stream(client, server, head, max, outcome)).await
}

/// Sends what is still to come of a command, piece by piece.
async fn stream(
    client: &mut Conn,
    server: &mut Conn,
    head: &Head,
    max: usize,
    mut outcome: Result<(), std::io::Error>,
) -> Result<Sent, End> {
    let mut rest = Rest::of(head, max);
    while !rest.is_done() {
        let piece = rest.next(client).await?;
        // A server that takes no more has its say afterwards; the client's bytes are drained.
        match outcome {
            Ok(()) => outcome = server.forward(client, piece).await,
            Err(_) => client.inbox.consume(piece),
        }
    }
    let sequence = rest.sequence();
    Ok(Sent { sequence, last: Some(client.next_sequence(sequence)), outcome })
}

/// One write, also when commands without a reply go ahead.
async fn send_with(
    server: &mut Conn,
    pending: &mut BytesMut,
    bytes: &[u8],
) -> Result<(), std::io::Error> {
    if pending.is_empty() {
        return server.send(bytes).await;
    }
    pending.extend_from_slice(bytes);
    server.send(pending).await
}
