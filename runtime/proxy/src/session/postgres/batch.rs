//! The extended protocol: what a client sends up to a `Sync` goes to one server.
//!
//! The client knows its statements by names of its own. A server is told of a statement when it is first
//! needed there, under a name of ours, so that sessions share what is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{BufMut as _, BytesMut};
use tidegate_hook::{Answer as Decided, Member, OutcomeKind, StatementTraits, Target};
use tidegate_postgres_wire::frame::{HEADER_LEN, Header};
use tidegate_postgres_wire::message::tag::frontend;
use tidegate_postgres_wire::message::{
    Bind, ErrorResponse, Execute, Parse, Severity, Target as Named, TransactionStatus,
};
use tidegate_postgres_wire::relay::{Answer, Request};
use tidegate_postgres_wire::sqlstate::{DUPLICATE_PREPARED_STATEMENT, PROGRAM_LIMIT_EXCEEDED};
use tidegate_sql::{Dialect, Kind, TokenKind, tokens};
use tidegate_wire::Violation;

use super::prepared::Statement;
use super::requests::{HELD_MAX, REFUSED, sequence_refusal};
use super::statement::Asked;
use super::{End, Session, reply};
use crate::conn::Inbox;
use crate::pool::Content;
use crate::pool::postgres::statement_name;
use crate::route::Place;

/// Numbers statements that must not be shared, far from the numbers of schemas.
static MOMENTS: AtomicU64 = AtomicU64::new(1 << 63);

/// A statement to prepare is held whole, because it may have to be prepared again elsewhere.
const PARSE_MAX: usize = 4 << 20;

/// More portals than this are not followed.
const PORTALS_MAX: usize = 256;

/// A message of a batch, in the client's inbox.
#[derive(Debug)]
struct Step {
    tag: u8,
    start: usize,
    /// Bytes of the payload, and how many of them are held.
    len: usize,
    held: usize,
    plan: Plan,
}

/// What is done about it.
#[derive(Debug)]
enum Plan {
    /// It goes on as it is.
    Pass,
    /// A statement is prepared.
    Parse(Arc<Statement>),
    /// A statement is given its parameters.
    Bind(Arc<Statement>),
    /// A portal that was bound in this batch is executed: this is what was asked about it.
    Execute(Box<Asked>),
    /// We answer it.
    Own(BytesMut),
    /// A statement is described, by the name that the client knows it by.
    Describe(Arc<Statement>),
    /// It fails.
    Fail(Box<ErrorResponse>),
}

/// A portal that was bound.
#[derive(Debug)]
pub(super) struct Portal {
    name: Box<[u8]>,
    asked: Option<Asked>,
    /// A plugin answers in the place of the server, in these formats.
    own: Option<(tidegate_hook::Reply, reply::Formats)>,
}

impl Step {
    fn payload<'i>(&self, inbox: &'i Inbox) -> &'i [u8] {
        let start = self.start + HEADER_LEN;
        inbox.as_slice().get(start..start + self.held).unwrap_or_default()
    }

    fn is_whole(&self) -> bool {
        self.held == self.len
    }

    /// Bytes in the inbox.
    fn framed(&self) -> usize {
        HEADER_LEN + self.held
    }
}

/// What a client has sent of a batch.
struct Batch {
    steps: Vec<Step>,
    /// A `Sync`, or something else that has servers answer, is the last.
    complete: bool,
}

