//! `metrics`: counters, gauges and histograms of the plugin's own.
//!
//! A number belongs to the instance that registered it, so that counting needs no lock.

use crate::bindings::tidegate::plugin::metrics;
use crate::failure::refused;
use crate::state::State;
use crate::user_metrics::{Kind, Series, UserMetric};

impl metrics::Host for State {
    fn counter(
        &mut self,
        name: String,
        labels: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<u32, String>> {
        Ok(self.register((name, labels), &Kind::Counter))
    }

    fn gauge(
        &mut self,
        name: String,
        labels: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<u32, String>> {
        Ok(self.register((name, labels), &Kind::Gauge))
    }

    fn histogram(
        &mut self,
        name: String,
        buckets: Vec<f64>,
    ) -> wasmtime::Result<Result<u32, String>> {
        Ok(self.register((name, Vec::new()), &Kind::Histogram { buckets }))
    }

    fn add(&mut self, id: u32, delta: u64) -> wasmtime::Result<()> {
        match self.metric(id) {
            Some(UserMetric::Counter(counter)) => counter.inc_by(delta),
            _ => return Err(refused(format!("{id} is no counter of this instance"))),
        }
        Ok(())
    }

    fn set(&mut self, id: u32, value: f64) -> wasmtime::Result<()> {
        match self.metric(id) {
            Some(UserMetric::Gauge(gauge)) => gauge.set(value),
            _ => return Err(refused(format!("{id} is no gauge of this instance"))),
        }
        Ok(())
    }

    fn observe(&mut self, id: u32, value: f64) -> wasmtime::Result<()> {
        match self.metric(id) {
            Some(UserMetric::Histogram(histogram)) => histogram.observe(value),
            _ => return Err(refused(format!("{id} is no histogram of this instance"))),
        }
        Ok(())
    }
}

impl State {
    fn register(&mut self, series: Series, kind: &Kind) -> Result<u32, String> {
        let metric = self.plugin.metrics.register(series.clone(), kind)?;
        let known = self.metrics.iter().position(|(known, _)| *known == series);
        let position = known.unwrap_or_else(|| {
            self.metrics.push((series, metric));
            self.metrics.len() - 1
        });
        u32::try_from(position + 1).map_err(|_| "too many metrics".to_owned())
    }

    fn metric(&self, id: u32) -> Option<&UserMetric> {
        let position = usize::try_from(id).ok()?.checked_sub(1)?;
        self.metrics.get(position).map(|(_, metric)| metric)
    }
}
