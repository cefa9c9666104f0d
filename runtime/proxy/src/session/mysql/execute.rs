//! Prepared statements: `COM_STMT_PREPARE`, `_EXECUTE`, `_SEND_LONG_DATA`, `_FETCH`, `_RESET` and
//! `_CLOSE`.
//!
//! The client knows a statement by a number of ours. A server is told of it when it is first
//! needed there, so that an execution goes wherever its transaction or its verdict wants it.

use bytes::{BufMut, BytesMut};
use tidegate_hook::{Answer, OutcomeKind, StatementTraits};
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::error_code::{
    ER_MAX_PREPARED_STMT_COUNT_REACHED, ER_NEED_REPREPARE, ER_NET_PACKET_TOO_LARGE,
    ER_UNKNOWN_STMT_HANDLER,
};
use tidegate_mysql_wire::frame::{HEADER_LEN, Header, PAYLOAD_MAX};
use tidegate_mysql_wire::packet::{ErrPacket, PrepareOk};
use tidegate_mysql_wire::relay::{Expect, Reached, Scanner, Side};
use tidegate_mysql_wire::status::StatusFlags;
use tidegate_sql::Kind;

use super::command::Head;
use super::prepared::{Statement, Types};
use super::relay::{Done, first_packet};
use super::reply::Form;
use super::statement::{Asked, Outgoing, Packet, Tries};
use super::trace::{Follows, Pin, Trace};
use super::{End, Session};
use crate::conn::Conn;
use crate::pool::ServerLost;
use crate::pool::mysql::{LeaseError, Missed, ServerConn, Settings, write_command};
use crate::route::Place;

/// The number of a statement in the argument of the commands about it.
const ID_LEN: usize = 4;

/// MariaDB's libraries do not wait for the number of a statement before they execute it.
const LAST_PREPARED: u32 = u32::MAX;

impl Session {
    pub(super) async fn prepare(&mut self, head: Head) -> Result<(), End> {
        if self.prepared.is_full(head.len()) {
            let message = "this session has too many prepared statements; close some";
            let error = ErrPacket::new(ER_MAX_PREPARED_STMT_COUNT_REACHED, message);
            return self.refuse_command(head, &error).await;
        }
        let asked = self.ask_client(head, StatementTraits::PREPARED);
        if let Some(answer @ Answer::Reject(_)) = &asked.verdict.answer {
            self.discard(head).await?;
            return self.answer(&asked, answer, Form::Binary).await;
        }
        let text: std::sync::Arc<[u8]> = match &asked.verdict.rewrite {
            Some(text) => text.as_bytes().into(),
            None => head.argument(&self.client.inbox).into(),
        };
        self.discard(head).await?;
        let place = match self.place_ready(&asked).await {
            Ok(place) => place,
            Err(error) => return self.refuse(&asked, &error).await,
        };
        let content = self.prepared.content(text, &self.settings);
        let statement = Statement::new(content, self.settings.clone(), &asked);
        self.prepare_at(place, statement, &asked).await
    }

    /// Prepares a new statement on one server and tells the client our number for it.
    async fn prepare_at(
        &mut self,
        place: Place,
        statement: Statement,
        asked: &Asked,
    ) -> Result<(), End> {
        let text = std::sync::Arc::clone(&statement.content.text);
        let id = self.prepared.add(statement);
        let done = self.prepare_and_relay(place, id, &text, asked).await?;
        if done.as_ref().is_none_or(|done| done.summary.error.is_some()) {
            self.prepared.remove(id);
        }
        if let Some(done) = done {
            self.settle(place, Kind::Admin, &Trace::None, &done);
            self.finish_done(asked, place, &done);
        }
        Ok(())
    }

    async fn prepare_and_relay(
        &mut self,
        place: Place,
        id: u32,
        text: &[u8],
        asked: &Asked,
    ) -> Result<Option<Done>, End> {
        loop {
            let mut packet = Outgoing::Packet(Packet::new(Command::StmtPrepare, b"", text));
            if !self.begin(place, &mut packet, asked).await? {
                return Ok(None);
            }
            match self.adopt(place, id).await {
                Ok(Adopted::Shown) => break,
                Ok(Adopted::Again) => {}
                Err(lost) => {
                    Box::pin(self.lost(place, asked, &lost, Some(self.reply_sequence))).await?;
                    return Ok(None);
                }
            }
        }
        self.relay_from(place, Expect::Prepared, asked).await
    }

