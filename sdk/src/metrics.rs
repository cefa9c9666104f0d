//! Metrics of the plugin's own, exported beside those of the runtime.
//!
//! Register them once, while the plugin starts, and keep them:
//!
//! ```
//! use tidegate_sdk::{Config, metrics::*, mock, sql::*};
//!
//! struct Sizes {
//!     bytes: Histogram,
//! }
//!
//! impl Sizes {
//!     fn from_config(_: &Config) -> Result<Self, MetricError> {
//!         Ok(Self { bytes: Histogram::register("statement_bytes", &[100.0, 1_000.0, 10_000.0])? })
//!     }
//! }
//!
//! impl SqlPlugin for Sizes {
//!     fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
//!         self.bytes.observe(statement.text().len() as f64);
//!         Verdict::next()
//!     }
//! }
//! tidegate_sdk::export!(Sizes: sql; init = Sizes::from_config);
//! # fn main() {}
//! ```

use std::fmt;

use crate::host;

/// The host does not want the metric: a bad name, or too many of them. Displayed, it says which.
///
/// ```
/// use tidegate_sdk::metrics::{Counter, MetricError};
///
/// let refused: Result<Counter, MetricError> = Counter::register("no spaces, please", &[]);
/// assert!(refused.is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricError(String);

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MetricError {}

fn labels(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A number that only grows.
///
/// ```
/// use tidegate_sdk::{metrics::Counter, mock};
///
/// let host = mock::Host::new();
/// let rejected = Counter::register("rejected", &[("why", "quota")])?;
/// rejected.add(2);
/// assert_eq!(host.metric("rejected", &[("why", "quota")]), Some(2.0));
/// # Ok::<(), tidegate_sdk::metrics::MetricError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Counter(u32);

impl Counter {
    /// The counter of this name and labels; the same one when it is registered again.
    ///
    /// # Errors
    /// [`MetricError`] when the host does not want it.
    ///
    /// ```
    /// # use tidegate_sdk::metrics::Counter;
    /// assert!(Counter::register("rejected", &[("why", "quota")]).is_ok());
    /// ```
    pub fn register(name: &str, labels: &[(&str, &str)]) -> Result<Self, MetricError> {
        host::metrics::counter(name, &self::labels(labels)).map(Self).map_err(MetricError)
    }

    /// Adds to it.
    ///
    /// ```
    /// # use tidegate_sdk::metrics::Counter;
    /// Counter::register("rejected", &[])?.add(1);
    /// # Ok::<(), tidegate_sdk::metrics::MetricError>(())
    /// ```
    pub fn add(self, delta: u64) {
        host::metrics::add(self.0, delta);
    }
}

/// A number that goes up and down.
///
/// ```
/// use tidegate_sdk::{metrics::Gauge, mock};
///
/// let host = mock::Host::new();
/// Gauge::register("tenants", &[])?.set(12.0);
/// assert_eq!(host.metric("tenants", &[]), Some(12.0));
/// # Ok::<(), tidegate_sdk::metrics::MetricError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gauge(u32);

impl Gauge {
    /// The gauge of this name and labels; the same one when it is registered again.
    ///
    /// # Errors
    /// [`MetricError`] when the host does not want it.
    ///
    /// ```
    /// # use tidegate_sdk::metrics::Gauge;
    /// assert!(Gauge::register("tenants", &[]).is_ok());
    /// ```
    pub fn register(name: &str, labels: &[(&str, &str)]) -> Result<Self, MetricError> {
        host::metrics::gauge(name, &self::labels(labels)).map(Self).map_err(MetricError)
    }

    /// Sets it.
    ///
    /// ```
    /// # use tidegate_sdk::metrics::Gauge;
    /// Gauge::register("tenants", &[])?.set(12.0);
    /// # Ok::<(), tidegate_sdk::metrics::MetricError>(())
    /// ```
    pub fn set(self, value: f64) {
        host::metrics::set(self.0, value);
    }
}

/// A distribution: how many observations were at most as large as each bound.
///
/// ```
/// use tidegate_sdk::{metrics::Histogram, mock};
///
/// let host = mock::Host::new();
/// Histogram::register("seconds", &[0.001, 0.01, 0.1])?.observe(0.02);
/// assert_eq!(host.observations("seconds"), [0.02]);
/// # Ok::<(), tidegate_sdk::metrics::MetricError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Histogram(u32);

impl Histogram {
    /// The histogram of this name, with ascending upper bounds; the same one when it is registered again.
    ///
    /// # Errors
    /// [`MetricError`] when the host does not want it.
    ///
    /// ```
    /// # use tidegate_sdk::metrics::Histogram;
    /// assert!(Histogram::register("seconds", &[0.001, 0.01, 0.1]).is_ok());
    /// ```
    pub fn register(name: &str, bounds: &[f64]) -> Result<Self, MetricError> {
        host::metrics::histogram(name, bounds).map(Self).map_err(MetricError)
    }

    /// Counts a value in.
    ///
    /// ```
    /// # use tidegate_sdk::metrics::Histogram;
    /// Histogram::register("seconds", &[0.001, 0.01, 0.1])?.observe(0.02);
    /// # Ok::<(), tidegate_sdk::metrics::MetricError>(())
    /// ```
    pub fn observe(self, value: f64) {
        host::metrics::observe(self.0, value);
    }
}
