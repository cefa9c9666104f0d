//! One instance: a store, the hooks in it, and a call into one of them.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tidegate_hook::{
    Attribute, Outcome, OutcomeKind, Protocol, Rejection, SessionContext, SessionState,
    StatementTraits, TargetId, Targets,
};
use tidegate_sql::Kind;
use wasmtime::Store;
use wasmtime::component::Instance as Component;

use crate::bindings::exports::tidegate::plugin as exports;
use crate::bindings::tidegate::plugin::{sql_types, types};
use crate::component::{Compiled, LoadError, Reads};
use crate::decision::{self, Decision, Reuse};
use crate::failure::{Failure, FailureKind};
use crate::limits::MemoryLimit;
use crate::overrun::{at_deadline, half};
use crate::plugin::Plugin;
use crate::request::Request;
use crate::sidecar::Sidecar;
use crate::state::{Draft, State};

/// How long instantiating and `init` may take.
pub(crate) const START_MAX: Duration = Duration::from_secs(1);

/// What one call may make the host allocate, in bytes.
const HOSTCALL_BYTES: usize = 4 << 20;
/// Resources of the host that a guest may hold; plugins need a few streams.
const HANDLES_MAX: usize = 1000;

/// All that is needed to make an instance again.
#[derive(Clone)]
pub(crate) struct Blueprint {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) targets: Arc<Targets>,
    pub(crate) sidecar: Arc<Sidecar>,
    pub(crate) config: Arc<serde_json::Value>,
}

impl Blueprint {
    /// The host's side of a new store.
    pub(crate) fn state(&self) -> State {
        let high_water: Arc<AtomicUsize> = Arc::clone(&self.plugin.counters.memory_high_water);
        let limit = MemoryLimit::new(self.sidecar.memory, high_water);
        State::new(
            Arc::clone(&self.plugin),
            Arc::clone(&self.targets),
            Arc::clone(&self.config),
            limit,
        )
    }
}

/// An instance that has been initialised. After a failed call it must not be called again.
pub(crate) struct Instance {
    store: Store<State>,
    hooks: Hooks,
    targets: Arc<Targets>,
    half_deadline: Duration,
    reads: Reads,
    /// Under which sessions keep this plugin's mark.
    plugin: u32,
}

#[derive(Default)]
struct Hooks {
    connection: Option<exports::connection_hooks::Guest>,
    connection_observer: Option<exports::connection_observer::Guest>,
    sql: Option<exports::sql_hooks::Guest>,
    sql_observer: Option<exports::sql_observer::Guest>,
}

/// What a plugin decided about a new session.
pub(crate) enum Welcome {
    Next,
    Route(Option<TargetId>),
    Reject(Rejection),
}

impl Instance {
    /// Instantiates and calls `init`.
    pub(crate) fn start(blueprint: &Blueprint) -> Result<Self, LoadError> {
        let mut store = new_store(blueprint);
        let started = start(&mut store, blueprint);
        let denied = store.data().limit.was_denied();
        let (hooks, init) =
            started.map_err(|error| LoadError::Start(Failure::of_call(&error, denied)))?;
        init.map_err(LoadError::Refused)?;
        Ok(Self {
            store,
            hooks,
            targets: Arc::clone(&blueprint.targets),
            half_deadline: half(blueprint.sidecar.deadline),
            reads: blueprint.compiled.reads,
            plugin: blueprint.plugin.number,
        })
    }

    pub(crate) fn on_authenticated(
        &mut self,
        session: &mut Box<SessionContext>,
    ) -> Result<Welcome, Failure> {
        use exports::connection_hooks::Action;
        let client = client(session, self.plugin);
        let (answer, draft) = self.call(session, |store, hooks| match &hooks.connection {
            Some(hook) => hook.call_on_authenticated(store, client),
            None => Ok(exports::connection_hooks::Decision { action: Action::Next, target: 0 }),
        })?;
        Ok(match answer.action {
            Action::Next => Welcome::Next,
            Action::Route => Welcome::Route(decision::target(answer.target, &self.targets)?),
            Action::Reject => Welcome::Reject(
                draft
                    .and_then(|draft| draft.reject)
                    .unwrap_or_else(|| decision::rejected_by(&self.store.data().plugin.name)),
            ),
        })
    }

