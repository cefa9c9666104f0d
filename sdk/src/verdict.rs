//! What a plugin answers about a statement.

use std::time::Duration;

use crate::sql::Rows;
use crate::{Rejection, Target};

/// What shall happen to the statement.
///
/// ```
/// use tidegate_sdk::sql::*;
///
/// assert_eq!(Verdict::rewrite("SELECT 2").action, Action::Rewrite("SELECT 2".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The next plugin decides; after the last, it goes where it would have gone anyway.
    Next,
    /// It goes to the verdict's target. The next plugin may still change that.
    Route,
    /// This text takes its place. The next plugin sees it instead.
    Rewrite(String),
    /// It is answered by the plugin, and no server sees it.
    Reply(Reply),
    /// It fails, and no server sees it.
    Reject(Rejection),
}

/// An answer in the server's place.
///
/// ```
/// use tidegate_sdk::sql::*;
///
/// let done = Reply::Done { affected: 3, last_insert_id: 0, info: String::new() };
/// assert_eq!(Verdict::reply_done(3).action, Action::Reply(done));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Success without rows.
    Done {
        /// How many rows are said to be affected.
        affected: u64,
        /// The number that the last inserted row is said to have; 0 for none.
        last_insert_id: u64,
        /// A line for the client, such as `Rows matched: 1`.
        info: String,
    },
    /// A result set.
    Rows(Rows),
}

/// For what the host may reuse a verdict without asking again, besides that the statement's digest and
/// traits and the session's state (`tls`, `in_transaction`, `read_only`, `wrote`, …) are the same.
///
/// Marks, attributes, literals, the client's address and the time are not compared: a verdict that depends
/// on one of them must say so with a narrower choice, or not be reused. What is attached to a statement
/// counts as part of its text.
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::sql::*;
///
/// // Depends on the user only: whatever this user sends next of this shape goes the same way.
/// let verdict = Verdict::route("orders/replica").reuse(Reuse::User, Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Every session of the same user, on the same listener and database.
    User,
    /// The same, but for the very same text only: for a verdict that looked at literals.
    UserAndText,
    /// This session only.
    Session,
}

/// What a plugin answers about a statement. It is data: nothing happens before the hook has returned,
/// and nothing at all if it panics.
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::sql::*;
///
/// struct Reports;
///
/// impl SqlPlugin for Reports {
///     fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
///         if statement.text().contains("yearly_report") {
///             Verdict::route("orders/replica").timeout(Duration::from_secs(60)).tag("kind", "report")
///         } else {
///             Verdict::next()
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Verdict {
    /// What shall happen.
    pub action: Action,
    /// Where a routed or rewritten statement goes; `None` for where it would have gone anyway.
    pub target: Option<Target>,
    /// For what and how long the host may reuse this verdict.
    pub reuse: Option<(Reuse, Duration)>,
    /// How long the server may take.
    pub timeout: Option<Duration>,
    /// May the statement run twice without harm? `None`: not known.
    pub idempotent: Option<bool>,
    /// The id under which logs and observers find the statement.
    pub trace_id: Option<String>,
    /// What makes two statements the same request.
    pub idempotency_key: Option<String>,
    /// Notes for the logs.
    pub tags: Vec<(String, String)>,
    /// How long the statement, or the answer in its place, is held back.
    pub delay: Option<Duration>,
    /// Where a copy of the statement goes.
    pub mirror: Option<Target>,
}

/// What shall happen.
impl Verdict {
    /// No opinion: the next plugin decides, or nobody.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// assert_eq!(Verdict::next().action, Action::Next);
    /// ```
    pub fn next() -> Self {
        Action::Next.into()
    }

    /// It goes there.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let by_name = Verdict::route("orders/replica");
    /// let by_computed_name = Verdict::route(format!("shard{}", 3));
    /// ```
    pub fn route(target: impl Into<Target>) -> Self {
        Self::from(Action::Route).to(target)
    }

    /// This text is sent instead.
    ///
    /// ```
    /// # use tidegate_sdk::{mock, sql::*};
    /// let statement = mock::statement("SELECT * FROM old_orders");
    /// let verdict = Verdict::rewrite(statement.text().replace("old_orders", "orders"));
    /// assert_eq!(verdict, Verdict::rewrite("SELECT * FROM orders"));
    /// ```
    pub fn rewrite(text: impl Into<String>) -> Self {
        Action::Rewrite(text.into()).into()
    }

