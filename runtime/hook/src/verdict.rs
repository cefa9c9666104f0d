//! What plugins answer. Data only: it takes effect when the hook has returned.

use std::sync::Arc;
use std::time::Duration;

use crate::TargetId;

/// An error that a plugin wants the client to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The protocol's code; 0 for the host's default.
    pub code: u32,
    /// Five characters; empty for the host's default.
    pub sqlstate: String,
    pub message: String,
}

/// A column of a plugin's own answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// `text`, `bigint`, `double` or `blob`; anything else is shown to the client as `text`.
    pub type_name: String,
}

/// A result set that a plugin made up. Values are text, as the client would read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
}

/// An answer in the server's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done { affected: u64, last_insert_id: u64, info: String },
    Rows(Rows),
}

/// What ends a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Reject(Rejection),
    Reply(Reply),
}

/// May the statement run twice without harm?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotence {
    #[default]
    Unknown,
    Idempotent,
    NotIdempotent,
}

/// No statement is held back for longer.
pub const DELAY_MAX: Duration = Duration::from_secs(3600);

/// What plugins have noted about the request, and what else they rarely want, beside where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    pub trace_id: Option<String>,
    pub idempotency_key: Option<String>,
    pub tags: Vec<(String, String)>,
    /// How long the statement, or the answer in its place, is held back: up to [`DELAY_MAX`].
    pub delay: Option<Duration>,
    /// Where a copy of the statement goes, as it is sent, whose reply is dropped.
    pub mirror: Option<TargetId>,
}

/// What the whole chain decided about a statement. The default is: as if there were no plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Where it goes; `None` for where it would have gone anyway.
    pub target: Option<TargetId>,
    /// The text that replaces the client's.
    pub rewrite: Option<String>,
    /// An answer in the server's place.
    pub answer: Option<Answer>,
    /// How long the server may take.
    pub timeout: Option<Duration>,
    pub idempotence: Idempotence,
    /// `None` costs nothing, and most statements have none.
    pub annotations: Option<Box<Annotations>>,
    /// The plugin that decided last, for logs.
    pub by: Option<Arc<str>>,
}

impl Verdict {
    /// How long the statement, or the answer in its place, is held back before it goes on.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.annotations.as_ref()?.delay
    }

    /// Where a copy of a statement that is sent goes, too.
    #[must_use]
    pub fn mirror(&self) -> Option<TargetId> {
        self.annotations.as_ref()?.mirror
    }

    /// The word that logs and metrics use for what was decided.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match (&self.answer, &self.rewrite, self.target) {
            (Some(Answer::Reject(_)), _, _) => "reject",
            (Some(Answer::Reply(_)), _, _) => "reply",
            (None, Some(_), _) => "rewrite",
            (None, None, Some(_)) => "route",
            (None, None, None) => "next",
        }
    }
}

/// What the chain decided about a new session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Where its statements go unless one of them is routed elsewhere.
    pub target: Option<TargetId>,
    pub reject: Option<Rejection>,
    /// The plugin that decided last, for logs.
    pub by: Option<Arc<str>>,
}