    pub(crate) fn on_statement(
        &mut self,
        session: &mut Box<SessionContext>,
        request: &mut Request<'_>,
    ) -> Result<(Decision, Option<Reuse>), Failure> {
        let client = client(session, self.plugin);
        self.hold(request);
        let (kind, digest) = (kind(request.kind), request.digest);
        let (text, traits) = request.text();
        let statement = sql_types::Statement { text, kind, traits: traits_of(traits), digest };
        let (answer, draft) = self.call(session, |store, hooks| match &hooks.sql {
            Some(hook) => hook.call_on_statement(store, client, statement),
            None => Err(wasmtime::Error::msg("it has no sql-hooks")),
        })?;
        Decision::check(answer, draft, &self.targets, &self.store.data().plugin.name)
    }

    /// Keeps at hand what the component can ask about the statement.
    fn hold(&mut self, request: &Request<'_>) {
        if self.reads.bytes {
            let held = &mut self.store.data_mut().statement;
            held.clear();
            held.extend_from_slice(&request.bytes);
        }
        if self.reads.attributes {
            let held = &mut self.store.data_mut().attributes;
            held.clear();
            let owned = |a: &Attribute<'_>| (a.name.to_owned(), a.value.clone().into_owned());
            held.extend(request.attributes.iter().map(owned));
        }
    }

    pub(crate) fn on_outcome(
        &mut self,
        session: &mut Box<SessionContext>,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        let client = client(session, self.plugin);
        let duration_ns = u64::try_from(outcome.duration.as_nanos()).unwrap_or(u64::MAX);
        self.call(session, |store, hooks| match &hooks.sql_observer {
            Some(hook) => hook.call_on_outcome(
                store,
                client,
                outcome.digest,
                kind(outcome.kind),
                outcome_of(outcome.outcome),
                outcome.error_code,
                outcome.rows,
                duration_ns,
            ),
            None => Ok(()),
        })?;
        Ok(())
    }

    pub(crate) fn on_closed(
        &mut self,
        session: &mut Box<SessionContext>,
        bytes_in: u64,
        bytes_out: u64,
    ) -> Result<(), Failure> {
        let client = client(session, self.plugin);
        self.call(session, |store, hooks| match &hooks.connection_observer {
            Some(hook) => hook.call_on_closed(store, client, bytes_in, bytes_out),
            None => Ok(()),
        })?;
        Ok(())
    }

    /// One call: the session is in the store for its time, and what the hook said comes back only
    /// if it returned.
    fn call<R>(
        &mut self,
        session: &mut Box<SessionContext>,
        hook: impl FnOnce(&mut Store<State>, &Hooks) -> wasmtime::Result<R>,
    ) -> Result<(R, Option<Box<Draft>>), Failure> {
        let state = self.store.data_mut();
        let ticks = state.overrun.begin(self.half_deadline);
        state.limit.clear();
        std::mem::swap(&mut state.session, session);
        self.store.set_epoch_deadline(ticks);
        let answer = hook(&mut self.store, &self.hooks);
        let state = self.store.data_mut();
        std::mem::swap(&mut state.session, session);
        let draft = state.draft.take();
        match answer {
            Ok(answer) => Ok((answer, draft)),
            Err(error) => {
                state.flush_printed();
                Err(Failure::of_call(&error, state.limit.was_denied()))
            }
        }
    }
}

fn new_store(blueprint: &Blueprint) -> Store<State> {
    let engine = blueprint.compiled.hot.engine();
    let mut store = Store::new(engine, blueprint.state());
    store.limiter(|state| &mut state.limit);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    store.set_max_component_handles(HANDLES_MAX);
    store.epoch_deadline_callback(|store| Ok(at_deadline(store)));
    let ticks = store.data_mut().overrun.begin(half(START_MAX));
    store.set_epoch_deadline(ticks);
    store
}

/// Instantiates, finds the hooks and calls `init`, whose own answer is the inner result.
fn start(
    store: &mut Store<State>,
    blueprint: &Blueprint,
) -> wasmtime::Result<(Hooks, Result<(), String>)> {
    let Compiled { hot, exports, .. } = &*blueprint.compiled;
    let instance = hot.instantiate(&mut *store)?;
    let hooks = Hooks::load(store, &instance, exports)?;
    let Some(lifecycle) = &exports.lifecycle else {
        return Ok((hooks, Ok(())));
    };
    let config = blueprint.config.to_string();
    let init = lifecycle.load(&mut *store, &instance)?.call_init(&mut *store, &config);
    if init.is_err() {
        store.data_mut().flush_printed();
    }
    Ok((hooks, init?))
}

