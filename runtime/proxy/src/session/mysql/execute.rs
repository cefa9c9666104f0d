//! Prepared statements: `COM_STMT_PREPARE`, `_EXECUTE`, `_SEND_LONG_DATA`, `_FETCH`, `_RESET` and
//! `_CLOSE`.
//!
//! The client knows a statement by a number of ours. A server is told of it when it is first
//! needed there, so that an execution goes wherever its transaction or its verdict wants it.

use bytes::{BufMut, BytesMut};
use tidegate_hook::{Answer, OutcomeKind, StatementTraits};
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::error_code::{
    ER_MAX_PREPARED_STMT_COUNT_REACHED, ER_NET_PACKET_TOO_LARGE, ER_UNKNOWN_STMT_HANDLER,
};
use tidegate_mysql_wire::frame::{HEADER_LEN, Header, PAYLOAD_MAX};
use tidegate_mysql_wire::packet::{ErrPacket, PrepareOk};
use tidegate_mysql_wire::relay::{Expect, Reached, Scanner};
use tidegate_mysql_wire::status::StatusFlags;
use tidegate_sql::Kind;
use tidegate_telemetry::PinReason;

use super::command::Head;
use super::leases::ServerStatement;
use super::prepared::{Statement, Types};
use super::relay::first_packet;
use super::reply::Form;
use super::state::Trace;
use super::statement::{Asked, Done, Outgoing};
use super::{End, Session};
use crate::conn::Conn;
use crate::pool::{ServerLost, write_command};
use crate::route::Place;

