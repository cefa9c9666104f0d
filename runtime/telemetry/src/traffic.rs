//! What happens with every statement, and therefore must be cheap to count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto;

use crate::collect::{counter, counters, describe, histogram, histograms};
use crate::exemplars::Exemplars;
use crate::histogram::Histogram;
use crate::labels::{KindLabel, OutcomeLabel, VerdictLabel};
use crate::sharded::Sharded;

/// The statements and bytes of one listener.
#[derive(Debug)]
pub(crate) struct Traffic {
    cells: Sharded<Cells>,
    durations: Histogram,
    exemplars: Exemplars,
}

/// What one thread has counted.
#[derive(Debug, Default)]
struct Cells {
    statements: [[AtomicU64; OutcomeLabel::WORDS.len()]; KindLabel::WORDS.len()],
    verdicts: [AtomicU64; VerdictLabel::WORDS.len()],
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    fn new() -> Self {
        Self {
            cells: Sharded::new(Cells::default),
            durations: Histogram::new(),
            exemplars: Exemplars::default(),
        }
    }

    #[inline]
    pub(crate) fn statement(&self, kind: KindLabel, outcome: OutcomeLabel, duration: Duration) {
        let cell = &self.cells.mine().statements[kind.index()][outcome.index()];
        cell.fetch_add(1, Ordering::Relaxed);
        self.durations.observe(duration);
    }

    /// A statement of this trace took so long.
    pub(crate) fn traced(&self, trace_id: &str, duration: Duration) {
        self.exemplars.offer(trace_id, duration);
    }

    #[inline]
    pub(crate) fn verdict(&self, verdict: VerdictLabel) {
        self.cells.mine().verdicts[verdict.index()].fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn bytes(&self, received: u64, sent: u64) {
        let cells = self.cells.mine();
        cells.received.fetch_add(received, Ordering::Relaxed);
        cells.sent.fetch_add(sent, Ordering::Relaxed);
    }

    fn sum(&self, cell: impl Fn(&Cells) -> &AtomicU64) -> u64 {
        self.cells.sum(|cells| cell(cells).load(Ordering::Relaxed))
    }
}

/// Shows the traffic of all listeners.
#[derive(Clone, Debug)]
pub(crate) struct TrafficCollector {
    listeners: Arc<Mutex<BTreeMap<String, Arc<Traffic>>>>,
    statements: Desc,
    durations: Desc,
    verdicts: Desc,
    received: Desc,
    sent: Desc,
}

impl TrafficCollector {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            listeners: Arc::default(),
            statements: describe(
                "tidegate_statements_total",
                "Statements, by what they do and how they ended.",
                &["kind", "listener", "outcome"],
            )?,
            durations: describe(
                "tidegate_statement_duration_seconds",
                "Time from a statement's last byte received to its answer's last byte sent.",
                &["listener"],
            )?,
            verdicts: describe(
                "tidegate_verdicts_total",
                "Statements that plugins were asked about, by what they decided.",
                &["action", "listener"],
            )?,
            received: describe(
                "tidegate_received_bytes_total",
                "Bytes that clients have sent.",
                &["listener"],
            )?,
            sent: describe("tidegate_sent_bytes_total", "Bytes sent to clients.", &["listener"])?,
        })
    }

    /// The traffic of a listener, which is shown from now on.
    pub(crate) fn listener(&self, name: &str) -> Arc<Traffic> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let traffic = listeners.entry(name.to_owned()).or_insert_with(|| Traffic::new().into());
        Arc::clone(traffic)
    }

    /// A statement in this bucket of the histogram with these labels.
    pub(crate) fn exemplar(&self, name: &str, labels: &str, bucket: usize) -> Option<String> {
        if name != self.durations.fq_name {
            return None;
        }
        let listener = labels.strip_prefix("listener=\"")?.strip_suffix('"')?;
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.get(listener)?.exemplars.text(bucket)
    }

    fn statements(&self, listener: &str, traffic: &Traffic) -> Vec<proto::Metric> {
        let mut metrics = Vec::new();
        for (k, kind) in KindLabel::WORDS.iter().enumerate() {
            for (o, outcome) in OutcomeLabel::WORDS.iter().enumerate() {
                let count = traffic.sum(|cells| &cells.statements[k][o]);
                metrics.push(counter(&self.statements, &[kind, listener, outcome], count));
            }
        }
        metrics
    }

    fn verdicts(&self, listener: &str, traffic: &Traffic) -> Vec<proto::Metric> {
        let metric = |(index, word): (usize, &&str)| {
            let count = traffic.sum(|cells| &cells.verdicts[index]);
            counter(&self.verdicts, &[word, listener], count)
        };
        VerdictLabel::WORDS.iter().enumerate().map(metric).collect()
    }

    fn family(&self, listener: &str, traffic: &Traffic) -> [proto::MetricFamily; 5] {
        let durations = histogram(&self.durations, &[listener], traffic.durations.snapshot());
        let received = traffic.sum(|cells| &cells.received);
        let sent = traffic.sum(|cells| &cells.sent);
        [
            counters(&self.statements, self.statements(listener, traffic)),
            histograms(&self.durations, vec![durations]),
            counters(&self.verdicts, self.verdicts(listener, traffic)),
            counters(&self.received, vec![counter(&self.received, &[listener], received)]),
            counters(&self.sent, vec![counter(&self.sent, &[listener], sent)]),
        ]
    }
}

impl Collector for TrafficCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.statements, &self.durations, &self.verdicts, &self.received, &self.sent]
    }

    /// One family for each listener and name; the registry joins those of one name.
    fn collect(&self) -> Vec<proto::MetricFamily> {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().flat_map(|(name, traffic)| self.family(name, traffic)).collect()
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
        listener.verdict(VerdictLabel::Route);
        listener.bytes(100, 2000);
        listener.bytes(1, 2);
        listener.statement(KindLabel::Read, OutcomeLabel::Ok, Duration::from_micros(70));
        listener.statement(KindLabel::Read, OutcomeLabel::Ok, Duration::from_secs(70));
        let text = telemetry.render();
        for line in [
            r#"tidegate_verdicts_total{action="route",listener="orders"} 1"#,
            r#"tidegate_received_bytes_total{listener="orders"} 101"#,
            r#"tidegate_sent_bytes_total{listener="orders"} 2002"#,
            r#"tidegate_statements_total{kind="read",listener="orders",outcome="ok"} 2"#,
            r#"tidegate_statements_total{kind="write",listener="orders",outcome="ok"} 0"#,
            r#"tidegate_statement_duration_seconds_bucket{listener="orders",le="0.0001"} 1"#,
            r#"tidegate_statement_duration_seconds_bucket{listener="orders",le="+Inf"} 2"#,
            r#"tidegate_statement_duration_seconds_count{listener="orders"} 2"#,
        ] {
            assert!(text.lines().any(|shown| shown == line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn listeners_are_kept_apart_and_one_asked_for_twice_is_the_same() {
        let telemetry = Telemetry::new().unwrap();
        for name in ["a", "b", "a"] {
            let listener = telemetry.listener(name);
            listener.statement(KindLabel::Ddl, OutcomeLabel::Ok, Duration::ZERO);
        }
        let text = telemetry.render();
        for (name, count) in [("a", 2), ("b", 1)] {
            let labels = format!(r#"{{kind="ddl",listener="{name}",outcome="ok"}}"#);
            let line = format!("tidegate_statements_total{labels} {count}");
            assert!(text.lines().any(|shown| shown == line), "no {line} in\n{text}");
        }
        assert_eq!(text.matches("# TYPE tidegate_statements_total").count(), 1);
    }
}
