//! What is measured about a listener and its sessions.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use crate::labels::{
    KindLabel, LoginResult, OutcomeLabel, PinReason, SessionFailure, VerdictLabel,
};
use crate::registry::{counters, gauges, resolve};
use crate::traffic::{Traffic, TrafficCollector};

/// The handles of one listener.
#[derive(Debug)]
pub struct ListenerMetrics {
    sessions: IntGauge,
    sessions_total: IntCounter,
    failures: Vec<IntCounter>,
    logins: Vec<IntCounter>,
    pins: Vec<IntCounter>,
    query_log_dropped: IntCounter,
    traffic: Arc<Traffic>,
}

impl ListenerMetrics {
    /// A client was accepted. The session counts as open until the guard is dropped.
    #[must_use]
    pub fn session(&self) -> OpenSession {
        self.sessions_total.inc();
        self.sessions.inc();
        OpenSession(self.sessions.clone())
    }

    /// A session did not end by the client's own farewell.
    pub fn session_failed(&self, reason: SessionFailure) {
        self.failures[reason.index()].inc();
    }

    /// A login ended.
    pub fn login(&self, result: LoginResult) {
        self.logins[result.index()].inc();
    }

    /// A session must keep its server connection.
    pub fn pinned(&self, reason: PinReason) {
        self.pins[reason.index()].inc();
    }

    /// A statement ended; `duration` is from its last byte received to its answer's last sent.
    #[inline]
    pub fn statement(&self, kind: KindLabel, outcome: OutcomeLabel, duration: Duration) {
        self.traffic.statement(kind, outcome, duration);
    }

    /// A statement of this trace took so long: an exemplar.
    pub fn traced(&self, trace_id: &str, duration: Duration) {
        self.traffic.traced(trace_id, duration);
    }

    /// The plugins were asked about a statement and this was their answer.
    #[inline]
    pub fn verdict(&self, verdict: VerdictLabel) {
        self.traffic.verdict(verdict);
    }

    /// Bytes came from a client, and bytes were sent to it.
    #[inline]
    pub fn bytes(&self, received: u64, sent: u64) {
        self.traffic.bytes(received, sent);
    }

    /// Counts the lines that this listener's query log lost.
    pub(crate) fn query_log_dropped(&self) -> IntCounter {
        self.query_log_dropped.clone()
    }
}

/// An open session, for the gauge.
#[derive(Debug)]
pub struct OpenSession(IntGauge);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The metrics of all listeners, before a listener is named.
#[derive(Debug)]
pub(crate) struct ListenerVecs {
    sessions: IntGaugeVec,
    sessions_total: IntCounterVec,
    failures: IntCounterVec,
    logins: IntCounterVec,
    pins: IntCounterVec,
    query_log_dropped: IntCounterVec,
    traffic: TrafficCollector,
}

impl ListenerVecs {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name, help, labels: &[&str]| counters(registry, name, help, labels);
        let traffic = TrafficCollector::new()?;
        registry.register(Box::new(traffic.clone()))?;
        Ok(Self {
            sessions: gauges(
                registry,
                "tidegate_sessions",
                "Client connections that are open.",
                &["listener"],
            )?,
            sessions_total: counters(
                "tidegate_sessions_opened_total",
                "Client connections accepted.",
                &["listener"],
            )?,
            failures: counters(
                "tidegate_session_failures_total",
                "Sessions that did not end by the client's own farewell, by reason.",
                &["listener", "reason"],
            )?,
            logins: counters(
                "tidegate_logins_total",
                "Logins of clients, by result.",
                &["listener", "result"],
            )?,
            pins: counters(
                "tidegate_pins_total",
                "Times that a session had to keep its server connection, by reason.",
                &["listener", "reason"],
            )?,
            query_log_dropped: counters(
                "tidegate_query_log_dropped_total",
                "Lines that the query log had no room for or could not write.",
                &["listener"],
            )?,
            traffic,
        })
    }

    pub(crate) fn exemplar(&self, name: &str, labels: &str, bucket: usize) -> Option<String> {
        self.traffic.exemplar(name, labels, bucket)
    }

    /// The handles of one listener.
    pub(crate) fn listener(&self, name: &str) -> ListenerMetrics {
        ListenerMetrics {
            sessions: self.sessions.with_label_values(&[name]),
            sessions_total: self.sessions_total.with_label_values(&[name]),
            failures: resolve(&self.failures, &[name], SessionFailure::WORDS),
            logins: resolve(&self.logins, &[name], LoginResult::WORDS),
            pins: resolve(&self.pins, &[name], PinReason::WORDS),
            query_log_dropped: self.query_log_dropped.with_label_values(&[name]),
            traffic: self.traffic.listener(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Telemetry;

    use super::*;

    #[test]
    fn everything_counted_is_shown() {
        let telemetry = Telemetry::new().unwrap();
        let listener = telemetry.listener("orders");
        let session = listener.session();
        drop(listener.session());
        listener.login(LoginResult::Denied);
        listener.session_failed(SessionFailure::Login);
        listener.pinned(PinReason::TableLock);
        let text = telemetry.render();
        for line in [
            r#"tidegate_sessions{listener="orders"} 1"#,
            r#"tidegate_sessions_opened_total{listener="orders"} 2"#,
            r#"tidegate_logins_total{listener="orders",result="denied"} 1"#,
            r#"tidegate_logins_total{listener="orders",result="ok"} 0"#,
            r#"tidegate_session_failures_total{listener="orders",reason="login"} 1"#,
            r#"tidegate_pins_total{listener="orders",reason="table_lock"} 1"#,
            r#"tidegate_query_log_dropped_total{listener="orders"} 0"#,
        ] {
            assert!(text.lines().any(|shown| shown == line), "no {line} in\n{text}");
        }
        drop(session);
        let closed = r#"tidegate_sessions{listener="orders"} 0"#;
        assert!(telemetry.render().lines().any(|shown| shown == closed));
    }
}