/// Closed statements are told to a server with the next command, or when so many bytes wait.
const PENDING_MAX: usize = 4 << 10;
/// The number of a statement in the argument of the commands about it.
const ID_LEN: usize = 4;

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
        let place = match self.place(&asked).await {
            Ok(place) => place,
            Err(error) => return self.refuse(&asked, &error).await,
        };
        let statement = Statement {
            text,
            kind: asked.kind,
            digest: asked.digest,
            follows: asked.follows,
            trace: asked.trace.clone(),
            parameters: 0,
            types: Vec::new(),
            types_version: 0,
            bound_to: None,
            broken: false,
        };
        self.prepare_at(place, statement, &asked).await
    }

    /// Prepares a new statement on one server and tells the client our number for it.
    async fn prepare_at(
        &mut self,
        place: Place,
        statement: Statement,
        asked: &Asked,
    ) -> Result<(), End> {
        let mut packet = BytesMut::new();
        write_command(&mut packet, Command::StmtPrepare, &statement.text);
        let id = self.prepared.add(statement);
        let done = self.prepare_and_relay(place, id, packet, asked).await?;
        if done.as_ref().is_none_or(|done| done.summary.error.is_some()) {
            self.prepared.remove(id);
        }
        if let Some(done) = done {
            self.finish_done(asked, place, &done);
        }
        Ok(())
    }

    async fn prepare_and_relay(
        &mut self,
        place: Place,
        id: u32,
        packet: BytesMut,
        asked: &Asked,
    ) -> Result<Option<Done>, End> {
        if !self.begin(place, Outgoing::Packet(packet, 1), asked).await? {
            return Ok(None);
        }
        if let Err(lost) = self.adopt(place, id).await {
            Box::pin(self.lost(place, asked, &lost, Some(self.reply_sequence))).await?;
            return Ok(None);
        }
        self.relay_from(place, Expect::Prepared, asked).await
    }

    /// Reads the number that a server has given a statement and puts ours in its place, before the
    /// reply goes to the client.
    async fn adopt(&mut self, place: Place, id: u32) -> Result<(), ServerLost> {
        let held = self.leases.at(place).ok_or(ServerLost::Closed)?;
        let first = first_packet(&mut held.leased.connection().conn).await?;
        if first.first() != Some(&PrepareOk::MARK) {
            return Ok(());
        }
        let ok = PrepareOk::decode(first)?;
        if let Some(bytes) = first.get_mut(1..=ID_LEN) {
            bytes.copy_from_slice(&id.to_le_bytes());
        }
        held.statements.insert(id, ServerStatement { id: ok.statement_id, types: 0 });
        if let Some(statement) = self.prepared.get(id) {
            statement.parameters = ok.parameters.into();
            if ok.parameters > 0 && !matches!(statement.trace, Trace::None) {
                // With parameters it cannot be said again as a query.
                statement.trace = Trace::Pin(PinReason::SessionVariable);
            }
        }
        Ok(())
    }

    pub(super) async fn execute(&mut self, head: Head) -> Result<(), End> {
        let Some(id) = self.known_statement(head) else {
            return self.unknown_statement(head).await;
        };
        let mut asked = self.ask_again(id);
        if let Some(answer) = &asked.verdict.answer {
            self.discard(head).await?;
            return self.answer(&asked, answer, Form::Binary).await;
        }
        let bound = self.prepared.get(id).and_then(|statement| statement.bound_to);
        let place = match bound {
            Some(place) => place,
            None => match self.place(&asked).await {
                Ok(place) => place,
                Err(error) => {
                    self.discard(head).await?;
                    return self.refuse(&asked, &error).await;
                }
            },
        };
        if !self.know(place, id, head, &asked).await? {
            return Ok(());
        }
        let Some(outgoing) = self.execution(place, id, head) else {
            let message = "an execution of this length cannot be sent to another server";
            let error = ErrPacket::new(ER_NET_PACKET_TOO_LARGE, message);
            return self.refuse_command(head, &error).await;
        };
        if let Some(done) = self.run_at(place, outgoing, Expect::Results, &asked).await? {
            let cursor =
                done.summary.status.is_some_and(|s| s.contains(StatusFlags::CURSOR_EXISTS));
            if let Some(statement) = self.prepared.get(id) {
                statement.bound_to = cursor.then_some(place);
            }
            let trace = std::mem::take(&mut asked.trace);
            self.settle(place, asked.kind, trace, done.summary);
            self.finish_done(&asked, place, &done);
        }
        Ok(())
    }

    /// Has no reply, whatever happens; what goes wrong is told at the execution.
    pub(super) async fn long_data(&mut self, head: Head) -> Result<(), End> {
        let Some(id) = self.known_statement(head) else {
            return self.discard(head).await;
        };
        let asked = self.ask_again(id);
        let bound = self.prepared.get(id).and_then(|statement| statement.bound_to);
        let place = match bound {
            Some(place) => Some(place),
            None => self.place(&asked).await.ok(),
        };
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
        if let Some(statement) = self.prepared.get(id) {
            statement.bound_to = place.filter(|_| sent);
            statement.broken |= !sent;
        }
        Ok(())
    }

    pub(super) async fn fetch(&mut self, head: Head) -> Result<(), End> {
        let id = self.known_statement(head);
        let bound = id.and_then(|id| self.prepared.get(id)?.bound_to.map(|place| (id, place)));
        let Some((id, place)) = bound else {
            return self.unknown_statement(head).await;
        };
        self.patch_id(place, id, head);
        let asked = Asked::unasked(Kind::Read, Trace::None);
        if let Some(done) = self.run_at(place, Outgoing::Frames(head), Expect::Rows, &asked).await?
        {
            self.settle(place, Kind::Read, Trace::None, done.summary);
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
            statement.bound_to.take()
        });
        let Some(place) = bound else {
            // No server holds anything of it that could be reset.
            self.discard(head).await?;
            return self.send_ok().await;
        };
        self.patch_id(place, id, head);
        let asked = Asked::unasked(Kind::Admin, Trace::None);
        self.run_at(place, Outgoing::Frames(head), Expect::Simple, &asked).await?;
        Ok(())
    }

    /// Has no reply.
    pub(super) async fn close_statement(&mut self, head: Head) -> Result<(), End> {
        let id = statement_id(head.argument(&self.client.inbox));
        self.discard(head).await?;
        let Some(id) = id else {
            return Ok(());
        };
        self.prepared.remove(id);
        for held in self.leases.iter_mut() {
            if let Some(known) = held.statements.remove(&id) {
                write_command(&mut held.pending, Command::StmtClose, &known.id.to_le_bytes());
            }
            if held.pending.len() > PENDING_MAX {
                let pending = std::mem::take(&mut held.pending);
                // A lost connection is noticed by the next command that has a reply.
                drop(held.leased.connection().conn.send(&pending).await);
            }
        }
        Ok(())
    }

    /// The statement that a command is about, if it can be executed.
    fn known_statement(&mut self, head: Head) -> Option<u32> {
        let id = statement_id(head.argument(&self.client.inbox))?;
        let reset = head.command == Some(Command::StmtReset);
        let statement = self.prepared.get(id)?;
        (reset || !statement.broken).then_some(id)
    }

    async fn unknown_statement(&mut self, head: Head) -> Result<(), End> {
        let name = head.command.map_or("a command", Command::name);
        let message = format!("unknown prepared statement given to {name}");
        self.refuse_command(head, &ErrPacket::new(ER_UNKNOWN_STMT_HANDLER, message)).await
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
                self.discard(head).await?;
                self.finish(asked, place, OutcomeKind::ServerError, refused.code, 0);
                self.send_error(self.reply_sequence, &refused).await?;
                Ok(false)
            }
            Err(lost) => {
                self.discard(head).await?;
                Box::pin(self.lost(place, asked, &lost, Some(self.reply_sequence))).await?;
                Ok(false)
            }
        }
    }

    fn is_known(&mut self, place: Place, id: u32) -> bool {
        self.leases.at(place).is_some_and(|held| held.statements.contains_key(&id))
    }

    /// Prepares a statement on a server that does not know it yet.
    async fn learn(&mut self, place: Place, id: u32) -> Result<Result<(), ErrPacket>, ServerLost> {
        if self.is_known(place, id) {
            return Ok(Ok(()));
        }
        if self.is_behind(place) {
            self.catch_up(place).await?;
        }
        let text = self.prepared.get(id).map(|statement| statement.text.clone());
        let (Some(held), Some(text)) = (self.leases.at(place), text) else {
            return Err(ServerLost::Closed);
        };
        held.used = true;
        let deprecate_eof = held.deprecates_eof();
        let mut packet = std::mem::take(&mut held.pending);
        write_command(&mut packet, Command::StmtPrepare, &text);
        let server = &mut held.leased.connection().conn;
        server.send(&packet).await?;
        let first = first_packet(server).await?;
        let prepared = match first.first() {
            Some(&ErrPacket::MARK) => Err(ErrPacket::decode(first)?),
            _ => Ok(PrepareOk::decode(first)?),
        };
        swallow(server, Scanner::new(Expect::Prepared, deprecate_eof, 1)).await?;
        Ok(prepared.map(|ok| {
            held.statements.insert(id, ServerStatement { id: ok.statement_id, types: 0 });
        }))
    }

    /// The execution as the server at `place` must hear it. `None`: it would be too long.
    fn execution(&mut self, place: Place, id: u32, head: Head) -> Option<Outgoing> {
        self.patch_id(place, id, head);
        let statement = self.prepared.get(id)?;
        let types = statement.note_types(head.argument(&self.client.inbox));
        let version = statement.types_version;
        let known = self.leases.at(place)?.statements.get_mut(&id)?;
        let told = std::mem::replace(&mut known.types, version);
        let Types::Omitted { flag } = types else {
            return Some(Outgoing::Frames(head));
        };
        if told == version {
            return Some(Outgoing::Frames(head));
        }
        // The client has told the types to another server; here they are new.
        let types = std::mem::take(&mut self.prepared.get(id)?.types);
        let packet = with_types(head, head.argument(&self.client.inbox), flag, &types);
        self.prepared.get(id)?.types = types;
        self.client.inbox.consume(head.framed());
        Some(Outgoing::Head(packet?, head))
    }

    async fn send_long_data(&mut self, place: Place, id: u32, head: Head) -> Result<bool, End> {
        self.patch_id(place, id, head);
        let sent = self.send_at(place, Outgoing::Frames(head)).await?.is_ok();
        if !sent {
            self.leases.drop_at(place);
            self.prepared.forget(place);
        }
        Ok(sent)
    }

    /// Puts the server's number of a statement in the place of ours.
    fn patch_id(&mut self, place: Place, id: u32, head: Head) {
        let known = self.leases.at(place).and_then(|held| held.statements.get(&id).copied());
        let argument = head.argument_mut(&mut self.client.inbox);
        if let (Some(known), Some(bytes)) = (known, argument.first_chunk_mut::<ID_LEN>()) {
            *bytes = known.id.to_le_bytes();
        }
    }
}

fn statement_id(argument: &[u8]) -> Option<u32> {
    argument.first_chunk::<ID_LEN>().map(|id| u32::from_le_bytes(*id))
}

/// The held part of an execution with the types put in. `None` where the frame would be full.
fn with_types(head: Head, argument: &[u8], flag: usize, types: &[u8]) -> Option<BytesMut> {
    let len = head.len() + types.len();
    if len >= PAYLOAD_MAX || head.continues() {
        return None;
    }
    let (before, after) = (argument.get(..flag)?, argument.get(flag + 1..)?);
    let mut packet = BytesMut::with_capacity(HEADER_LEN + 1 + argument.len() + types.len());
    packet.put_slice(&Header { len, sequence: 0 }.encode());
    packet.put_u8(Command::StmtExecute.code());
    packet.put_slice(before);
    packet.put_u8(1);
    packet.put_slice(types);
    packet.put_slice(after);
    Some(packet)
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
