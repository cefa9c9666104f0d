//! One plugin as it runs now: an instance per worker, replaced when it fails.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_hook::{Admission, Outcome, SessionContext, Verdict};

use crate::background::Background;
use crate::cache::Cache;
use crate::component::LoadError;
use crate::failure::Failure;
use crate::health::Health;
use crate::instance::{Blueprint, Instance, Welcome};
use crate::plugin::{Hook, Plugin};
use crate::reaper::Reaper;
use crate::request::Request;
use crate::sidecar::OnFailure;

/// One version of a plugin. Unchanged plugins are shared by successive generations.
pub(crate) struct Loaded {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) blueprint: Blueprint,
    /// Counts this plugin's versions, from 1.
    pub(crate) version: u64,
    health: Health,
    slots: Box<[Slot]>,
    /// The instance that runs `ticker`, if the plugin has that hook.
    background: Option<Background>,
    last_failure: Mutex<Option<Failure>>,
    reaper: Reaper,
}

/// The place of one worker, on cache lines of its own. The lock is contended only if threads
/// outnumber workers.
#[repr(align(128))]
struct Slot {
    place: Mutex<Place>,
}

struct Place {
    instance: Option<Box<Instance>>,
    cache: Cache,
    /// The plugin's name once more, so that verdicts of several workers do not share a counter.
    name: Arc<str>,
}

/// Why a plugin gave no answer: what the chain does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// As if it were not there.
    Pass,
    /// The request is refused.
    Refuse,
}

/// A call's place and time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) worker: usize,
    pub(crate) now_ms: u64,
}

impl Loaded {
    /// Starts an instance for each worker, and the background instance if there is to be one.
    pub(crate) fn start(
        blueprint: Blueprint,
        version: u64,
        workers: usize,
        background: Option<Background>,
        reaper: Reaper,
    ) -> Result<Self, LoadError> {
        let exports = &blueprint.compiled.exports;
        let is_hot = exports.names().iter().any(|name| !matches!(*name, "lifecycle" | "ticker"));
        let slots = (0..workers)
            .map(|_| {
                let instance = is_hot.then(|| Instance::start(&blueprint)).transpose()?;
                let instance = instance.map(Box::new);
                let name = Arc::from(&*blueprint.plugin.name);
                let place = Mutex::new(Place { instance, cache: Cache::default(), name });
                Ok(Slot { place })
            })
            .collect::<Result<_, LoadError>>()?;
        Ok(Self {
            plugin: Arc::clone(&blueprint.plugin),
            blueprint,
            version,
            health: Health::default(),
            slots,
            background,
            last_failure: Mutex::default(),
            reaper,
        })
    }

    /// Lets the background instance tick, now that the plugin is live.
    pub(crate) fn go_live(&self) {
        if let Some(background) = &self.background {
            background.go_live();
        }
    }

    pub(crate) fn is_degraded(&self) -> bool {
        self.health.is_degraded()
    }

    pub(crate) fn last_failure(&self) -> Option<Failure> {
        lock(&self.last_failure).clone()
    }

    /// Adds the plugin's decision to the admission. Returns whether it ends the chain.
    pub(crate) fn on_authenticated(
        &self,
        at: Moment,
        session: &mut Box<SessionContext>,
        admission: &mut Admission,
    ) -> Result<bool, Unanswered> {
        let mut place = self.place(at.worker);
        let welcome = self.call(at, &mut place, Hook::Authenticated, |instance| {
            instance.on_authenticated(session)
        })?;
        match welcome {
            Welcome::Next => return Ok(false),
            Welcome::Route(target) => admission.target = target.or(admission.target),
            Welcome::Reject(why) => admission.reject = Some(why),
        }
        admission.by = Some(Arc::clone(&place.name));
        Ok(admission.reject.is_some())
    }

