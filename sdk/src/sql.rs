//! The hooks of a statement. `use tidegate_sdk::sql::*` brings all that they need.

use std::time::Duration;

pub use tidegate_sql::Kind;

pub use crate::rejection::Rejection;
pub use crate::rows::{ColumnType, Rows, Value};
pub use crate::session::Session;
pub use crate::statement::Statement;
pub use crate::target::Target;
pub use crate::verdict::{Action, Reply, Reuse, Verdict};

/// Decides each statement before it is sent anywhere.
///
/// The hook has a few milliseconds, no network and no file system. It runs once for each statement,
/// unless a [verdict is reused](Verdict::reuse).
///
/// ```
/// use tidegate_sdk::{mock, sql::*};
///
/// struct NoDrops;
///
/// impl SqlPlugin for NoDrops {
///     fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
///         if statement.kind() == Kind::Ddl && session.user() != "admin" {
///             Verdict::reject(Rejection::new("ask an administrator").code(1142).sqlstate("42000"))
///         } else {
///             Verdict::next()
///         }
///     }
/// }
///
/// let verdict = NoDrops.on_statement(&mock::session("admin"), &mock::statement("DROP TABLE t"));
/// assert_eq!(verdict, Verdict::next());
/// ```
pub trait SqlPlugin {
    /// What shall happen to this statement of this session?
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict;
}

/// Is told how each statement ended.
///
/// ```
/// use tidegate_sdk::{metrics::Counter, sql::*};
///
/// struct Failures(Counter);
///
/// impl SqlObserver for Failures {
///     fn on_outcome(&self, _: &Session, outcome: &Outcome) {
///         if outcome.outcome == OutcomeKind::ServerError {
///             self.0.add(1);
///         }
///     }
/// }
/// ```
pub trait SqlObserver {
    /// This statement of this session has ended like that.
    fn on_outcome(&self, session: &Session, outcome: &Outcome);
}

/// How a statement ended.
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::sql::*;
///
/// fn is_slow(outcome: &Outcome) -> bool {
///     outcome.kind == Kind::Read && outcome.duration > Duration::from_millis(100)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The digest of the statement, as in [`Statement::digest`].
    pub digest: u64,
    /// What kind of statement it was.
    pub kind: Kind,
    /// Who or what ended it.
    pub outcome: OutcomeKind,
    /// The protocol's error code; 0 without an error.
    pub error_code: u32,
    /// Rows returned, or rows affected where none are returned.
    pub rows: u64,
    /// From the statement's last byte received to its answer's last byte sent.
    pub duration: Duration,
}

/// Who or what ended a statement.
///
/// ```
/// use tidegate_sdk::sql::OutcomeKind;
///
/// fn is_our_fault(outcome: OutcomeKind) -> bool {
///     matches!(outcome, OutcomeKind::ProxyError | OutcomeKind::TimedOut)
/// }
/// # assert!(is_our_fault(OutcomeKind::TimedOut));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// The server, or a plugin's reply, answered without an error.
    Ok,
    /// The server answered with an error.
    ServerError,
    /// A plugin rejected it.
    Rejected,
    /// It ran past its time limit.
    TimedOut,
    /// The client went away before the answer was complete.
    ClientGone,
    /// tidegate could not carry it out: no server, a full queue, a lost connection.
    ProxyError,
}
