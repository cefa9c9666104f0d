//! From our own counters to what Prometheus collects.

use std::time::Duration;

use prometheus::core::Desc;
use prometheus::proto;

/// Describes a metric whose labels all vary.
pub(crate) fn describe(name: &str, help: &str, labels: &[&str]) -> Result<Desc, prometheus::Error> {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    Desc::new(name.to_owned(), help.to_owned(), labels, Default::default())
}

/// All counters of one name.
pub(crate) fn counters(desc: &Desc, metrics: Vec<proto::Metric>) -> proto::MetricFamily {
    family(desc, proto::MetricType::COUNTER, metrics)
}

/// All histograms of one name.
pub(crate) fn histograms(desc: &Desc, metrics: Vec<proto::Metric>) -> proto::MetricFamily {
    family(desc, proto::MetricType::HISTOGRAM, metrics)
}

fn family(
    desc: &Desc,
    kind: proto::MetricType,
    metrics: Vec<proto::Metric>,
) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

/// A counter with the values of its labels, in the order in which they were described.
pub(crate) fn counter(desc: &Desc, labels: &[&str], count: u64) -> proto::Metric {
    let mut counter = proto::Counter::default();
    counter.set_value(as_float(count));
    let mut metric = labelled(desc, labels);
    metric.set_counter(counter);
    metric
}

/// A histogram with the values of its labels.
pub(crate) fn histogram(
    desc: &Desc,
    labels: &[&str],
    histogram: proto::Histogram,
) -> proto::Metric {
    let mut metric = labelled(desc, labels);
    metric.set_histogram(histogram);
    metric
}

pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

fn labelled(desc: &Desc, labels: &[&str]) -> proto::Metric {
    debug_assert_eq!(desc.variable_labels.len(), labels.len(), "{}", desc.fq_name);
    let pairs = desc.variable_labels.iter().zip(labels).map(|(name, value)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name(name.clone());
        pair.set_value((*value).to_owned());
        pair
    });
    let mut pairs: Vec<_> = pairs.collect();
    // As Prometheus's own metrics are shown.
    pairs.sort_by(|a, b| a.name().cmp(b.name()));
    proto::Metric::from_label(pairs)
}

/// Prometheus knows floats only; counts are exact up to 2^53.
fn as_float(count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "beyond 2^53 nobody misses one")]
    let float = count as f64;
    float
}
