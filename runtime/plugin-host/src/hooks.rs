//! The hot path: one call of the data plane through the chain of its listener.

use std::sync::Arc;

use arc_swap::Guard;
use tidegate_hook::{
    Admission, Answer, Hooked, Hooks, ListenerId, Outcome, SessionContext, Statement, Verdict,
    current_worker,
};

use crate::decision::failed_closed;
use crate::generation::Generation;
use crate::host::PluginHost;
use crate::loaded::{Moment, Unanswered};
use crate::request::Request;

impl Hooks for PluginHost {
    fn wanted(&self, listener: ListenerId) -> Hooked {
        self.shared.wanted(listener)
    }

    fn on_authenticated(&self, session: &mut Box<SessionContext>) -> Admission {
        let (generation, at) = self.enter();
        let mut admission = Admission::default();
        let Some(chain) = generation.chain(session.listener) else {
            return admission;
        };
        for plugin in &chain.connection {
            match plugin.on_authenticated(at, session, &mut admission) {
                Ok(false) | Err(Unanswered::Pass) => {}
                Ok(true) => break,
                Err(Unanswered::Refuse) => {
                    let name = &plugin.plugin.name;
                    admission.reject = Some(failed_closed(name, "the connection"));
                    admission.by = Some(name.clone());
                    break;
                }
            }
        }
        admission
    }

    fn on_statement(
        &self,
        session: &mut Box<SessionContext>,
        statement: &Statement<'_>,
    ) -> Verdict {
        let (generation, at) = self.enter();
        let mut verdict = Verdict::default();
        let Some(chain) = generation.chain(session.listener) else {
            return verdict;
        };
        let mut request = Request::new(statement);
        for plugin in &chain.sql {
            match plugin.on_statement(at, session, &mut request, &mut verdict) {
                Ok(false) | Err(Unanswered::Pass) => {}
                Ok(true) => break,
                Err(Unanswered::Refuse) => {
                    let name = &plugin.plugin.name;
                    let why = failed_closed(name, "the statement");
                    verdict.answer = Some(Answer::Reject(why));
                    verdict.by = Some(name.clone());
                    break;
                }
            }
        }
        verdict
    }

    fn on_outcome(&self, session: &mut Box<SessionContext>, outcome: &Outcome) {
        let (generation, at) = self.enter();
        let Some(chain) = generation.chain(session.listener) else {
            return;
        };
        for plugin in &chain.sql_observer {
            plugin.on_outcome(at, session, outcome);
        }
    }

    fn on_closed(&self, session: &mut Box<SessionContext>, bytes_in: u64, bytes_out: u64) {
        let (generation, at) = self.enter();
        let Some(chain) = generation.chain(session.listener) else {
            return;
        };
        for plugin in &chain.connection_observer {
            plugin.on_closed(at, session, bytes_in, bytes_out);
        }
    }
}

impl PluginHost {
    /// The generation that serves now, which stays for the time of the call.
    fn enter(&self) -> (Guard<Arc<Generation>>, Moment) {
        let shared = &self.shared;
        let at = Moment { worker: shared.worker(current_worker()), now_ms: shared.pulse.now_ms() };
        (shared.current(), at)
    }
}
