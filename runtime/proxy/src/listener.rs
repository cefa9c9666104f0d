//! All that the sessions of one listener share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use tidegate_config as config;
use tidegate_hook::{Hooked, Hooks, ListenerId, Outcome, SessionContext, Target, Targets, Verdict};
use tidegate_sql::{Kind, digest_text};
use tidegate_telemetry::{
    KindLabel, ListenerMetrics, OpenSession, OutcomeLabel, QueryLog, QueryLogEntry, VerdictLabel,
};
use tracing::warn;

use crate::pool::Server;
use crate::protocol::{Protocol, Upstreams};
use crate::route::Place;
use crate::sessions::Sessions;
use crate::tls::Acceptor;

/// Numbers sessions for the whole process.
static SESSIONS: AtomicU64 = AtomicU64::new(1);

/// What listeners have in common.
pub(crate) struct Shared<P: Protocol> {
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) targets: Arc<Targets>,
    pub(crate) upstreams: Upstreams<P>,
    pub(crate) sessions: Arc<Sessions<P>>,
}

impl<P: Protocol> Clone for Shared<P> {
    fn clone(&self) -> Self {
        Self {
            hooks: Arc::clone(&self.hooks),
            targets: Arc::clone(&self.targets),
            upstreams: self.upstreams.clone(),
            sessions: Arc::clone(&self.sessions),
        }
    }
}

/// A listener, as its sessions see it.
pub(crate) struct Listener<P: Protocol> {
    id: ListenerId,
    name: Arc<str>,
    config: config::Listener,
    own: P::Settings,
    shared: Shared<P>,
    default: Target,
    verifiers: P::Verifiers,
    acceptor: Option<Acceptor>,
    metrics: Arc<ListenerMetrics>,
    query_log: Option<QueryLog>,
    sessions: AtomicUsize,
}

/// The end of a statement, for everyone who wants to know.
pub(crate) struct Finished<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) place: Place,
    pub(crate) verdict: &'a Verdict,
    pub(crate) text: Option<&'a [u8]>,
}

/// What a listener is made of.
pub(crate) struct Parts<P: Protocol> {
    pub(crate) id: ListenerId,
    pub(crate) config: config::Listener,
    pub(crate) own: P::Settings,
    pub(crate) shared: Shared<P>,
    pub(crate) default: Target,
    pub(crate) verifiers: P::Verifiers,
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) metrics: Arc<ListenerMetrics>,
    pub(crate) query_log: Option<QueryLog>,
}

impl<P: Protocol> Listener<P> {
    pub(crate) fn new(parts: Parts<P>) -> Self {
        let Parts { id, config, own, shared, default, verifiers, acceptor, metrics, query_log } =
            parts;
        let name = config.name.as_str().into();
        let sessions = AtomicUsize::new(0);
        Self {
            id,
            name,
            config,
            own,
            shared,
            default,
            verifiers,
            acceptor,
            metrics,
            query_log,
            sessions,
        }
    }

