//! The host, for `cargo test`: hooks are ordinary functions, called with sessions and statements that a
//! test makes up.
//!
//! ```
//! use tidegate_sdk::{mock, sql::*};
//!
//! struct Splitter;
//! impl SqlPlugin for Splitter {
//!     fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
//!         if statement.is_read() && !session.in_transaction() {
//!             Verdict::route("orders/replica")
//!         } else {
//!             Verdict::next()
//!         }
//!     }
//! }
//!
//! let session = mock::session("app");
//! let read = mock::statement("SELECT * FROM orders");
//! assert_eq!(Splitter.on_statement(&session, &read), Verdict::route("orders/replica"));
//! assert_eq!(Splitter.on_statement(&session.begin(), &read), Verdict::next());
//! ```
//!
//! Each thread has a host of its own, so tests do not disturb each other. A test that cares what the
//! plugin did to it begins with [`Host::new`].

pub(crate) mod host;
mod session;
mod state;
mod statement;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Config;
use crate::log::Level;

pub use session::{MockSession, session};
pub use statement::{prepared, prepared_in, statement, statement_in};

/// The host of this thread, fresh, until it is dropped.
///
/// Time stands still in it, every target exists, the store is empty, and nothing has been logged.
///
/// ```
/// use tidegate_sdk::{log, mock};
///
/// let host = mock::Host::new();
/// log::info("hello");
/// assert_eq!(host.logged().len(), 1);
/// ```
#[derive(Debug)]
#[must_use = "the host is put back when this is dropped"]
pub struct Host(());

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        state::reset();
    }
}

impl Host {
    /// A fresh host for this thread. Sessions made before keep what they have.
    ///
    /// ```
    /// let _host = tidegate_sdk::mock::Host::new();
    /// ```
    pub fn new() -> Self {
        state::reset();
        Self(())
    }

    /// Only these targets exist.
    ///
    /// ```
    /// use tidegate_sdk::{Target, mock};
    ///
    /// let _host = mock::Host::new().with_targets(&["orders/primary"]);
    /// assert!(Target::resolve("orders/primary").is_ok());
    /// assert!(Target::resolve("orders/replica").is_err());
    /// ```
    pub fn with_targets(self, names: &[&str]) -> Self {
        state::with(|state| {
            state.targets = Some(names.iter().map(|name| (*name).to_owned()).collect());
        });
        self
    }

    /// What [`config::get`](crate::config::get) finds: the `[config]` table of this sidecar file.
    ///
    /// # Panics
    /// When the text is not TOML.
    ///
    /// ```
    /// use tidegate_sdk::{config, mock};
    ///
    /// let _host = mock::Host::new().with_sidecar("[config]\nlimit = 3");
    /// assert_eq!(config::get("limit"), Ok(3_u64));
    /// ```
    pub fn with_sidecar(self, toml: &str) -> Self {
        state::with(|state| state.config = config_as_json(toml));
        self
    }

    /// The store takes so many bytes of keys and values, and no more.
    ///
    /// ```
    /// use tidegate_sdk::{kv, mock};
    ///
    /// let _host = mock::Host::new().with_kv_quota(8);
    /// assert!(kv::set("a", "1234567", None).is_ok());
    /// assert!(kv::set("b", "1", None).is_err());
    /// ```
    pub fn with_kv_quota(self, bytes: usize) -> Self {
        state::with(|state| state.kv.quota = bytes);
        self
    }

    /// Messages below this level are not written, and [`log::enabled`](crate::log::enabled) says so.
    ///
    /// ```
    /// use tidegate_sdk::{log, mock};
    ///
    /// let host = mock::Host::new().with_log_level(log::Level::Warn);
    /// log::info("not interesting");
    /// assert!(host.logged().is_empty());
    /// ```
    pub fn with_log_level(self, level: Level) -> Self {
        state::with(|state| state.log_level = level);
        self
    }

    /// Lets time pass: both clocks, and the times to live in the store.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate_sdk::{clock, mock};
    ///
    /// let host = mock::Host::new();
    /// let before = clock::now();
    /// host.advance(Duration::from_secs(60));
    /// assert_eq!(clock::now(), before + Duration::from_secs(60));
    /// ```
    pub fn advance(&self, time: Duration) {
        state::with(|state| state.clock.advance(time));
    }

    /// Sets the time of day; the other clock stays.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use tidegate_sdk::{clock, mock};
    ///
    /// let noon = UNIX_EPOCH + Duration::from_secs(12 * 3600);
    /// mock::Host::new().set_time(noon);
    /// ```
    pub fn set_time(&self, time: SystemTime) {
        let unix = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        state::with(|state| state.clock.unix = unix);
    }

    /// What the plugin has logged so far.
    ///
    /// ```
    /// use tidegate_sdk::{log, mock};
    ///
    /// let host = mock::Host::new();
    /// log::warn("careful");
    /// assert_eq!(host.logged(), [(log::Level::Warn, "careful".to_owned())]);
    /// ```
    #[must_use]
    pub fn logged(&self) -> Vec<(Level, String)> {
        state::with(|state| state.logged.clone())
    }

    /// The present value of a counter or gauge; `None` when nobody has registered it.
    ///
    /// ```
    /// use tidegate_sdk::{metrics::Counter, mock};
    ///
    /// let host = mock::Host::new();
    /// Counter::register("seen", &[])?.add(3);
    /// assert_eq!(host.metric("seen", &[]), Some(3.0));
    /// assert_eq!(host.metric("unseen", &[]), None);
    /// # Ok::<(), tidegate_sdk::metrics::MetricError>(())
    /// ```
    #[must_use]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        state::with(|state| state.metrics.value(name, labels))
    }

    /// What a histogram has observed, in order.
    ///
    /// ```
    /// use tidegate_sdk::{metrics::Histogram, mock};
    ///
    /// let host = mock::Host::new();
    /// Histogram::register("seconds", &[0.1, 1.0])?.observe(0.5);
    /// assert_eq!(host.observations("seconds"), [0.5]);
    /// # Ok::<(), tidegate_sdk::metrics::MetricError>(())
    /// ```
    #[must_use]
    pub fn observations(&self, name: &str) -> Vec<f64> {
        state::with(|state| state.metrics.observations(name))
    }
}

/// The `[config]` table of a sidecar file, so that a test can read the very file that is shipped.
///
/// # Panics
/// When the text is not TOML.
///
/// ```
/// let config = tidegate_sdk::mock::sidecar(r#"
///     on_failure = "closed"
///     [config]
///     default = "orders/replica"
/// "#);
/// assert_eq!(config.get::<String>("default")?, "orders/replica");
/// # Ok::<(), tidegate_sdk::ConfigError>(())
/// ```
#[must_use]
pub fn sidecar(toml: &str) -> Config {
    Config::from_json(&config_as_json(toml).to_string()).expect("[config] is a table")
}

fn config_as_json(toml: &str) -> serde_json::Value {
    let mut sidecar: toml::Table = toml.parse().expect("a test's sidecar file is TOML");
    let config = sidecar.remove("config").unwrap_or_else(|| toml::Table::new().into());
    serde_json::to_value(config).expect("what is TOML has a form in JSON")
}
