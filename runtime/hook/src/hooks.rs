//! The seam between the data plane and whoever decides.

use bitflags::bitflags;

use crate::{Admission, ListenerId, Outcome, SessionContext, Statement, Verdict};

bitflags! {
    /// The hooks that at least one loaded plugin exports for a listener.
    ///
    /// A hook that nobody exports is never prepared for: no text is copied, no digest computed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Hooked: u8 {
        /// `connection-hooks`: after the client is authenticated.
        const CONNECTION = 1;
        /// `connection-observer`: when a session has ended.
        const CONNECTION_OBSERVER = 1 << 1;
        /// `sql-hooks`: before each statement.
        const SQL = 1 << 2;
        /// `sql-observer`: after each statement.
        const SQL_OBSERVER = 1 << 3;
    }
}

/// Everything that the data plane asks of the plugins. Calls are short, bounded and never block.
///
/// The session is handed over as `&mut Box`, so that an implementation may swap it into its own
/// storage for the time of the call; it must be the same session again when the call returns.
pub trait Hooks: Send + Sync + 'static {
    /// Which hooks are worth calling for this listener now. Costs an atomic load.
    fn wanted(&self, listener: ListenerId) -> Hooked;

    /// Asked once, when the client has proved who it is and before any server is chosen.
    fn on_authenticated(&self, session: &mut Box<SessionContext>) -> Admission;

    /// Asked for each statement, before it is sent anywhere.
    fn on_statement(&self, session: &mut Box<SessionContext>, statement: &Statement<'_>)
    -> Verdict;

    /// Told how each statement ended.
    fn on_outcome(&self, session: &mut Box<SessionContext>, outcome: &Outcome);

    /// Told that the session has ended, with the bytes that the client sent and received.
    fn on_closed(&self, session: &mut Box<SessionContext>, bytes_in: u64, bytes_out: u64);
}

/// No plugins at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn wanted(&self, _listener: ListenerId) -> Hooked {
        Hooked::empty()
    }

    fn on_authenticated(&self, _session: &mut Box<SessionContext>) -> Admission {
        Admission::default()
    }

    fn on_statement(
        &self,
        _session: &mut Box<SessionContext>,
        _statement: &Statement<'_>,
    ) -> Verdict {
        Verdict::default()
    }

    fn on_outcome(&self, _session: &mut Box<SessionContext>, _outcome: &Outcome) {}

    fn on_closed(&self, _session: &mut Box<SessionContext>, _bytes_in: u64, _bytes_out: u64) {}
}
