//! What is measured about a server and the pool of connections to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::{
    Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, proto,
};

use crate::collect;
use crate::labels::WaitFailure;
use crate::registry::{counters, gauges, histograms, resolve};
use crate::sharded::Sharded;

const LABELS: &[&str] = &["upstream", "server"];

/// The handles of one server of an upstream.
#[derive(Debug)]
pub struct ServerMetrics {
    active: IntGauge,
    idle: IntGauge,
    waiting: IntGauge,
    up: IntGauge,
    primary: IntGauge,
    fit: IntGauge,
    role_changes: IntCounter,
    lag: IntGaugeVec,
    labels: [String; 2],
    connects_ok: IntCounter,
    connects_failed: IntCounter,
    connect_duration: Histogram,
    wait_duration: Histogram,
    wait_failures: Vec<IntCounter>,
    ejections: IntCounter,
    served: Arc<Served>,
}

impl ServerMetrics {
    /// The pool's connections by what they do, and the sessions that wait for one.
    pub fn connections(&self, active: usize, idle: usize, waiting: usize) {
        for (gauge, count) in [(&self.active, active), (&self.idle, idle), (&self.waiting, waiting)]
        {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// An attempt to connect and log in ended.
    pub fn connected(&self, ok: bool, duration: Duration) {
        let connects = if ok { &self.connects_ok } else { &self.connects_failed };
        connects.inc();
        self.connect_duration.observe(duration.as_secs_f64());
    }

    /// A session stood in the queue for this long, whether or not it got a connection.
    pub fn waited(&self, duration: Duration) {
        self.wait_duration.observe(duration.as_secs_f64());
    }

    /// A session got no connection.
    pub fn wait_failed(&self, failure: WaitFailure) {
        self.wait_failures[failure.index()].inc();
    }

    /// Whether the server takes traffic.
    pub fn set_up(&self, up: bool) {
        self.up.set(up.into());
    }

    /// Whether the server is its upstream's primary.
    pub fn set_primary(&self, primary: bool) {
        self.primary.set(primary.into());
    }

    /// Whether the server is near enough to the primary to serve reads.
    pub fn set_fit(&self, fit: bool) {
        self.fit.set(fit.into());
    }

    /// How far the server is behind the one that it follows. What is not known is not shown.
    pub fn set_lag(&self, lag: Option<Duration>) {
        let labels: [&str; 2] = self.labels.each_ref().map(String::as_str);
        match lag {
            Some(lag) => {
                let seconds = i64::try_from(lag.as_secs()).unwrap_or(i64::MAX);
                self.lag.with_label_values(&labels).set(seconds);
            }
            // It fails where there is nothing to remove.
            None => drop(self.lag.remove_label_values(&labels)),
        }
    }

    /// The server had a role, and now has another.
    pub fn role_changed(&self) {
        self.role_changes.inc();
    }

    /// The server was taken out because it failed.
    pub fn ejected(&self) {
        self.ejections.inc();
    }

    /// The server answered a statement.
    #[inline]
    pub fn statement(&self, ok: bool) {
        let cells = self.served.0.mine();
        cells.statements.fetch_add(1, Ordering::Relaxed);
        if !ok {
            cells.errors.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The statements that one server has answered.
#[derive(Debug)]
struct Served(Sharded<Cells>);

#[derive(Debug, Default)]
struct Cells {
    statements: AtomicU64,
    errors: AtomicU64,
}

impl Served {
    fn sum(&self, cell: impl Fn(&Cells) -> &AtomicU64) -> u64 {
        self.0.sum(|cells| cell(cells).load(Ordering::Relaxed))
    }
}

/// The metrics of all servers, before a server is named.
#[derive(Debug)]
pub(crate) struct ServerVecs {
    connections: IntGaugeVec,
    waiting: IntGaugeVec,
    up: IntGaugeVec,
    primary: IntGaugeVec,
    fit: IntGaugeVec,
    role_changes: IntCounterVec,
    lag: IntGaugeVec,
    connects: IntCounterVec,
    connect_duration: HistogramVec,
    wait_duration: HistogramVec,
    wait_failures: IntCounterVec,
    ejections: IntCounterVec,
    served: ServedCollector,
}

impl ServerVecs {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = |name, help, labels: &[&str]| gauges(registry, name, help, labels);
        let counters = |name, help, labels: &[&str]| counters(registry, name, help, labels);
        let histograms = |name, help| histograms(registry, name, help, LABELS);
        let served = ServedCollector::new()?;
        registry.register(Box::new(served.clone()))?;
        Ok(Self {
            connections: gauges(
                "tidegate_server_connections",
                "Connections to a server, by whether a session uses them.",
                &["upstream", "server", "state"],
            )?,
            waiting: gauges(
                "tidegate_server_waiting_sessions",
                "Sessions that wait for a connection to a server.",
                LABELS,
            )?,
            up: gauges("tidegate_server_up", "1 while a server takes traffic, else 0.", LABELS)?,
            primary: gauges(
                "tidegate_server_primary",
                "1 while a server is its upstream's primary, else 0.",
                LABELS,
            )?,
            fit: gauges(
                "tidegate_server_fit",
                "1 while a server may serve reads: the primary, and replicas that are near enough.",
                LABELS,
            )?,
            role_changes: counters(
                "tidegate_server_role_changes_total",
                "Times that a server became the primary, or a replica again.",
                LABELS,
            )?,
            lag: gauges(
                "tidegate_server_replication_lag_seconds",
                "How far a server is behind the one that it follows.",
                LABELS,
            )?,
            connects: counters(
                "tidegate_server_connects_total",
                "Attempts to connect and log in to a server, by result.",
                &["upstream", "server", "result"],
            )?,
            connect_duration: histograms(
                "tidegate_server_connect_duration_seconds",
                "Time to connect and log in to a server, or to fail.",
            )?,
            wait_duration: histograms(
                "tidegate_server_wait_duration_seconds",
                "Time that sessions stood in the queue for a connection; \
                 those that found one free are not counted.",
            )?,
            wait_failures: counters(
                "tidegate_server_wait_failures_total",
                "Sessions that got no connection to a server, by reason.",
                &["upstream", "server", "reason"],
            )?,
            ejections: counters(
                "tidegate_server_ejections_total",
                "Times that a server was taken out because it failed.",
                LABELS,
            )?,
            served,
        })
    }

    /// The handles of one server.
    pub(crate) fn server(&self, upstream: &str, server: &str) -> ServerMetrics {
        let labels = [upstream, server];
        let connects = |result| self.connects.with_label_values(&[upstream, server, result]);
        let connections = |state| self.connections.with_label_values(&[upstream, server, state]);
        ServerMetrics {
            active: connections("active"),
            idle: connections("idle"),
            waiting: self.waiting.with_label_values(&labels),
            up: self.up.with_label_values(&labels),
            primary: self.primary.with_label_values(&labels),
            fit: self.fit.with_label_values(&labels),
            role_changes: self.role_changes.with_label_values(&labels),
            lag: self.lag.clone(),
            labels: labels.map(str::to_owned),
            connects_ok: connects("ok"),
            connects_failed: connects("failed"),
            connect_duration: self.connect_duration.with_label_values(&labels),
            wait_duration: self.wait_duration.with_label_values(&labels),
            wait_failures: resolve(&self.wait_failures, &labels, WaitFailure::WORDS),
            ejections: self.ejections.with_label_values(&labels),
            served: self.served.server(upstream, server),
        }
    }
}

/// Shows the statements of all servers.
#[derive(Clone, Debug)]
struct ServedCollector {
    servers: Arc<Mutex<BTreeMap<[String; 2], Arc<Served>>>>,
    statements: Desc,
    errors: Desc,
}

impl ServedCollector {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            servers: Arc::default(),
            statements: collect::describe(
                "tidegate_server_statements_total",
                "Statements that a server has answered.",
                LABELS,
            )?,
            errors: collect::describe(
                "tidegate_server_errors_total",
                "Statements that a server has answered with an error.",
                LABELS,
            )?,
        })
    }

    fn server(&self, upstream: &str, server: &str) -> Arc<Served> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let served = servers
            .entry([upstream.to_owned(), server.to_owned()])
            .or_insert_with(|| Served(Sharded::new(Cells::default)).into());
        Arc::clone(served)
    }
}