    /// The client is told that it succeeded, with this number of affected rows.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::reply_done(1).last_insert_id(42).info("written to the archive");
    /// ```
    pub fn reply_done(affected: u64) -> Self {
        let done = Reply::Done { affected, last_insert_id: 0, info: String::new() };
        Action::Reply(done).into()
    }

    /// The client gets these rows.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::reply_rows(Rows::new([("who", ColumnType::Text)]).row(["tidegate"]));
    /// ```
    pub fn reply_rows(rows: Rows) -> Self {
        Action::Reply(Reply::Rows(rows)).into()
    }

    /// The client gets an error.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::reject("no statements on Sundays");
    /// let verdict = Verdict::reject(Rejection::new("denied").code(1142).sqlstate("42000"));
    /// ```
    pub fn reject(why: impl Into<Rejection>) -> Self {
        Action::Reject(why.into()).into()
    }
}

impl From<Action> for Verdict {
    fn from(action: Action) -> Self {
        Self {
            action,
            target: None,
            reuse: None,
            timeout: None,
            idempotent: None,
            trace_id: None,
            idempotency_key: None,
            tags: Vec::new(),
            delay: None,
            mirror: None,
        }
    }
}

/// What goes with it.
impl Verdict {
    /// A rewritten statement goes there.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::rewrite("SELECT * FROM orders_2025").to("archive");
    /// ```
    pub fn to(mut self, target: impl Into<Target>) -> Self {
        if self.action == Action::Next {
            self.action = Action::Route;
        }
        self.target = Some(target.into());
        self
    }

    /// For so long, the host may answer the same without asking, for statements of the same digest, in
    /// the same state of a session, within the [`Reuse`].
    ///
    /// A reload forgets all. A statement too long to be judged as a whole always asks, and a verdict with
    /// a trace id or an idempotency key is reused for [`Reuse::UserAndText`] only.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::next().reuse(Reuse::Session, Duration::from_secs(5));
    /// ```
    pub fn reuse(mut self, scope: Reuse, duration: Duration) -> Self {
        self.reuse = Some((scope, duration));
        self
    }

    /// How long the server may take.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::next().timeout(Duration::from_millis(250));
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The id under which logs and observers find the statement.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::next().trace_id("4bf92f3577b34da6a3ce929d0e0e4736");
    /// ```
    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        self.trace_id = Some(id.into());
        self
    }

    /// What makes two statements the same request.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::next().idempotency_key("order-17");
    /// ```
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// The statement may run twice without harm.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// assert_eq!(Verdict::next().idempotent().idempotent, Some(true));
    /// ```
    pub fn idempotent(mut self) -> Self {
        self.idempotent = Some(true);
        self
    }

    /// The statement must not run twice.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// assert_eq!(Verdict::next().not_idempotent().idempotent, Some(false));
    /// ```
    pub fn not_idempotent(mut self) -> Self {
        self.idempotent = Some(false);
        self
    }

    /// Adds a note for the logs: 16 of them, of up to 512 bytes. A second one of the same key replaces
    /// the first.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::next().tag("team", "billing").tag("cost", "high");
    /// ```
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// The statement, or the answer in its place, is held back so long before it goes on: an hour at most.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::reject("too many at once").delay(Duration::from_millis(100));
    /// ```
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// A copy of the statement, as it is sent, goes there too; the reply to the copy is dropped. What is
    /// answered in the server's place is not copied.
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::route("orders").mirror("candidate");
    /// ```
    pub fn mirror(mut self, target: impl Into<Target>) -> Self {
        self.mirror = Some(target.into());
        self
    }

    /// The number that the last inserted row is said to have, in a [`reply_done`](Self::reply_done).
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::reply_done(1).last_insert_id(42);
    /// ```
    pub fn last_insert_id(mut self, id: u64) -> Self {
        if let Action::Reply(Reply::Done { last_insert_id, .. }) = &mut self.action {
            *last_insert_id = id;
        }
        self
    }

    /// A line for the client, in a [`reply_done`](Self::reply_done).
    ///
    /// ```
    /// # use tidegate_sdk::sql::*;
    /// let verdict = Verdict::reply_done(1).info("Rows matched: 1");
    /// ```
    pub fn info(mut self, text: impl Into<String>) -> Self {
        if let Action::Reply(Reply::Done { info, .. }) = &mut self.action {
            *info = text.into();
        }
        self
    }
}