    /// Reads the number that a server has given a statement and puts ours in its place, before the
    /// reply goes to the client.
    async fn adopt(&mut self, place: Place, id: u32) -> Result<Adopted, ServerLost> {
        let held = self.leases.at(place).ok_or(ServerLost::Closed)?;
        let max = held.leased.server().statements;
        let connection = held.leased.connection();
        let first = first_packet(&mut connection.conn).await?;
        if first.first() != Some(&PrepareOk::MARK) {
            let full = ErrPacket::decode(first)
                .is_ok_and(|error| error.code == ER_MAX_PREPARED_STMT_COUNT_REACHED.code);
            return match connection.statements.evict().filter(|_| full) {
                None => Ok(Adopted::Shown),
                // What nobody needs at the moment makes room.
                Some(unused) => {
                    let whole = HEADER_LEN + first.len();
                    connection.conn.inbox.consume(whole);
                    connection.close_statements(&[unused]);
                    Ok(Adopted::Again)
                }
            };
        }
        let ok = PrepareOk::decode(first)?;
        if let Some(bytes) = first.get_mut(1..=ID_LEN) {
            bytes.copy_from_slice(&id.to_le_bytes());
        }
        if let Some(statement) = self.prepared.get(id) {
            let content = statement.content.clone();
            let closed = connection.statements.insert(content, ok.statement_id, max);
            connection.close_statements(&closed);
            statement.parameters = ok.parameters.into();
            if ok.parameters > 0 && matches!(statement.trace, Trace::Said { .. }) {
                // With parameters it cannot be said again as a query.
                statement.trace = Trace::Pins([Pin::SessionVariable].into());
            }
        }
        Ok(Adopted::Shown)
    }

    pub(super) async fn execute(&mut self, head: Head) -> Result<(), End> {
        let Some(id) = self.known_statement(head) else {
            return self.unknown_statement(head).await;
        };
        let asked = self.ask_execution(id, head)?;
        self.hold_back(&asked).await;
        if let Some(answer) = &asked.verdict.answer {
            self.discard(head).await?;
            return self.answer(&asked, answer, Form::Binary).await;
        }
        if let Some(counted) = self.counted(asked.follows) {
            self.discard(head).await?;
            return self.answer(&asked, &counted, Form::Binary).await;
        }
        let bound = self.prepared.get(id).and_then(|statement| statement.bound_to());
        let place = match bound {
            Some(place) => place,
            None => match self.place_knowing(id, &asked).await {
                Ok(Ok(place)) => place,
                Ok(Err((place, refused))) => {
                    return self.refuse_execution(place, head, &asked, &refused).await;
                }
                Err(error) => {
                    self.discard(head).await?;
                    return self.refuse(&asked, &error).await;
                }
            },
        };
        if !self.know(place, id, head, &asked).await? {
            return Ok(());
        }
        let outgoing = match head.command {
            Some(Command::StmtBulkExecute) => self.bulk_execution(place, id, head)?,
            _ if self.has_attributes() => self.execution_with_attributes(place, id, head)?,
            _ => self.execution(place, id, head),
        };
        let Some(mut outgoing) = outgoing else {
            let message = "an execution of this kind or length cannot be sent to another server";
            let error = ErrPacket::new(ER_NET_PACKET_TOO_LARGE, message);
            return self.refuse_command(head, &error).await;
        };
        if let Some(done) = self.run_at(place, &mut outgoing, Expect::Results, &asked).await? {
            let cursor =
                done.summary.status.is_some_and(|s| s.contains(StatusFlags::CURSOR_EXISTS));
            self.bind(id, cursor.then_some(place), place);
            self.forget_long_data(id);
            self.settle(place, asked.kind, &asked.trace, &done);
            self.finish_done(&asked, place, &done);
        }
        Ok(())
    }

    /// Has no reply, whatever happens; what goes wrong is told at the execution.
    pub(super) async fn long_data(&mut self, head: Head) -> Result<(), End> {
        let Some(id) = self.known_statement(head) else {
            return self.discard(head).await;
        };
        let asked = self.ask_again(id, &[]);
        let bound = self.prepared.get(id).and_then(|statement| statement.bound_to());
        let place = match bound {
            Some(place) => Some(place),
            None => self.place_knowing(id, &asked).await.ok().and_then(Result::ok),
        };
        let argument = head.argument(&self.client.inbox);
        if let Some(statement) = self.prepared.get(id) {
            statement.note_long_data(argument);
        }
        let prepared = match place {
            Some(place) => self.learn(place, id).await.is_ok_and(|known| known.is_ok()),
            None => false,
        };
        let sent = match place.filter(|_| prepared) {
            Some(place) => self.send_long_data(place, id, head).await?,
            None => {
                self.discard(head).await?;
                false
            }
        };
        if let Some(place) = place {
            self.bind(id, sent.then_some(place), place);
        }
        if let Some(statement) = self.prepared.get(id) {
            statement.broken |= !sent;
        }
        Ok(())
    }

