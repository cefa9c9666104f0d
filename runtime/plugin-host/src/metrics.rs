//! The host's own metrics, put together when they are asked for.
//!
//! The hot path counts in plain per-worker numbers; nothing looks up a label there.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::failure::FailureKind;
use crate::host::Shared;
use crate::plugin::{Hook, Plugin};

/// Registered with the process's metrics for as long as the host runs.
#[derive(Clone)]
pub(crate) struct Exporter {
    registry: Registry,
    families: Families,
    shared: Weak<Shared>,
    /// One scrape at a time.
    scrape: Arc<Mutex<()>>,
}

#[derive(Clone)]
struct Families {
    calls: IntCounterVec,
    failures: IntCounterVec,
    cache_hits: IntCounterVec,
    ticks: IntCounterVec,
    reloads: IntCounterVec,
    memory: IntGaugeVec,
    degraded: IntGaugeVec,
    generation: IntGauge,
    generations_live: IntGauge,
}

impl Families {
    fn new() -> prometheus::Result<Self> {
        let counters =
            |name, help, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let gauges = |name, help, labels: &[&str]| IntGaugeVec::new(Opts::new(name, help), labels);
        Ok(Self {
            calls: counters("tidegate_plugin_calls_total", "Calls.", &["plugin", "hook"])?,
            failures: counters(
                "tidegate_plugin_failures_total",
                "Calls that gave no answer.",
                &["plugin", "kind"],
            )?,
            cache_hits: counters(
                "tidegate_plugin_verdict_cache_hits_total",
                "Verdicts that were reused without a call.",
                &["plugin"],
            )?,
            ticks: counters(
                "tidegate_plugin_ticks_total",
                "Calls of the background hook.",
                &["plugin"],
            )?,
            reloads: counters(
                "tidegate_plugin_reloads_total",
                "Changes of the plugin directory that went live, or could not.",
                &["result"],
            )?,
            memory: gauges(
                "tidegate_plugin_memory_high_water_bytes",
                "The most memory that one instance has used.",
                &["plugin"],
            )?,
            degraded: gauges(
                "tidegate_plugin_degraded",
                "1 while the plugin keeps failing and is left alone.",
                &["plugin"],
            )?,
            generation: IntGauge::new(
                "tidegate_plugin_generation",
                "The number of the generation that serves.",
            )?,
            generations_live: IntGauge::new(
                "tidegate_plugin_generations_live",
                "Generations in memory; more than two for long is a leak.",
            )?,
        })
    }

    fn all(&self) -> [&dyn Collector; 9] {
        [
            &self.calls,
            &self.failures,
            &self.cache_hits,
            &self.ticks,
            &self.reloads,
            &self.memory,
            &self.degraded,
            &self.generation,
            &self.generations_live,
        ]
    }

    fn clear(&self) {
        for counters in [&self.calls, &self.failures, &self.cache_hits, &self.ticks, &self.reloads]
        {
            counters.reset();
        }
        self.memory.reset();
        self.degraded.reset();
    }

    fn read(&self, shared: &Shared) {
        self.clear();
        for plugin in shared.plugins.all() {
            self.read_plugin(&plugin);
        }
        let generation = shared.current();
        for loaded in &generation.plugins {
            let degraded = i64::from(loaded.is_degraded());
            self.degraded.with_label_values(&[&*loaded.plugin.name]).set(degraded);
        }
        let (ok, failed) = (&shared.reloads.ok, &shared.reloads.failed);
        self.reloads.with_label_values(&["ok"]).inc_by(ok.load(Ordering::Relaxed));
        self.reloads.with_label_values(&["failed"]).inc_by(failed.load(Ordering::Relaxed));
        self.generation.set(gauge(generation.number));
        self.generations_live.set(gauge(shared.live_generations()));
    }

    fn read_plugin(&self, plugin: &Plugin) {
        let (name, counters) = (&*plugin.name, &plugin.counters);
        for hook in Hook::ALL {
            let calls = self.calls.with_label_values(&[name, hook.as_str()]);
            calls.inc_by(counters.calls(hook));
        }
        for kind in FailureKind::ALL {
            let failures = self.failures.with_label_values(&[name, kind.as_str()]);
            failures.inc_by(counters.failures(kind));
        }
        self.cache_hits.with_label_values(&[name]).inc_by(counters.hits());
        self.ticks.with_label_values(&[name]).inc_by(counters.ticks.load(Ordering::Relaxed));
        self.memory.with_label_values(&[name]).set(gauge(counters.memory_high_water()));
    }
}

fn gauge(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

impl Exporter {
    pub(crate) fn register(registry: &Registry, shared: &Arc<Shared>) -> prometheus::Result<Self> {
        let exporter = Self {
            registry: registry.clone(),
            families: Families::new()?,
            shared: Arc::downgrade(shared),
            scrape: Arc::default(),
        };
        registry.register(Box::new(exporter.clone()))?;
        Ok(exporter)
    }

    /// Takes the metrics away again.
    pub(crate) fn unregister(&self) {
        // It can only fail for what is not registered, which is what is wanted.
        self.registry.unregister(Box::new(self.clone())).ok();
    }
}

impl Collector for Exporter {
    fn desc(&self) -> Vec<&Desc> {
        self.families.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _one_at_a_time = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = self.shared.upgrade() {
            self.families.read(&shared);
        }
        self.families.all().into_iter().flat_map(Collector::collect).collect()
    }
}
