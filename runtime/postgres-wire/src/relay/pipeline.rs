//! The requests that a server still has to answer, in their order.
//!
//! ```text
//! Parse ─ParseComplete   Bind ─BindComplete   Close ─CloseComplete   Sync ─ReadyForQuery
//! Describe ─(ParameterDescription) ─RowDescription or NoData
//! Execute ─DataRow… ─CommandComplete, EmptyQueryResponse or PortalSuspended
//! Query ─(RowDescription ─DataRow… ─CommandComplete)… ─ReadyForQuery
//! ```
//! Instead of rows there may be a COPY. After an error the server passes over everything up to a
//! `Sync`; within a `Query` or a `FunctionCall`, up to the end of that.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html>

use std::collections::VecDeque;

use tidegate_wire::Violation;

use crate::message::tag::{backend, frontend};

/// So many requests may wait for their answers. Drivers send some hundreds at once.
const OWED_MAX: usize = 1 << 14;

/// What a client sends that a server answers, or that ends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Query,
    FunctionCall,
    Parse,
    Bind,
    DescribeStatement,
    DescribePortal,
    Execute,
    Close,
    Sync,
    /// `CopyDone` or `CopyFail`.
    CopyEnd,
}

impl Request {
    /// From the tag of a message and the first byte of its payload. `None` for what is not answered.
    ///
    /// # Errors
    /// A violation for what no client may send behind its login.
    pub fn of(tag: u8, first: Option<u8>) -> Result<Option<Self>, Violation> {
        Ok(Some(match (tag, first) {
            (frontend::QUERY, _) => Self::Query,
            (frontend::FUNCTION_CALL, _) => Self::FunctionCall,
            (frontend::PARSE, _) => Self::Parse,
            (frontend::BIND, _) => Self::Bind,
            (frontend::DESCRIBE, Some(b'S')) => Self::DescribeStatement,
            (frontend::DESCRIBE, Some(b'P')) => Self::DescribePortal,
            (frontend::EXECUTE, _) => Self::Execute,
            (frontend::CLOSE, _) => Self::Close,
            (frontend::SYNC, _) => Self::Sync,
            (frontend::COPY_DONE | frontend::COPY_FAIL, _) => Self::CopyEnd,
            (frontend::COPY_DATA | frontend::FLUSH | frontend::TERMINATE, _) => return Ok(None),
            _ => return Err(Violation::Unexpected { what: "message of a client" }),
        }))
    }

    /// Its reply ends with `ReadyForQuery`, whatever else happens.
    fn ends_ready(self) -> bool {
        matches!(self, Self::Query | Self::FunctionCall | Self::Sync)
    }
}

/// What is done about the reply to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The client gets it as it comes.
    Forward,
    /// The request is one of ours, of which the client does not know. An error in it is the
    /// client's all the same, unless the `Sync` behind it is ours too.
    Drop,
    /// The server does not know of the request: we answer it, when it is its turn. A `Sync` can only
    /// be ours where everything since the last one is.
    Ours,
}

#[derive(Clone, Copy, Debug)]
struct Owed {
    request: Request,
    answer: Answer,
}

/// How far the reply to the first request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// At its beginning, or between or in results.
    Results,
    /// The parameters of a statement were described, its columns were not.
    Parameters,
    /// The server waits for data.
    CopyIn,
    /// The server sends data.
    CopyOut,
    /// Both send.
    CopyBoth,
    /// It has failed: nothing but its end is left.
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    owed: VecDeque<Owed>,
    /// So many of them are ours to answer.
    ours: usize,
    phase: Phase,
    /// After an error: the server reads everything up to a `Sync`, which has not been sent, and
    /// answers nothing.
    skipping: bool,
    /// Something was sent that a `Sync` has to follow.
    unsynced: bool,
    /// The server has got something of it.
    sent: bool,
}

impl Pipeline {
    pub(super) fn new() -> Self {
        Self {
            owed: VecDeque::new(),
            ours: 0,
            phase: Phase::Results,
            skipping: false,
            unsynced: false,
            sent: false,
        }
    }

    pub(super) fn push(&mut self, request: Request, answer: Answer) -> Result<(), Violation> {
        if self.skipping && request != Request::Sync {
            return Ok(());
        }
        self.skipping = false;
        match (self.phase, request) {
            (Phase::CopyIn, Request::CopyEnd) => self.phase = Phase::Results,
            // The server reads it as nothing.
            (Phase::CopyIn, Request::Sync) | (Phase::CopyBoth, Request::CopyEnd) => {}
            (Phase::CopyIn, _) => {
                return Err(Violation::Unexpected { what: "message in the data of a COPY" });
            }
            // Too late for a COPY that has failed.
            (_, Request::CopyEnd) if self.owed.is_empty() => {}
            _ => {
                self.owed.push_back(Owed { request, answer });
                self.ours += usize::from(answer == Answer::Ours);
                if request != Request::CopyEnd {
                    self.unsynced = !request.ends_ready();
                    self.sent = self.unsynced && (self.sent || answer != Answer::Ours);
                }
            }
        }
        Ok(())
    }

    /// The next request is one that we answer.
    pub(super) fn ours(&self) -> Option<Request> {
        self.owed.front().filter(|owed| owed.answer == Answer::Ours).map(|owed| owed.request)
    }