impl Session {
    /// Takes what has come of a batch. `false`: more must come first.
    pub(super) async fn batch(&mut self) -> Result<bool, End> {
        let bound = self.bound().is_some();
        let Some(Batch { mut steps, .. }) = self.cut(bound)? else { return Ok(false) };
        if let [Step { tag: frontend::FLUSH, .. }] = steps.as_slice()
            && !self.is_unsynced()
        {
            self.client.inbox.consume(HEADER_LEN);
            return Ok(true);
        }
        let inbox = std::mem::take(&mut self.client.inbox);
        let planned = self.plan(&inbox, &mut steps);
        self.client.inbox = inbox;
        let wished = planned?;
        for asked in steps.iter().filter_map(Step::asked) {
            if let Some(delay) = asked.verdict.delay() {
                Box::pin(tokio::time::sleep(delay)).await;
            }
        }
        let bytes = steps.last().map_or(0, |step| step.start + step.framed());
        let fails = steps.first().is_some_and(|step| matches!(step.plan, Plan::Fail(_)));
        if fails && !bound && self.status == TransactionStatus::Idle {
            self.drain().await?;
            self.fail(steps, bytes);
            return Ok(true);
        }
        if steps.iter().all(|step| matches!(step.plan, Plan::Own(_)) || step.tag == frontend::SYNC)
            && !bound
            && self.is_at_rest()
        {
            self.answer_all(steps, bytes);
            return Ok(true);
        }
        let place = match self.place_at_rest(wished).await? {
            Ok(place) => place,
            Err(error) => {
                let asked = steps.iter().find_map(Step::asked);
                let unasked = Asked::unasked(Kind::Unknown);
                self.refuse(asked.unwrap_or(&unasked), &error);
                self.pass_over_batch(&steps, bytes);
                return Ok(true);
            }
        };
        let digests = steps.iter().filter_map(Step::asked).map(|asked| asked.digest).collect();
        if steps.last().is_some_and(|step| step.tag == frontend::SYNC) {
            self.arm_retry(place, wished, digests, bytes);
        }
        self.send_pending(place)?;
        let inbox = std::mem::take(&mut self.client.inbox);
        let sent = self.send(place, &inbox, steps);
        self.client.inbox = inbox;
        self.client.inbox.consume(bytes);
        sent?;
        Ok(true)
    }

    /// Nothing is owed to the client by a server.
    fn is_at_rest(&self) -> bool {
        self.owed.sent() == 0
    }

    /// Finds the messages of a batch. `None`: too little has come.
    ///
    /// Where it is open yet to which server it goes, all of it must have come that is not too long.
    fn cut(&mut self, bound: bool) -> Result<Option<Batch>, Violation> {
        let mut batch = Batch { steps: Vec::new(), complete: false };
        let mut at = 0;
        while !batch.complete {
            let Some(header) = self.header(at)? else { break };
            if !is_extended(header.tag) {
                batch.complete = true;
                break;
            }
            let Header { tag, len } = header;
            let here = self.client.inbox.len() - at - HEADER_LEN;
            let held = len.min(here);
            // What is prepared is kept whole.
            let enough = if tag == frontend::PARSE { PARSE_MAX } else { HELD_MAX };
            if held < len && held < enough {
                break;
            }
            batch.complete = matches!(tag, frontend::SYNC | frontend::FLUSH);
            batch.steps.push(Step { tag, start: at, len, held, plan: Plan::Pass });
            at += HEADER_LEN + held;
            if held < len {
                // The rest of it follows as it comes, and what is behind it is taken then.
                batch.complete = true;
            }
        }
        let enough = batch.complete || bound || at > HELD_MAX;
        Ok((enough && !batch.steps.is_empty()).then_some(batch))
    }

    /// Looks at each message, and asks the plugins. Answers where the batch should go.
    fn plan(&mut self, inbox: &Inbox, steps: &mut [Step]) -> Result<Option<Target>, End> {
        if self.looks_away() {
            self.opaque = true;
            for step in steps.iter_mut().filter(|step| step.tag == frontend::EXECUTE) {
                step.plan = Plan::Execute(Box::new(Asked::unasked(Kind::Unknown)));
            }
            return Ok(None);
        }
        let mut wished = None;
        let mut portals = std::mem::take(&mut self.portals);
        let planned = self.plan_steps(inbox, steps, &mut wished, &mut portals);
        self.portals = portals;
        planned?;
        Ok(wished.flatten())
    }