    pub(crate) fn id(&self) -> ListenerId {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn config(&self) -> &config::Listener {
        &self.config
    }

    /// What only listeners of this protocol have.
    pub(crate) fn own(&self) -> &P::Settings {
        &self.own
    }

    pub(crate) fn hooks(&self) -> &dyn Hooks {
        &*self.shared.hooks
    }

    pub(crate) fn targets(&self) -> &Targets {
        &self.shared.targets
    }

    pub(crate) fn upstreams(&self) -> &Upstreams<P> {
        &self.shared.upstreams
    }

    pub(crate) fn open_sessions(&self) -> &Arc<Sessions<P>> {
        &self.shared.sessions
    }

    pub(crate) fn default_target(&self) -> Target {
        self.default
    }

    pub(crate) fn verifiers(&self) -> &P::Verifiers {
        &self.verifiers
    }

    pub(crate) fn acceptor(&self) -> Option<&Acceptor> {
        self.acceptor.as_ref()
    }

    pub(crate) fn metrics(&self) -> &Arc<ListenerMetrics> {
        &self.metrics
    }

    pub(crate) fn next_session(&self) -> u64 {
        SESSIONS.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.sessions.load(Ordering::Relaxed) > self.config.max_sessions
    }

    /// Sessions that are open, this one among them once it has been counted.
    pub(crate) fn count(self: &Arc<Self>) -> Counted<P> {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Counted { listener: Arc::clone(self), _open: self.metrics.session() }
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Statements must be looked at even if no plugin wants to: what they leave behind in a session
    /// matters where there is more than one connection for it, and the query log shows them.
    pub(crate) fn looks_at_statements(&self) -> bool {
        self.query_log.is_some()
            || self.upstreams().iter().map(|upstream| upstream.servers.len()).sum::<usize>() > 1
            || self.upstreams().iter().any(|upstream| upstream.is_transactional())
    }

    pub(crate) fn logs_statements(&self) -> bool {
        self.query_log.is_some()
    }

    pub(crate) fn reopen_log(&self) {
        if let Some(log) = &self.query_log
            && let Err(error) = log.reopen()
        {
            warn!(listener = %self.name, "the query log stays as it is: {error}");
        }
    }

    /// Tells metrics, the query log and observers how a statement went.
    pub(crate) fn finished(&self, context: &mut Box<SessionContext>, finished: &Finished<'_>) {
        let Finished { outcome, place, verdict, .. } = finished;
        let label = outcome_label(outcome);
        self.metrics.statement(kind_label(outcome.kind), label, outcome.duration);
        let annotations = verdict.annotations.as_deref();
        if let Some(trace) = annotations.and_then(|notes| notes.trace_id.as_deref()) {
            self.metrics.traced(trace, outcome.duration);
        }
        let wanted = self.hooks().wanted(self.id);
        if wanted.contains(Hooked::SQL) {
            self.metrics.verdict(verdict_label(verdict));
        }
        if let Some(server) = self.server_at(*place) {
            server.metrics().statement(outcome.error_code == 0);
        }
        if let (Some(log), Some(text)) = (&self.query_log, finished.text) {
            self.log(log, text, context, finished);
        }
        if wanted.contains(Hooked::SQL_OBSERVER) {
            self.hooks().on_outcome(context, outcome);
        }
    }

    /// The session is over.
    pub(crate) fn closed(&self, context: &mut Box<SessionContext>, (received, sent): (u64, u64)) {
        self.metrics.bytes(received, sent);
        if self.hooks().wanted(self.id).contains(Hooked::CONNECTION_OBSERVER) {
            self.hooks().on_closed(context, received, sent);
        }
    }

    fn server_at(&self, place: Place) -> Option<&Server<P>> {
        Some(self.upstreams().get(place.upstream)?.servers.get(place.server)?)
    }

    fn log(&self, log: &QueryLog, text: &[u8], context: &SessionContext, finished: &Finished<'_>) {
        let Finished { outcome, place, verdict, .. } = finished;
        let client = context.peer.map(|peer| peer.to_string()).unwrap_or_default();
        let annotations = verdict.annotations.as_deref();
        let asked = self.hooks().wanted(self.id).contains(Hooked::SQL);
        log.record(&QueryLogEntry {
            time: SystemTime::now(),
            listener: &self.name,
            session: context.id,
            trace_id: annotations.and_then(|notes| notes.trace_id.as_deref()),
            idempotency_key: annotations.and_then(|notes| notes.idempotency_key.as_deref()),
            user: &context.user,
            client: &client,
            database: context.database.as_deref(),
            digest: outcome.digest,
            query: &digest_text(text, P::DIALECT),
            kind: kind_label(outcome.kind),
            target: verdict.target.map(|id| self.targets().name(id)),
            server: self.server_at(*place).map(|server| &*server.address),
            rows: outcome.rows,
            duration: outcome.duration,
            outcome: outcome_label(outcome),
            error_code: outcome.error_code,
            verdict: asked.then(|| verdict_label(verdict)),
            plugin: verdict.by.as_deref(),
            tags: annotations.map_or(&[], |notes| &notes.tags),
        });
    }
}

/// Counts an open session until it is dropped.
pub(crate) struct Counted<P: Protocol> {
    listener: Arc<Listener<P>>,
    _open: OpenSession,
}

impl<P: Protocol> Drop for Counted<P> {
    fn drop(&mut self) {
        self.listener.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

fn kind_label(kind: Kind) -> KindLabel {
    match kind {
        Kind::Read => KindLabel::Read,
        Kind::Write => KindLabel::Write,
        Kind::Ddl => KindLabel::Ddl,
        Kind::Begin => KindLabel::Begin,
        Kind::Commit => KindLabel::Commit,
        Kind::Rollback => KindLabel::Rollback,
        Kind::SessionState => KindLabel::SessionState,
        Kind::Call => KindLabel::Call,
        Kind::Admin => KindLabel::Admin,
        Kind::Unknown => KindLabel::Unknown,
    }
}

fn outcome_label(outcome: &Outcome) -> OutcomeLabel {
    use tidegate_hook::OutcomeKind as Kind;
    match outcome.outcome {
        Kind::Ok => OutcomeLabel::Ok,
        Kind::ServerError => OutcomeLabel::ServerError,
        Kind::Rejected => OutcomeLabel::Rejected,
        Kind::TimedOut => OutcomeLabel::TimedOut,
        Kind::ClientGone => OutcomeLabel::ClientGone,
        Kind::ProxyError => OutcomeLabel::ProxyError,
    }
}

fn verdict_label(verdict: &Verdict) -> VerdictLabel {
    match verdict.action() {
        "route" => VerdictLabel::Route,
        "rewrite" => VerdictLabel::Rewrite,
        "reply" => VerdictLabel::Reply,
        "reject" => VerdictLabel::Reject,
        _ => VerdictLabel::Next,
    }
}