    pub(super) async fn fetch(&mut self, head: Head) -> Result<(), End> {
        let id = self.known_statement(head);
        let bound = id.and_then(|id| self.prepared.get(id)?.bound_to().map(|place| (id, place)));
        let Some((id, place)) = bound else {
            return self.unknown_statement(head).await;
        };
        self.patch_id(place, id, head);
        let asked = Asked::unasked(Kind::Read, Trace::None);
        if let Some(done) =
            self.run_at(place, &mut Outgoing::Frames(head), Expect::Rows, &asked).await?
        {
            // Behind the last row nothing is bound to the connection any more.
            let last = done.summary.status.is_some_and(|s| s.contains(StatusFlags::LAST_ROW_SENT));
            if last || done.summary.error.is_some() {
                self.bind(id, None, place);
            }
            self.settle(place, Kind::Read, &Trace::None, &done);
            self.finish_done(&asked, place, &done);
        }
        Ok(())
    }

    pub(super) async fn reset_statement(&mut self, head: Head) -> Result<(), End> {
        let Some(id) = self.known_statement(head) else {
            return self.unknown_statement(head).await;
        };
        let bound = self.prepared.get(id).and_then(|statement| {
            statement.broken = false;
            statement.long_data.clear();
            statement.bound_to()
        });
        let Some(place) = bound else {
            // No server holds anything of it that could be reset.
            self.discard(head).await?;
            return self.send_ok().await;
        };
        self.patch_id(place, id, head);
        let asked = Asked::unasked(Kind::Admin, Trace::None);
        let done = self.run_at(place, &mut Outgoing::Frames(head), Expect::Simple, &asked).await?;
        self.bind(id, None, place);
        if let Some(done) = done {
            self.settle(place, Kind::Admin, &Trace::None, &done);
        }
        Ok(())
    }

    /// Has no reply.
    pub(super) async fn close_statement(&mut self, head: Head) -> Result<(), End> {
        let id = match statement_id(head.argument(&self.client.inbox)) {
            Some(LAST_PREPARED) => self.prepared.last(),
            id => id,
        };
        self.discard(head).await?;
        let Some(id) = id else {
            return Ok(());
        };
        let Some(closed) = self.prepared.remove(id) else {
            return Ok(());
        };
        // Servers keep it for who asks for the same; but not the long data or the cursor of it.
        if let Some(place) = closed.bound_to()
            && let Some(held) = self.leases.at(place)
        {
            let connection = held.leased.connection();
            let known = connection.statements.remove(&closed.content);
            connection.close_statements(known.as_slice());
        }
        Ok(())
    }

    /// Says where the next execution of a statement must go, and has the connection keep it there.
    fn bind(&mut self, id: u32, to: Option<Place>, place: Place) {
        self.prepared.bind(id, to);
        let Some(statement) = self.prepared.get(id) else {
            return;
        };
        if let Some(held) = self.leases.at(place)
            && let Some(known) = held.leased.connection().statements.get(&statement.content)
        {
            known.busy = to.is_some();
        }
    }

    /// The statement that a command is about, if it can be executed.
    fn known_statement(&mut self, head: Head) -> Option<u32> {
        let id = match statement_id(head.argument(&self.client.inbox))? {
            LAST_PREPARED => self.prepared.last()?,
            id => id,
        };
        let reset = head.command == Some(Command::StmtReset);
        let statement = self.prepared.get(id)?;
        (reset || !statement.broken).then_some(id)
    }

    async fn unknown_statement(&mut self, head: Head) -> Result<(), End> {
        let name = head.command.map_or("a command", Command::name);
        let message = format!("unknown prepared statement given to {name}");
        self.refuse_command(head, &ErrPacket::new(ER_UNKNOWN_STMT_HANDLER, message)).await
    }

    /// As [`Self::place_ready`]; the connection knows the statement. The inner error is its server's.
    async fn place_knowing(
        &mut self,
        id: u32,
        asked: &Asked,
    ) -> Result<Result<Place, (Place, ErrPacket)>, LeaseError> {
        let mut tries = Tries::default();
        loop {
            let place = match self.has_moved(id) {
                // It is prepared first, as there may be no way back to where the session was then.
                true => self.place(asked).await?,
                false => self.place_ready(asked).await?,
            };
            if self.is_bound_to(place) {
                return Ok(Ok(place));
            }
            let mut ready = Box::pin(self.learn(place, id)).await;
            if matches!(ready, Ok(Ok(()))) && self.is_behind(place, asked.follows) {
                ready = Box::pin(self.catch_up(place, asked.follows)).await.map(Ok);
            }
            match ready {
                Ok(Ok(())) if self.is_known(place, id) => return Ok(Ok(place)),
                Ok(Err(refused)) => return Ok(Err((place, refused))),
                // It had to start over for this session, and has forgotten what it knew.
                Ok(Ok(())) => self.abandon(place, ServerLost::Unclean, &mut tries)?,
                Err(lost) => self.abandon(place, lost, &mut tries)?,
            }
        }
    }

