//! Sending a batch, as it was planned.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use tidegate_postgres_wire::frame;
use tidegate_postgres_wire::message::tag::frontend;
use tidegate_postgres_wire::message::{Bind, Parse, Target as Named};
use tidegate_postgres_wire::relay::{Answer, Request};
use tidegate_wire::Violation;

use super::super::prepared::Statement;
use super::super::requests::REFUSED;
use super::super::{Session, reply};
use super::{Plan, Step};
use crate::conn::Inbox;
use crate::pool::postgres::statement_name;
use crate::route::Place;

impl Session {
    /// Sends a batch, as it was planned.
    pub(super) fn send(
        &mut self,
        place: Place,
        inbox: &Inbox,
        steps: Vec<Step>,
    ) -> Result<(), Violation> {
        for step in steps {
            let payload = step.payload(inbox);
            let request = Request::of(step.tag, payload.first().copied())?;
            let (start, framed) = (step.start, step.framed());
            match step.plan {
                Plan::Pass => {
                    self.pass_step(place, request, inbox, start, framed)?;
                    self.pipe.rest = step.len - step.held;
                }
                Plan::Parse(statement) => {
                    let name = Parse::decode(payload)?.name;
                    match self.send_parse(place, &statement)? {
                        true => self.unconfirmed(name, &statement),
                        // The server passes over it.
                        false => self.prepared.forget(&statement),
                    }
                }
                Plan::Bind(statement) => {
                    let bind = Bind::decode_head(payload)?;
                    let name = self.server_name(place, &statement)?;
                    let renamed = Bind { statement: name.as_bytes(), ..bind };
                    let behind = step.len - bind.head_len();
                    renamed.encode_head(behind, &mut self.pipe.to_server);
                    let rest = payload.get(bind.head_len()..).unwrap_or_default();
                    self.pipe.to_server.extend_from_slice(rest);
                    self.pipe.rest = step.len - step.held;
                    self.expect(place, Request::Bind, Answer::Forward)?;
                }
                Plan::Describe(statement) => {
                    let name = self.server_name(place, &statement)?;
                    Named::Statement(name.as_bytes()).describe(&mut self.pipe.to_server);
                    self.expect(place, Request::DescribeStatement, Answer::Forward)?;
                }
                Plan::Execute(asked) => {
                    self.pass_step(place, request, inbox, start, framed)?;
                    self.begin(place, *asked)?;
                }
                Plan::Own(answer) => {
                    if let Some(request) = request {
                        self.answer_in_turn(place, request, answer)?;
                    }
                    self.owed.passed_over = step.len - step.held;
                }
                Plan::Fail(error) => {
                    // It fails at the server too, so that a transaction ends as it should.
                    let mut content = REFUSED.to_vec();
                    content.extend_from_slice(&[0, 0, 0]);
                    write_parse(&mut self.pipe.to_server, b"", &content);
                    self.expect(place, Request::Parse, Answer::Forward)?;
                    self.substitute(*error);
                    self.owed.passed_over = step.len - step.held;
                }
            }
        }
        Ok(())
    }

    fn pass_step(
        &mut self,
        place: Place,
        request: Option<Request>,
        inbox: &Inbox,
        start: usize,
        len: usize,
    ) -> Result<(), Violation> {
        if let Some(request) = request {
            // Where all of it was answered here, the server has nothing to be ready for.
            let is_own = request == Request::Sync && !self.is_sent_since_sync(place);
            if is_own {
                let mut out = BytesMut::new();
                reply::ready(&mut out, self.status);
                self.answer_in_turn(place, request, out)?;
                self.owed.group().closed = true;
                return Ok(());
            }
            self.expect(place, request, Answer::Forward)?;
            if request == Request::Sync {
                self.owed.group().closed = true;
            }
        }
        let bytes = inbox.as_slice().get(start..start + len).unwrap_or_default();
        self.pipe.to_server.extend_from_slice(bytes);
        Ok(())
    }

    /// Something was sent to the server that is not followed by a `Sync` yet, or may still fail.
    pub(super) fn is_sent_since_sync(&mut self, place: Place) -> bool {
        let held = self.leases.at(place);
        held.is_some_and(|held| {
            let scanner = &held.leased.connection().scanner;
            scanner.waits_for_sync() || scanner.owed() > scanner.owed_by_us()
        })
    }

    /// Prepares a statement for the client: the server is not asked again about what it knows.
    fn send_parse(&mut self, place: Place, statement: &Arc<Statement>) -> Result<bool, Violation> {
        if self.is_known(place, statement) {
            let mut out = BytesMut::new();
            reply::parse_complete(&mut out);
            return self.answer_in_turn(place, Request::Parse, out);
        }
        self.teach(place, statement, Answer::Forward)
    }

    fn is_known(&mut self, place: Place, statement: &Statement) -> bool {
        let Some(held) = self.leases.at(place) else { return false };
        held.leased.connection().statements.get(&statement.content).is_some()
    }

    /// Has the server prepare a statement.
    fn teach(
        &mut self,
        place: Place,
        statement: &Arc<Statement>,
        answer: Answer,
    ) -> Result<bool, Violation> {
        if self.is_passed_over() {
            return Ok(false);
        }
        let Some(held) = self.leases.at(place) else { return Ok(false) };
        let max = held.leased.server().statements;
        let connection = held.leased.connection();
        let id = connection.next_statement();
        let closed = connection.statements.insert(statement.content.clone(), id, max);
        connection.close_statements(&closed);
        self.send_pending(place)?;
        let name = statement_name(id);
        write_parse(&mut self.pipe.to_server, name.as_bytes(), &statement.content.text);
        let is_owed = self.expect(place, Request::Parse, answer)?;
        self.taught(statement);
        Ok(is_owed)
    }

    /// The name that a statement has at the server, which is told of it if it has to be.
    fn server_name(
        &mut self,
        place: Place,
        statement: &Arc<Statement>,
    ) -> Result<String, Violation> {
        if !self.is_known(place, statement) {
            self.teach(place, statement, Answer::Drop)?;
        }
        let known = self.leases.at(place).and_then(|held| {
            held.leased.connection().statements.get(&statement.content).map(|known| known.id)
        });
        Ok(known.map_or_else(String::new, statement_name))
    }
}

/// Writes a `Parse`, of what stands behind the name.
fn write_parse(out: &mut BytesMut, name: &[u8], content: &[u8]) {
    frame::write_with(out, frontend::PARSE, |out| {
        out.put_slice(name);
        out.put_u8(0);
        out.put_slice(content);
    });
}
