//! The metrics that a plugin makes, in the registry of the process.
//!
//! Each is named `tidegate_plugin_user_<name>` and has the label `plugin`. They are kept when the
//! plugin is reloaded, and leave the registry with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, Opts, Registry};

use crate::failure::one_line;

/// Series of one plugin: a time series costs memory here and in whoever scrapes.
const SERIES_MAX: usize = 100;
const LABELS_MAX: usize = 8;
const LABEL_BYTES_MAX: usize = 128;
const BUCKETS_MAX: usize = 32;

/// A metric to register.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram { buckets: Vec<f64> },
}

/// What names a series: the metric's name and its labels.
pub(crate) type Series = (String, Vec<(String, String)>);

/// A registered series. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) enum UserMetric {
    Counter(IntCounter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// All series of one plugin.
#[derive(Debug)]
pub(crate) struct UserMetrics {
    plugin: String,
    registry: Registry,
    series: Mutex<BTreeMap<Series, UserMetric>>,
}

impl UserMetrics {
    pub(crate) fn new(plugin: &str, registry: Registry) -> Self {
        Self { plugin: plugin.to_owned(), registry, series: Mutex::default() }
    }

    /// Finds a series, or makes it. The error is a sentence for the plugin's author.
    pub(crate) fn register(&self, series: Series, kind: &Kind) -> Result<UserMetric, String> {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = all.get(&series) {
            let same = metric.is(kind);
            return same.then(|| metric.clone()).ok_or_else(|| "it exists as another kind".into());
        }
        if all.len() >= SERIES_MAX {
            return Err(format!("a plugin has at most {SERIES_MAX} series"));
        }
        check(&series, kind)?;
        let metric = self.make(&series, kind).map_err(one_line)?;
        all.insert(series, metric.clone());
        Ok(metric)
    }

    fn make(&self, (name, labels): &Series, kind: &Kind) -> prometheus::Result<UserMetric> {
        let opts = Opts::new(format!("tidegate_plugin_user_{name}"), "Made by a plugin.")
            .const_labels(labels.iter().cloned().collect())
            .const_label("plugin", &self.plugin);
        let metric = match kind {
            Kind::Counter => UserMetric::Counter(IntCounter::with_opts(opts)?),
            Kind::Gauge => UserMetric::Gauge(Gauge::with_opts(opts)?),
            Kind::Histogram { buckets } => {
                UserMetric::Histogram(Histogram::with_opts(HistogramOpts {
                    common_opts: opts,
                    buckets: buckets.clone(),
                })?)
            }
        };
        self.registry.register(metric.collector())?;
        Ok(metric)
    }
}

impl Drop for UserMetrics {
    fn drop(&mut self) {
        let series = self.series.get_mut().unwrap_or_else(PoisonError::into_inner);
        for metric in series.values() {
            // It can only fail for what is not registered, which is what is wanted.
            self.registry.unregister(metric.collector()).ok();
        }
    }
}

impl UserMetric {
    fn is(&self, kind: &Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Counter(_), Kind::Counter)
                | (Self::Gauge(_), Kind::Gauge)
                | (Self::Histogram(_), Kind::Histogram { .. })
        )
    }

    fn collector(&self) -> Box<dyn Collector> {
        match self {
            Self::Counter(counter) => Box::new(counter.clone()),
            Self::Gauge(gauge) => Box::new(gauge.clone()),
            Self::Histogram(histogram) => Box::new(histogram.clone()),
        }
    }
}

fn check((_, labels): &Series, kind: &Kind) -> Result<(), String> {
    if labels.len() > LABELS_MAX {
        return Err(format!("a metric has at most {LABELS_MAX} labels"));
    }
    if labels.iter().any(|(key, value)| key.len().max(value.len()) > LABEL_BYTES_MAX) {
        return Err(format!("a label is at most {LABEL_BYTES_MAX} bytes long"));
    }
    if labels.iter().any(|(key, _)| key == "plugin") {
        return Err("the label plugin is the host's".to_owned());
    }
    match kind {
        Kind::Histogram { buckets } if buckets.len() > BUCKETS_MAX => {
            Err(format!("a histogram has at most {BUCKETS_MAX} buckets"))
        }
        Kind::Counter | Kind::Gauge | Kind::Histogram { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, label: &str) -> Series {
        (name.to_owned(), vec![("route".to_owned(), label.to_owned())])
    }

    #[test]
    fn a_series_is_made_once_and_leaves_with_its_plugin() {
        let registry = Registry::new();
        let metrics = UserMetrics::new("router", registry.clone());
        for _ in 0..2 {
            match metrics.register(series("hits_total", "a"), &Kind::Counter) {
                Ok(UserMetric::Counter(counter)) => counter.inc(),
                other => panic!("{other:?}"),
            }
        }
        let family = registry.gather().remove(0);
        assert_eq!(family.name(), "tidegate_plugin_user_hits_total");
        assert_eq!(family.get_metric()[0].get_counter().get_value(), 2.0);
        drop(metrics);
        assert!(registry.gather().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_reason() {
        let metrics = UserMetrics::new("router", Registry::new());
        metrics.register(series("n", "a"), &Kind::Gauge).unwrap();
        assert!(metrics.register(series("n", "a"), &Kind::Counter).unwrap_err().contains("kind"));
        assert!(metrics.register(series("not a name", "a"), &Kind::Gauge).is_err());
        let of_host = ("n".to_owned(), vec![("plugin".to_owned(), "x".to_owned())]);
        assert!(metrics.register(of_host, &Kind::Gauge).unwrap_err().contains("host"));
        let made = (1..1000)
            .take_while(|n| metrics.register(series("n", &n.to_string()), &Kind::Gauge).is_ok())
            .count();
        assert_eq!(made, SERIES_MAX - 1);
    }

    #[test]
    fn two_plugins_can_use_one_name() {
        let registry = Registry::new();
        let (one, two) =
            (UserMetrics::new("one", registry.clone()), UserMetrics::new("two", registry.clone()));
        one.register(series("n", "a"), &Kind::Gauge).unwrap();
        two.register(series("n", "a"), &Kind::Gauge).unwrap();
        assert_eq!(registry.gather().remove(0).get_metric().len(), 2);
    }
}