    fn plan_steps(
        &mut self,
        inbox: &Inbox,
        steps: &mut [Step],
        wished: &mut Option<Option<Target>>,
        portals: &mut Vec<Portal>,
    ) -> Result<(), End> {
        for step in steps.iter_mut() {
            let payload = step.payload(inbox);
            let whole = step.is_whole();
            step.plan = match step.tag {
                frontend::PARSE if whole => self.plan_parse(payload, wished)?,
                frontend::PARSE => Plan::Fail(Box::new(ErrorResponse::new(
                    Severity::Error,
                    PROGRAM_LIMIT_EXCEEDED,
                    format!("tidegate: a statement to prepare may have {PARSE_MAX} bytes"),
                ))),
                frontend::BIND => self.plan_bind(payload, whole, wished, portals)?,
                frontend::DESCRIBE => self.plan_describe(payload, portals)?,
                frontend::EXECUTE => plan_execute(payload, portals)?,
                frontend::CLOSE => self.plan_close(payload)?,
                _ => Plan::Pass,
            };
        }
        Ok(())
    }

    fn plan_parse(
        &mut self,
        payload: &[u8],
        wished: &mut Option<Option<Target>>,
    ) -> Result<Plan, Violation> {
        let parse = Parse::decode(payload)?;
        if !parse.name.is_empty() && self.prepared.get(parse.name).is_some() {
            let name = String::from_utf8_lossy(parse.name);
            let message = format!("prepared statement \"{name}\" already exists");
            return Ok(fail(DUPLICATE_PREPARED_STATEMENT, message));
        }
        if self.prepared.is_full(payload.len()) {
            let message = "this session has too many prepared statements; close some";
            return Ok(fail(PROGRAM_LIMIT_EXCEEDED, message.to_owned()));
        }
        let mut asked = self.ask(parse.statement, StatementTraits::PREPARED);
        self.deallocates_here(&mut asked);
        self.combine(wished, &asked);
        let own = match &asked.verdict.answer {
            Some(Decided::Reject(rejection)) => {
                return Ok(Plan::Fail(Box::new(reply::rejection(rejection, Severity::Error))));
            }
            Some(Decided::Reply(made)) => Some(Arc::new(made.clone())),
            None => None,
        };
        let text = asked.verdict.rewrite.as_deref().map_or(parse.statement, str::as_bytes);
        let types = payload.get(parse.name.len() + parse.statement.len() + 2..);
        let content = [text, &[0], types.unwrap_or_default()].concat();
        let answered = own.is_some();
        let statement = Arc::new(Statement {
            content: self.content(content),
            kind: asked.kind,
            digest: asked.digest,
            traces: asked.traces.clone(),
            own,
        });
        // A portal of this batch needs nobody to be asked again.
        self.owed.just_asked = Some((Arc::clone(&statement), asked));
        self.prepared.insert(parse.name, Arc::clone(&statement));
        if answered {
            let mut out = BytesMut::new();
            reply::parse_complete(&mut out);
            return Ok(Plan::Own(out));
        }
        Ok(Plan::Parse(statement))
    }

    /// What servers know a statement by. Since the schema has changed, or among temporary tables, the
    /// same text may be another statement.
    fn content(&self, text: Vec<u8>) -> Content {
        let upstream = self.listener.upstreams().get(self.default.upstream);
        let server = upstream.and_then(|upstream| upstream.servers.first());
        let schema = server.map_or(0, |server| server.schema());
        let mut shape = self.settings.shape();
        if self.pins.has_temporary_tables() {
            shape ^= self.context.id.rotate_left(32);
        }
        // A moment is read when a statement is parsed, and must be the one of this very Parse.
        let copy = match has_moment(&text) {
            true => MOMENTS.fetch_add(1, Ordering::Relaxed),
            false => schema,
        };
        Content::new(text.into(), shape, copy)
    }

