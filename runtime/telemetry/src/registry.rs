//! All metrics of the process: where handles come from, and how they are shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::collect::seconds;
use crate::histogram::BOUNDS;
use crate::listener::{ListenerMetrics, ListenerVecs};
use crate::open_metrics;
use crate::server::{ServerMetrics, ServerVecs};

/// The metrics of the process.
#[derive(Debug)]
pub struct Telemetry {
    /// Where others, such as the plugin host, register metrics of their own.
    pub registry: Registry,
    listeners: ListenerVecs,
    servers: ServerVecs,
    listener_handles: Mutex<HashMap<String, Arc<ListenerMetrics>>>,
    server_handles: Mutex<HashMap<(String, String), Arc<ServerMetrics>>>,
}

impl Telemetry {
    /// Registers all that is known beforehand.
    ///
    /// # Errors
    /// Two metrics have the same name: a defect of this crate.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build = gauges(
            &registry,
            "tidegate_build_info",
            "1, labelled with the version that runs.",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            listeners: ListenerVecs::register(&registry)?,
            servers: ServerVecs::register(&registry)?,
            registry,
            listener_handles: Mutex::default(),
            server_handles: Mutex::default(),
        })
    }

    /// The handles of a listener; the same ones whenever it is asked for.
    pub fn listener(&self, name: &str) -> Arc<ListenerMetrics> {
        let mut handles = self.listener_handles.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(self.listeners.listener(name));
        Arc::clone(handles.entry(name.to_owned()).or_insert_with(make))
    }

    /// The handles of a server of an upstream; the same ones whenever it is asked for.
    pub fn server(&self, upstream: &str, server: &str) -> Arc<ServerMetrics> {
        let mut handles = self.server_handles.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(self.servers.server(upstream, server));
        let key = (upstream.to_owned(), server.to_owned());
        Arc::clone(handles.entry(key).or_insert_with(make))
    }

    /// Everything in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            // Someone registered a metric without samples; the rest is better than nothing.
            tracing::error!(%error, "metrics are incomplete");
        }
        text
    }

    /// The same in the text format of OpenMetrics, with exemplars of statements that have a trace.
    #[must_use]
    pub fn render_open(&self) -> String {
        open_metrics::from_text(&self.render(), |name, labels, bucket| {
            self.listeners.exemplar(name, labels, bucket)
        })
    }
}

pub(crate) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

pub(crate) fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

pub(crate) fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(name, help).buckets(BOUNDS.map(seconds).to_vec());
    let histograms = HistogramVec::new(options, labels)?;
    registry.register(Box::new(histograms.clone()))?;
    Ok(histograms)
}

/// The counters whose first labels are `labels` and whose last is each of `words` in turn.
pub(crate) fn resolve(
    counters: &IntCounterVec,
    labels: &[&str],
    words: &[&'static str],
) -> Vec<IntCounter> {
    words.iter().map(|word| counters.with_label_values(&[labels, &[*word]].concat())).collect()
}

#[cfg(test)]
mod tests {
    use prometheus::proto::MetricType;

    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let telemetry = Telemetry::new().unwrap();
        telemetry.listener("orders");
        telemetry.server("orders", "db:3306");
        let families = telemetry.registry.gather();
        assert!(families.len() > 20, "{} families", families.len());
        for family in families {
            let name = family.name();
            assert!(name.starts_with("tidegate_"), "{name}");
            let counter = family.get_field_type() == MetricType::COUNTER;
            assert_eq!(counter, name.ends_with("_total"), "{name}: only counters end in _total");
            let histogram = family.get_field_type() == MetricType::HISTOGRAM;
            assert_eq!(histogram, name.ends_with("_duration_seconds"), "{name}: base units");
            let help = family.help();
            assert!(help.ends_with('.') && help.len() > 20, "{name}: {help}");
            for unit in ["_ms", "_us", "_kb", "_millis", "_micros"] {
                assert!(!name.contains(unit), "{name}: base units");
            }
        }
    }

    #[test]
    fn names_stay_different_where_counters_lose_their_ending() {
        let telemetry = Telemetry::new().unwrap();
        telemetry.listener("orders").traced("job-7", std::time::Duration::from_millis(3));
        telemetry.server("orders", "db:3306");
        let text = telemetry.render_open();
        let described = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let mut names: Vec<&str> = described.filter_map(|line| line.split(' ').next()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let bucket = "tidegate_statement_duration_seconds_bucket{listener=\"orders\",le=\"0.005\"}";
        let line = text.lines().find(|line| line.starts_with(bucket)).unwrap();
        assert!(line.contains("# {trace_id=\"job-7\"} 0.003 "), "{line}");
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn nothing_is_registered_twice_for_one_listener() {
        let telemetry = Telemetry::new().unwrap();
        assert!(Arc::ptr_eq(&telemetry.listener("a"), &telemetry.listener("a")));
        assert!(Arc::ptr_eq(&telemetry.server("a", "b:1"), &telemetry.server("a", "b:1")));
        assert!(!Arc::ptr_eq(&telemetry.server("a", "b:1"), &telemetry.server("a", "c:1")));
    }
}