impl Hooks {
    fn load(
        store: &mut Store<State>,
        instance: &Component,
        exports: &crate::component::Exports,
    ) -> wasmtime::Result<Self> {
        let mut hooks = Self::default();
        if let Some(found) = &exports.connection {
            hooks.connection = Some(found.load(&mut *store, instance)?);
        }
        if let Some(found) = &exports.connection_observer {
            hooks.connection_observer = Some(found.load(&mut *store, instance)?);
        }
        if let Some(found) = &exports.sql {
            hooks.sql = Some(found.load(&mut *store, instance)?);
        }
        if let Some(found) = &exports.sql_observer {
            hooks.sql_observer = Some(found.load(&mut *store, instance)?);
        }
        Ok(hooks)
    }
}

impl From<LoadError> for Failure {
    /// An instance that replaces another did not start.
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Start(failure) => failure,
            other => Self::new(FailureKind::HostError, other.to_string()),
        }
    }
}

fn client(session: &SessionContext, plugin: u32) -> types::Client {
    types::Client {
        id: session.id,
        mark: session.mark(plugin),
        protocol: match session.protocol {
            Protocol::Mysql => types::Protocol::Mysql,
            Protocol::Postgres => types::Protocol::Postgres,
        },
        state: state_of(session.state),
    }
}

fn state_of(state: SessionState) -> types::SessionState {
    let mut flags = types::SessionState::empty();
    for (here, there) in [
        (SessionState::TLS, types::SessionState::TLS),
        (SessionState::IN_TRANSACTION, types::SessionState::IN_TRANSACTION),
        (SessionState::TRANSACTION_FAILED, types::SessionState::TRANSACTION_FAILED),
        (SessionState::READ_ONLY, types::SessionState::READ_ONLY),
        (SessionState::WROTE, types::SessionState::WROTE),
    ] {
        if state.contains(here) {
            flags |= there;
        }
    }
    flags
}

fn traits_of(traits: StatementTraits) -> sql_types::Traits {
    let mut flags = sql_types::Traits::empty();
    for (here, there) in [
        (StatementTraits::PREPARED, sql_types::Traits::PREPARED),
        (StatementTraits::TRUNCATED, sql_types::Traits::TRUNCATED),
        (StatementTraits::NOT_UTF8, sql_types::Traits::NOT_UTF8),
        (StatementTraits::MULTIPLE, sql_types::Traits::MULTIPLE),
        (StatementTraits::PARTIAL, sql_types::Traits::PARTIAL),
        (StatementTraits::ATTRIBUTES, sql_types::Traits::ATTRIBUTES),
    ] {
        if traits.contains(here) {
            flags |= there;
        }
    }
    flags
}

fn kind(kind: Kind) -> sql_types::Kind {
    match kind {
        Kind::Read => sql_types::Kind::Read,
        Kind::Write => sql_types::Kind::Write,
        Kind::Ddl => sql_types::Kind::Ddl,
        Kind::Begin => sql_types::Kind::Begin,
        Kind::Commit => sql_types::Kind::Commit,
        Kind::Rollback => sql_types::Kind::Rollback,
        Kind::SessionState => sql_types::Kind::SessionState,
        Kind::Call => sql_types::Kind::Call,
        Kind::Admin => sql_types::Kind::Admin,
        Kind::Unknown => sql_types::Kind::Unknown,
    }
}

fn outcome_of(outcome: OutcomeKind) -> types::Outcome {
    match outcome {
        OutcomeKind::Ok => types::Outcome::Ok,
        OutcomeKind::ServerError => types::Outcome::ServerError,
        OutcomeKind::Rejected => types::Outcome::Rejected,
        OutcomeKind::TimedOut => types::Outcome::TimedOut,
        OutcomeKind::ClientGone => types::Outcome::ClientGone,
        OutcomeKind::ProxyError => types::Outcome::ProxyError,
    }
}
