//! The extended protocol: what a client sends up to a `Sync` goes to one server.
//!
//! The client knows its statements by names of its own. A server is told of a statement when it is first
//! needed there, under a name of ours, so that sessions share what is the same.

mod plan;
mod send;

use std::sync::Arc;

use bytes::BytesMut;
use tidegate_hook::OutcomeKind;
use tidegate_postgres_wire::frame::{HEADER_LEN, Header};
use tidegate_postgres_wire::message::tag::frontend;
use tidegate_postgres_wire::message::{ErrorResponse, TransactionStatus};
use tidegate_sql::Kind;
use tidegate_wire::Violation;

use super::prepared::Statement;
use super::requests::HELD_MAX;
use super::statement::Asked;
use super::{End, Session, reply};
use crate::conn::Inbox;

/// A statement to prepare is held whole, because it may have to be prepared again elsewhere.
const PARSE_MAX: usize = 4 << 20;

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

impl Session {
    /// Takes what has come of a batch. `false`: more must come first.
    pub(super) async fn batch(&mut self) -> Result<bool, End> {
        let bound = self.bound().is_some();
        let Some(mut steps) = self.cut(bound)? else { return Ok(false) };
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
            self.hold_back(asked).await;
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
        let synced = steps.last().is_some_and(|step| step.tag == frontend::SYNC);
        if synced {
            let digests = steps.iter().filter_map(Step::asked).map(|asked| asked.digest);
            self.arm_retry(place, wished, digests, bytes);
        }
        self.send_pending(place)?;
        let inbox = std::mem::take(&mut self.client.inbox);
        let sent = self.send(place, &inbox, steps);
        self.client.inbox = inbox;
        self.client.inbox.consume(bytes);
        sent?;
        // The server is about to answer: what is ours of the answer does not wake the client before.
        let heard = self.pipe.to_client.is_empty() && self.pipe.forward == 0;
        self.pipe.joins = synced && heard && self.is_sent_since_sync(place);
        Ok(true)
    }

    /// Nothing is owed to the client by a server.
    fn is_at_rest(&self) -> bool {
        self.owed.sent() == 0
    }

    /// Finds the messages of a batch. `None`: too little has come.
    ///
    /// Where it is open yet to which server it goes, all of it must have come that is not too long.
    fn cut(&mut self, bound: bool) -> Result<Option<Vec<Step>>, Violation> {
        // A `Sync`, or something else that has servers answer, is the last.
        let (mut steps, mut complete, mut at) = (Vec::new(), false, 0);
        while !complete {
            let Some(header) = self.header(at)? else { break };
            if !is_extended(header.tag) {
                complete = true;
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
            complete = matches!(tag, frontend::SYNC | frontend::FLUSH);
            steps.push(Step { tag, start: at, len, held, plan: Plan::Pass });
            at += HEADER_LEN + held;
            if held < len {
                // The rest of it follows as it comes, and what is behind it is taken then.
                complete = true;
            }
        }
        let enough = complete || bound || at > HELD_MAX;
        Ok((enough && !steps.is_empty()).then_some(steps))
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