    fn plan_bind(
        &mut self,
        payload: &[u8],
        whole: bool,
        wished: &mut Option<Option<Target>>,
        portals: &mut Vec<Portal>,
    ) -> Result<Plan, Violation> {
        let bind = Bind::decode_head(payload)?;
        let Some(statement) = self.prepared.get(bind.statement).cloned() else {
            portals.retain(|portal| *portal.name != *bind.portal);
            portals.push(Portal { name: bind.portal.into(), asked: None, own: None });
            return Ok(Plan::Pass);
        };
        let just_asked = self.owed.just_asked.take();
        let asked = match just_asked {
            Some((known, asked)) if Arc::ptr_eq(&known, &statement) => asked,
            _ => {
                let asked = self.ask_again(&statement);
                self.combine(wished, &asked);
                asked
            }
        };
        if self.asks_in_vain(&asked) {
            return Ok(Plan::Fail(Box::new(reply::rejection(
                &sequence_refusal(),
                Severity::Error,
            ))));
        }
        let own = match &asked.verdict.answer {
            Some(Decided::Reject(rejection)) => {
                return Ok(Plan::Fail(Box::new(reply::rejection(rejection, Severity::Error))));
            }
            Some(Decided::Reply(made)) => {
                if let Err(error) = reply::check(made) {
                    return Ok(Plan::Fail(Box::new(error)));
                }
                let rest = payload.get(bind.head_len()..).filter(|_| whole);
                let formats = rest.and_then(reply::Formats::of_bind).unwrap_or_default();
                Some((made.clone(), formats))
            }
            None => None,
        };
        let is_own = own.is_some();
        if portals.len() >= PORTALS_MAX {
            portals.remove(0);
        }
        portals.retain(|portal| *portal.name != *bind.portal);
        portals.push(Portal { name: bind.portal.into(), asked: Some(asked), own });
        if is_own {
            let mut out = BytesMut::new();
            reply::bind_complete(&mut out);
            return Ok(Plan::Own(out));
        }
        Ok(Plan::Bind(statement))
    }

    fn plan_describe(&self, payload: &[u8], portals: &[Portal]) -> Result<Plan, Violation> {
        let mut out = BytesMut::new();
        match Named::decode(payload)? {
            Named::Statement(name) => match self.prepared.get(name) {
                None => return Ok(Plan::Pass),
                Some(statement) => match &statement.own {
                    None => return Ok(Plan::Describe(Arc::clone(statement))),
                    Some(own) => {
                        reply::parameters(&mut out, statement.text());
                        reply::describe(&mut out, own, &reply::Formats::default());
                    }
                },
            },
            Named::Portal(name) => match portals.iter().find(|portal| *portal.name == *name) {
                Some(Portal { own: Some((own, formats)), .. }) => {
                    reply::describe(&mut out, own, formats);
                }
                _ => return Ok(Plan::Pass),
            },
        }
        Ok(Plan::Own(out))
    }

    fn plan_close(&mut self, payload: &[u8]) -> Result<Plan, Violation> {
        let Named::Statement(name) = Named::decode(payload)? else { return Ok(Plan::Pass) };
        // Servers keep it for who asks for the same.
        if self.prepared.remove(name).is_none() {
            return Ok(Plan::Pass);
        }
        let mut out = BytesMut::new();
        reply::close_complete(&mut out);
        Ok(Plan::Own(out))
    }

    /// One batch goes to one server. Where its statements want different ones, it is one that can be
    /// written to.
    fn combine(&self, wished: &mut Option<Option<Target>>, asked: &Asked) {
        let target = self.wished(asked);
        *wished = Some(match *wished {
            None => target,
            Some(before) if before == target => target,
            Some(Some(Target { member: Member::Replica, .. })) => target,
            Some(before) => before,
        });
    }

