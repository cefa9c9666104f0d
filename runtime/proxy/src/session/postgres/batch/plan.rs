//! What is done about each message of a batch, and where the batch should go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use tidegate_hook::{Answer as Decided, Member, StatementTraits, Target};
use tidegate_postgres_wire::message::tag::frontend;
use tidegate_postgres_wire::message::{
    Bind, ErrorResponse, Execute, Parse, Severity, Target as Named,
};
use tidegate_postgres_wire::sqlstate::{
    DUPLICATE_PREPARED_STATEMENT, FEATURE_NOT_SUPPORTED, PROGRAM_LIMIT_EXCEEDED, SqlState,
};
use tidegate_sql::{Dialect, Kind, TokenKind, tokens};
use tidegate_wire::Violation;

use super::super::prepared::Statement;
use super::super::requests::sequence_refusal;
use super::super::statement::Asked;
use super::super::{End, Session, reply};
use super::{PARSE_MAX, Plan, Portal, Step};
use crate::conn::Inbox;
use crate::pool::Content;

/// Numbers statements that must not be shared, far from the numbers of schemas.
static MOMENTS: AtomicU64 = AtomicU64::new(1 << 63);

/// More portals than this are not followed.
const PORTALS_MAX: usize = 256;

impl Session {
    /// Looks at each message, and asks the plugins. Answers where the batch should go.
    pub(super) fn plan(
        &mut self,
        inbox: &Inbox,
        steps: &mut [Step],
    ) -> Result<Option<Target>, End> {
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
                FEATURE_NOT_SUPPORTED,
                "a plugin's reply has no binary form of this type".to_owned(),
            ),
        });
    }
    let asked = portal.asked.take().unwrap_or_else(|| Asked::unasked(Kind::Unknown));
    Ok(Plan::Execute(Box::new(asked)))
}

fn fail(code: SqlState, message: String) -> Plan {
    Plan::Fail(Box::new(ErrorResponse::new(Severity::Error, code, message)))
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