    /// The session's database or modes are others than when the statement was prepared.
    fn has_moved(&mut self, id: u32) -> bool {
        let shape = self.settings.shape();
        self.prepared.get(id).is_some_and(|statement| statement.content.shape != shape)
    }

    /// Makes sure that a server knows a statement. `false`: it does not, and the client was told.
    async fn know(
        &mut self,
        place: Place,
        id: u32,
        head: Head,
        asked: &Asked,
    ) -> Result<bool, End> {
        if self.is_known(place, id) {
            return Ok(true);
        }
        match Box::pin(self.learn(place, id)).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(refused)) => {
                self.refuse_execution(place, head, asked, &refused).await?;
                Ok(false)
            }
            Err(lost) => {
                self.discard(head).await?;
                Box::pin(self.lost(place, asked, &lost, Some(self.reply_sequence))).await?;
                Ok(false)
            }
        }
    }

    async fn refuse_execution(
        &mut self,
        place: Place,
        head: Head,
        asked: &Asked,
        refused: &ErrPacket,
    ) -> Result<(), End> {
        self.discard(head).await?;
        self.finish(asked, place, OutcomeKind::ServerError, refused.code, 0);
        self.send_error(self.reply_sequence, refused).await
    }

    fn is_known(&mut self, place: Place, id: u32) -> bool {
        let Some(statement) = self.prepared.get(id) else {
            return false;
        };
        let held = self.leases.at(place);
        held.is_some_and(|held| {
            held.leased.connection().statements.get(&statement.content).is_some()
        })
    }

    /// Prepares a statement on a connection that does not know it yet.
    async fn learn(&mut self, place: Place, id: u32) -> Result<Result<(), ErrPacket>, ServerLost> {
        // A connection that has to start over for this session forgets what it knows.
        let may_wait = self.has_moved(id) && !self.is_bound_to(place);
        if !may_wait && self.is_behind(place, Follows::Nothing) {
            self.catch_up(place, Follows::Nothing).await?;
        }
        if self.is_known(place, id) {
            return Ok(Ok(()));
        }
        let Some(statement) = self.prepared.get(id) else {
            return Err(ServerLost::Closed);
        };
        let (content, then) = (statement.content.clone(), statement.settings.clone());
        // It means what it meant when the client prepared it: in that database, under that mode.
        let moved = content.shape != self.settings.shape();
        if moved && !self.may_go_back(place, &then) {
            let message = "the session's database or modes have changed; prepare it again";
            return Ok(Err(ErrPacket::new(ER_NEED_REPREPARE, message)));
        }
        if moved {
            self.bring(place, &then).await?;
        }
        let prepared = loop {
            let Some(held) = self.leases.at(place) else {
                return Err(ServerLost::Closed);
            };
            held.used = true;
            let max = held.leased.server().statements;
            let connection = held.leased.connection();
            match prepare_unseen(connection, &content.text).await? {
                Ok(ok) => {
                    let closed = connection.statements.insert(content, ok.statement_id, max);
                    connection.close_statements(&closed);
                    break Ok(());
                }
                Err(error) if error.code == ER_MAX_PREPARED_STMT_COUNT_REACHED.code => {
                    match connection.statements.evict() {
                        Some(unused) => connection.close_statements(&[unused]),
                        None => break Err(error),
                    }
                }
                Err(error) => break Err(error),
            }
        };
        if moved {
            self.bring_forward(place).await?;
        }
        Ok(prepared)
    }

    /// Whether a connection can be given earlier settings for a moment, and then its own again: not
    /// where a reset would end what is open on it.
    fn may_go_back(&mut self, place: Place, then: &Settings) -> bool {
        let bonds = [self.bonds.transaction, self.bonds.pin];
        let free = !bonds.contains(&Some(place)) && !self.prepared.is_bound_to(place);
        let now = &self.settings;
        free || [then.missed_by(now), now.missed_by(then)].iter().all(|missed| match missed {
            Missed::Nothing => true,
            Missed::Entries(entries) => entries.iter().all(|entry| entry.shapes_statements()),
            Missed::StartOver => false,
        })
    }

    fn forget_long_data(&mut self, id: u32) {
        if let Some(statement) = self.prepared.get(id) {
            statement.long_data.clear();
        }
    }

    /// The execution as the server at `place` must hear it. `None`: it would be too long.
    fn execution(&mut self, place: Place, id: u32, head: Head) -> Option<Outgoing> {
        self.patch_id(place, id, head);
        let statement = self.prepared.get(id)?;
        let types = statement.note_types(head.argument(&self.client.inbox));
        let connection = self.leases.at(place)?.leased.connection();
        let known = connection.statements.get(&statement.content)?;
        if known.told == statement.types {
            return Some(Outgoing::Frames(head));
        }
        known.told.clone_from(&statement.types);
        let Types::Omitted { flag } = types else {
            return Some(Outgoing::Frames(head));
        };
        // The client has told the types on another connection; here they are new.
        let argument = with_types(head.argument(&self.client.inbox), flag, &statement.types)?;
        self.with_argument(head, &argument)
    }

    /// The client's execution with another argument in the place of the part that is held. `None`
    /// where the frame would be full.
    pub(super) fn with_argument(&mut self, head: Head, argument: &[u8]) -> Option<Outgoing> {
        let len = head.outstanding() + 1 + argument.len();
        if len >= PAYLOAD_MAX || head.continues() {
            return None;
        }
        let mut packet = BytesMut::with_capacity(HEADER_LEN + 1 + argument.len());
        packet.put_slice(&Header { len, sequence: 0 }.encode());
        packet.put_u8(head.code);
        packet.put_slice(argument);
        self.client.inbox.consume(head.framed());
        Some(Outgoing::Head(packet, head))
    }

    async fn send_long_data(&mut self, place: Place, id: u32, head: Head) -> Result<bool, End> {
        self.patch_id(place, id, head);
        let sent = self.send_at(place, &mut Outgoing::Frames(head)).await?.is_ok();
        if !sent {
            self.leases.drop_at(place);
            self.prepared.forget(place);
        }
        Ok(sent)
    }

    /// Puts the server's number of a statement in the place of ours.
    pub(super) fn patch_id(&mut self, place: Place, id: u32, head: Head) {
        let Some(statement) = self.prepared.get(id) else {
            return;
        };
        let Some(held) = self.leases.at(place) else {
            return;
        };
        let known = held.leased.connection().statements.get(&statement.content);
        let argument = head.argument_mut(&mut self.client.inbox);
        if let (Some(known), Some(bytes)) = (known, argument.first_chunk_mut::<ID_LEN>()) {
            *bytes = known.id.to_le_bytes();
        }
    }
}