    /// Sends a batch, as it was planned.
    fn send(&mut self, place: Place, inbox: &Inbox, steps: Vec<Step>) -> Result<(), Violation> {
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
    fn is_sent_since_sync(&mut self, place: Place) -> bool {
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

    /// A part of a batch fails before anything of it was sent.
    fn fail(&mut self, steps: Vec<Step>, bytes: usize) {
        let failing = steps.iter().find_map(|step| match &step.plan {
            Plan::Fail(error) => Some(error),
            _ => None,
        });
        if let Some(error) = failing {
            let unasked = Asked::unasked(Kind::Unknown);
            let asked = steps.iter().find_map(Step::asked).unwrap_or(&unasked);
            self.finish(asked, None, OutcomeKind::Rejected, Some(error.sqlstate()), 0);
            self.tell(error);
        }
        self.pass_over_batch(&steps, bytes);
    }

    /// Nothing of a batch is sent: nothing of it has happened, and the client hears no more of it.
    fn pass_over_batch(&mut self, steps: &[Step], bytes: usize) {
        for step in steps {
            if let Plan::Parse(statement) = &step.plan {
                self.prepared.forget(statement);
            }
        }
        self.owed.just_asked = None;
        self.client.inbox.consume(bytes);
        let synced = steps.last().is_some_and(|step| step.tag == frontend::SYNC);
        match synced {
            true => reply::ready(&mut self.pipe.to_client, self.status),
            false => {
                self.owed.passed_over = steps.last().map_or(0, |step| step.len - step.held);
                self.owed.skipping = true;
            }
        }
    }

    /// Everything in a batch is answered here.
    fn answer_all(&mut self, steps: Vec<Step>, bytes: usize) {
        for step in steps {
            match step.plan {
                Plan::Own(answer) => self.pipe.to_client.extend_from_slice(&answer),
                _ => reply::ready(&mut self.pipe.to_client, self.status),
            }
        }
        self.client.inbox.consume(bytes);
    }
}

impl Step {
    fn asked(&self) -> Option<&Asked> {
        match &self.plan {
            Plan::Execute(asked) => Some(asked),
            _ => None,
        }
    }
}

fn plan_execute(payload: &[u8], portals: &mut [Portal]) -> Result<Plan, Violation> {
    let execute = Execute::decode(payload)?;
    let portal = portals.iter_mut().find(|portal| *portal.name == *execute.portal);
    let Some(portal) = portal else {
        // More rows of a portal that was bound before.
        return Ok(Plan::Execute(Box::new(Asked::unasked(Kind::Read))));
    };
    if let Some((own, formats)) = &portal.own {
        let mut out = BytesMut::new();
        return Ok(match reply::result(&mut out, own, formats) {
            true => Plan::Own(out),
            false => fail(
                tidegate_postgres_wire::sqlstate::FEATURE_NOT_SUPPORTED,
                "a plugin's reply has no binary form of this type".to_owned(),
            ),
        });
    }
    let asked = portal.asked.take().unwrap_or_else(|| Asked::unasked(Kind::Unknown));
    Ok(Plan::Execute(Box::new(asked)))
}

fn fail(code: tidegate_postgres_wire::sqlstate::SqlState, message: String) -> Plan {
    Plan::Fail(Box::new(ErrorResponse::new(Severity::Error, code, message)))
}

pub(super) fn is_extended(tag: u8) -> bool {
    matches!(
        tag,
        frontend::PARSE
            | frontend::BIND
            | frontend::DESCRIBE
            | frontend::EXECUTE
            | frontend::CLOSE
            | frontend::SYNC
            | frontend::FLUSH
    )
}

/// Whether a text holds a string that stands for the moment at which it is read: `'now'`, `'today'`.
fn has_moment(text: &[u8]) -> bool {
    const MOMENTS: [&[u8]; 4] = [b"now", b"today", b"tomorrow", b"yesterday"];
    let has = |string: &[u8], word: &[u8]| {
        string.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
    };
    text.contains(&b'\'')
        && tokens(text, Dialect::Postgres)
            .filter(|token| token.kind == TokenKind::String)
            .any(|token| MOMENTS.iter().any(|word| has(token.bytes, word)))
}

/// Writes a `Parse`, of what stands behind the name.
fn write_parse(out: &mut BytesMut, name: &[u8], content: &[u8]) {
    tidegate_postgres_wire::frame::write_with(out, frontend::PARSE, |out| {
        out.put_slice(name);
        out.put_u8(0);
        out.put_slice(content);
    });
}