    /// Adds the plugin's decision, a new one or one that may be reused, to the verdict. Returns
    /// whether it ends the chain.
    pub(crate) fn on_statement(
        &self,
        at: Moment,
        session: &mut Box<SessionContext>,
        request: &mut Request<'_>,
        verdict: &mut Verdict,
    ) -> Result<bool, Unanswered> {
        let mut place = self.place(at.worker);
        let decision = if let Some(decision) = place.cache.get(session, request, at.now_ms) {
            self.plugin.counters.hit(at.worker);
            decision.clone()
        } else {
            let (decision, reuse) = self.call(at, &mut place, Hook::Statement, |instance| {
                instance.on_statement(session, request)
            })?;
            if let Some(reuse) = reuse {
                place.cache.put(reuse, session, request, &decision, at.now_ms);
            }
            decision
        };
        if let Some(text) = decision.rewrite() {
            request.rewrite(text, session.protocol.dialect());
        }
        Ok(decision.apply(verdict, &place.name))
    }

    /// An observer's failure is counted; nobody waits for its answer.
    pub(crate) fn on_outcome(
        &self,
        at: Moment,
        session: &mut Box<SessionContext>,
        outcome: &Outcome,
    ) {
        let mut place = self.place(at.worker);
        let call = |instance: &mut Instance| instance.on_outcome(session, outcome);
        self.call(at, &mut place, Hook::Outcome, call).ok();
    }

    /// As for [`Self::on_outcome`].
    pub(crate) fn on_closed(
        &self,
        at: Moment,
        session: &mut Box<SessionContext>,
        bytes_in: u64,
        bytes_out: u64,
    ) {
        let mut place = self.place(at.worker);
        let call = |instance: &mut Instance| instance.on_closed(session, bytes_in, bytes_out);
        self.call(at, &mut place, Hook::Closed, call).ok();
    }

    fn call<R>(
        &self,
        at: Moment,
        place: &mut Place,
        hook: Hook,
        call: impl FnOnce(&mut Instance) -> Result<R, Failure>,
    ) -> Result<R, Unanswered> {
        if !self.health.admits(at.now_ms) {
            return Err(self.unanswered());
        }
        self.plugin.counters.called(at.worker, hook);
        // The instance is out of its place during the call: if the call unwinds, it is gone.
        let answer = match place.instance.take() {
            Some(instance) => self.call_once(instance, place, call),
            None => Instance::start(&self.blueprint)
                .map_err(Failure::from)
                .and_then(|instance| self.call_once(Box::new(instance), place, call)),
        };
        match answer {
            Ok(answer) => {
                if self.health.succeeded() {
                    tracing::info!(target: "plugin", plugin = &*self.plugin.name, "it works again");
                }
                Ok(answer)
            }
            Err(failure) => {
                self.failed(failure, hook, at.now_ms);
                Err(self.unanswered())
            }
        }
    }

    fn call_once<R>(
        &self,
        mut instance: Box<Instance>,
        place: &mut Place,
        call: impl FnOnce(&mut Instance) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let answer = call(&mut instance);
        match &answer {
            Ok(_) => place.instance = Some(instance),
            Err(_) => self.reaper.bury(instance),
        }
        answer
    }

    fn failed(&self, failure: Failure, hook: Hook, now_ms: u64) {
        self.plugin.counters.failed(failure.kind);
        let (plugin, hook) = (&*self.plugin.name, hook.as_str());
        match self.health.failed(now_ms) {
            None => tracing::warn!(target: "plugin", plugin, hook, "{failure}"),
            Some(backoff_ms) => tracing::error!(
                target: "plugin", plugin, hook, backoff_ms,
                "{failure}; it keeps failing and is left alone"
            ),
        }
        *lock(&self.last_failure) = Some(failure);
    }

    fn unanswered(&self) -> Unanswered {
        match self.blueprint.sidecar.on_failure {
            OnFailure::Open => Unanswered::Pass,
            OnFailure::Closed => Unanswered::Refuse,
        }
    }

    fn place(&self, worker: usize) -> MutexGuard<'_, Place> {
        let slot = self.slots.get(worker);
        lock(&slot.expect("`Shared::worker` gives no number beyond the workers").place)
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (version {})", self.plugin.name, self.version)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // The code goes with the last blueprint, so that goes there, too.
        self.reaper.bury((std::mem::take(&mut self.slots), self.blueprint.clone()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