/// What became of the reply to a `COM_STMT_PREPARE`.
enum Adopted {
    /// It is ready for the client.
    Shown,
    /// It is dropped, and the command must be sent again.
    Again,
}

/// Prepares a statement without showing the reply to the client.
async fn prepare_unseen(
    connection: &mut ServerConn,
    text: &[u8],
) -> Result<Result<PrepareOk, ErrPacket>, ServerLost> {
    let side = Side::new(connection.session.capabilities, 1);
    let mut packet = std::mem::take(&mut connection.pending);
    write_command(&mut packet, Command::StmtPrepare, b"", text);
    let server = &mut connection.conn;
    server.send(&packet).await?;
    let first = first_packet(server).await?;
    let prepared = match first.first() {
        Some(&ErrPacket::MARK) => Err(ErrPacket::decode(first)?),
        _ => Ok(PrepareOk::decode(first)?),
    };
    swallow(server, Scanner::new(Expect::Prepared, side)).await?;
    Ok(prepared)
}

fn statement_id(argument: &[u8]) -> Option<u32> {
    argument.first_chunk::<ID_LEN>().map(|id| u32::from_le_bytes(*id))
}

/// The held part of an execution with the types put in.
fn with_types(argument: &[u8], flag: usize, types: &[u8]) -> Option<Vec<u8>> {
    let (before, after) = (argument.get(..flag)?, argument.get(flag + 1..)?);
    Some([before, &[1], types, after].concat())
}

/// Reads a reply to its end without showing it to the client.
async fn swallow(server: &mut Conn, mut scanner: Scanner) -> Result<(), ServerLost> {
    loop {
        let scan = scanner.scan(server.inbox.as_slice())?;
        server.inbox.consume(scan.forward);
        if scan.reached == Reached::End {
            return Ok(());
        }
        if server.fill().await? == 0 {
            return Err(ServerLost::Closed);
        }
    }
}