impl Collector for ServedCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.statements, &self.errors]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut statements, mut errors) = (Vec::new(), Vec::new());
        for ([upstream, server], served) in servers.iter() {
            let labels = [upstream.as_str(), server.as_str()];
            let answered = served.sum(|cells| &cells.statements);
            statements.push(collect::counter(&self.statements, &labels, answered));
            let failed = served.sum(|cells| &cells.errors);
            errors.push(collect::counter(&self.errors, &labels, failed));
        }
        let statements = collect::counters(&self.statements, statements);
        vec![statements, collect::counters(&self.errors, errors)]
    }
}

#[cfg(test)]
mod tests {
    use crate::Telemetry;

    use super::*;

    #[test]
    fn everything_counted_is_shown() {
        let telemetry = Telemetry::new().unwrap();
        let server = telemetry.server("orders", "db:3306");
        server.connections(3, 2, 1);
        server.connected(true, Duration::from_millis(2));
        server.connected(false, Duration::from_millis(3));
        server.waited(Duration::from_millis(4));
        server.wait_failed(WaitFailure::QueueFull);
        server.set_up(true);
        server.set_primary(true);
        server.set_fit(true);
        server.set_lag(Some(Duration::from_secs(7)));
        server.role_changed();
        server.ejected();
        server.statement(true);
        server.statement(false);
        telemetry.server("orders", "other:3306").statement(true);
        let text = telemetry.render();
        let db = r#"server="db:3306""#;
        for line in [
            format!(r#"connections{{{db},state="active",upstream="orders"}} 3"#),
            format!(r#"connections{{{db},state="idle",upstream="orders"}} 2"#),
            format!(r#"waiting_sessions{{{db},upstream="orders"}} 1"#),
            format!(r#"connects_total{{result="ok",{db},upstream="orders"}} 1"#),
            format!(r#"connects_total{{result="failed",{db},upstream="orders"}} 1"#),
            format!(r#"connect_duration_seconds_count{{{db},upstream="orders"}} 2"#),
            format!(r#"wait_duration_seconds_sum{{{db},upstream="orders"}} 0.004"#),
            format!(r#"wait_failures_total{{reason="queue_full",{db},upstream="orders"}} 1"#),
            format!(r#"up{{{db},upstream="orders"}} 1"#),
            format!(r#"primary{{{db},upstream="orders"}} 1"#),
            format!(r#"fit{{{db},upstream="orders"}} 1"#),
            format!(r#"replication_lag_seconds{{{db},upstream="orders"}} 7"#),
            format!(r#"role_changes_total{{{db},upstream="orders"}} 1"#),
            format!(r#"ejections_total{{{db},upstream="orders"}} 1"#),
            format!(r#"statements_total{{{db},upstream="orders"}} 2"#),
            format!(r#"errors_total{{{db},upstream="orders"}} 1"#),
        ] {
            let line = format!("tidegate_server_{line}");
            assert!(text.lines().any(|shown| shown == line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn a_lag_that_is_not_known_is_not_shown() {
        let telemetry = Telemetry::new().unwrap();
        let server = telemetry.server("orders", "db:3306");
        let shown = || telemetry.render().contains("tidegate_server_replication_lag_seconds{");
        server.set_lag(None);
        assert!(!shown());
        server.set_lag(Some(Duration::ZERO));
        assert!(shown());
        server.set_lag(None);
        assert!(!shown());
    }
}