    /// We have answered it.
    pub(super) fn answered(&mut self) {
        if self.ours().is_some() {
            self.pop();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    pub(super) fn owed(&self) -> usize {
        self.owed.len()
    }

    pub(super) fn owed_by_us(&self) -> usize {
        self.ours
    }

    /// Nobody wants the replies any more.
    pub(super) fn discard(&mut self) {
        self.owed.retain(|owed| owed.answer != Answer::Ours);
        self.ours = 0;
        for owed in &mut self.owed {
            owed.answer = Answer::Drop;
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.owed.len() >= OWED_MAX
    }

    pub(super) fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// The server has got something that a `Sync` has to follow.
    pub(super) fn waits_for_sync(&self) -> bool {
        self.sent || self.skipping
    }

    /// A `Sync` has to follow before anything else is begun.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced || self.skipping
    }

    /// The server waits for the data of a COPY, of which the end was not sent.
    pub(super) fn waits_for_data(&self) -> bool {
        self.phase == Phase::CopyIn
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.owed.front().is_some_and(|owed| owed.answer == Answer::Drop)
    }

    /// The tag of the messages that may come now in any number, and go to the client.
    pub(super) fn bulk(&self) -> Option<u8> {
        let owed = self.owed.front().filter(|owed| owed.answer == Answer::Forward)?;
        match (owed.request, self.phase) {
            (Request::Query | Request::Execute, Phase::Results) => Some(backend::DATA_ROW),
            (_, Phase::CopyOut | Phase::CopyBoth) => Some(backend::COPY_DATA),
            _ => None,
        }
    }

    /// Takes a message that is the reply to a request, or a part of it.
    pub(super) fn reply(&mut self, tag: u8) -> Result<Answer, Violation> {
        use Request::{
            Bind, Close, DescribePortal, DescribeStatement, Execute, FunctionCall, Parse, Query,
            Sync,
        };
        let Some(&Owed { request, answer }) = self.owed.front() else {
            return match tag {
                // The server goes down.
                backend::ERROR_RESPONSE => Ok(Answer::Forward),
                _ => Err(Violation::Unexpected { what: "message that nothing was asked for" }),
            };
        };
        match (request, self.phase, tag) {
            (_, _, backend::ERROR_RESPONSE) => return Ok(self.fail(request, answer)),
            (
                Query | FunctionCall | Sync,
                Phase::Results | Phase::Failed,
                backend::READY_FOR_QUERY,
            )
            | (Parse, _, backend::PARSE_COMPLETE)
            | (Bind, _, backend::BIND_COMPLETE)
            | (Close, _, backend::CLOSE_COMPLETE)
            | (DescribeStatement, Phase::Parameters, backend::ROW_DESCRIPTION | backend::NO_DATA)
            | (DescribePortal, _, backend::ROW_DESCRIPTION | backend::NO_DATA)
            | (
                Execute,
                Phase::Results,
                backend::COMMAND_COMPLETE
                | backend::EMPTY_QUERY_RESPONSE
                | backend::PORTAL_SUSPENDED,
            ) => self.pop(),
            (DescribeStatement, Phase::Results, backend::PARAMETER_DESCRIPTION) => {
                self.phase = Phase::Parameters;
            }
            (Query, Phase::Results, backend::ROW_DESCRIPTION | backend::EMPTY_QUERY_RESPONSE)
            | (Query | Execute, Phase::Results, backend::DATA_ROW)
            | (FunctionCall, Phase::Results, backend::FUNCTION_CALL_RESPONSE)
            | (Query, Phase::Results, backend::COMMAND_COMPLETE)
            | (_, Phase::CopyOut | Phase::CopyBoth, backend::COPY_DATA) => {}
            (_, Phase::CopyOut | Phase::CopyBoth, backend::COPY_DONE) => {
                self.phase = Phase::Results;
            }
            (Query | Execute, Phase::Results, backend::COPY_OUT_RESPONSE) => {
                self.phase = Phase::CopyOut;
            }
            (Query | Execute, Phase::Results, backend::COPY_BOTH_RESPONSE) => {
                self.phase = Phase::CopyBoth;
            }
            (Query | Execute, Phase::Results, backend::COPY_IN_RESPONSE) => self.copy_in(request),
            _ => return Err(Violation::Unexpected { what: "message in a reply" }),
        }
        Ok(answer)
    }

    /// The server waits for data. What was sent behind the request, it reads as that.
    fn copy_in(&mut self, request: Request) {
        self.phase = Phase::CopyIn;
        while let Some(next) = self.owed.get(1).filter(|next| next.answer != Answer::Ours) {
            let next = next.request;
            self.owed.remove(1);
            match next {
                // It passes over that.
                Request::Sync => {
                    self.unsynced = request == Request::Execute;
                    self.sent = self.unsynced;
                }
                Request::CopyEnd => {
                    self.phase = Phase::Results;
                    return;
                }
                // It answers with an error.
                _ => return,
            }
        }
    }

    fn fail(&mut self, request: Request, answer: Answer) -> Answer {
        if request.ends_ready() {
            self.phase = Phase::Failed;
            return answer;
        }
        self.phase = Phase::Results;
        while self.owed.front().is_some_and(|owed| owed.request != Request::Sync) {
            self.take();
        }
        self.skipping = self.owed.is_empty();
        match self.owed.front() {
            Some(Owed { answer: Answer::Drop, .. }) => Answer::Drop,
            _ => Answer::Forward,
        }
    }

    fn take(&mut self) {
        let taken = self.owed.pop_front();
        self.ours -= usize::from(taken.is_some_and(|owed| owed.answer == Answer::Ours));
    }

    fn pop(&mut self) {
        self.take();
        self.phase = Phase::Results;
        // There was no COPY that this was the end of.
        while self.owed.front().is_some_and(|owed| owed.request == Request::CopyEnd) {
            self.take();
        }
    }
}
