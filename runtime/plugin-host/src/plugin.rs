//! What of a plugin outlives its versions: its name, its store, its metrics, its counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::Registry;
use tracing::Level;

use crate::failure::FailureKind;
use crate::kv::Kv;
use crate::log_limit::{LogLimit, cut};
use crate::pulse::Pulse;
use crate::user_metrics::UserMetrics;

/// One plugin, known by the name of its file, over all its versions.
#[derive(Debug)]
pub(crate) struct Plugin {
    pub(crate) name: Arc<str>,
    /// Under which sessions keep this plugin's mark.
    pub(crate) number: u32,
    pub(crate) kv: Kv,
    pub(crate) metrics: UserMetrics,
    pub(crate) counters: Counters,
    pub(crate) pulse: Arc<Pulse>,
    log_limit: Mutex<LogLimit>,
}

/// What the host counts about a plugin.
#[derive(Debug)]
pub(crate) struct Counters {
    workers: Box<[WorkerCounters]>,
    failures: [AtomicU64; FailureKind::ALL.len()],
    pub(crate) memory_high_water: Arc<AtomicUsize>,
    pub(crate) ticks: AtomicU64,
}

/// The counters of one worker, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct WorkerCounters {
    calls: [AtomicU64; Hook::ALL.len()],
    hits: AtomicU64,
}

/// A hook, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Authenticated,
    Closed,
    Statement,
    Outcome,
}

impl Hook {
    pub(crate) const ALL: [Self; 4] =
        [Self::Authenticated, Self::Closed, Self::Statement, Self::Outcome];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Authenticated => "on_authenticated",
            Self::Closed => "on_closed",
            Self::Statement => "on_statement",
            Self::Outcome => "on_outcome",
        }
    }
}

impl Plugin {
    /// Writes to the log as the plugin, unless it has written too much.
    pub(crate) fn log(&self, level: Level, message: &str) {
        if !log_enabled(level) {
            return;
        }
        let admitted = lock(&self.log_limit).admit(self.pulse.now_ms());
        match admitted {
            None => return,
            Some(0) => {}
            Some(refused) => {
                tracing::warn!(target: "plugin", plugin = &*self.name, refused, "too many messages");
            }
        }
        write(level, &self.name, cut(message));
    }
}

/// Would a plugin's message of this level be written?
pub(crate) fn log_enabled(level: Level) -> bool {
    match level {
        Level::ERROR => tracing::enabled!(target: "plugin", Level::ERROR),
        Level::WARN => tracing::enabled!(target: "plugin", Level::WARN),
        Level::INFO => tracing::enabled!(target: "plugin", Level::INFO),
        Level::DEBUG => tracing::enabled!(target: "plugin", Level::DEBUG),
        Level::TRACE => tracing::enabled!(target: "plugin", Level::TRACE),
    }
}

fn write(level: Level, plugin: &str, message: &str) {
    match level {
        Level::ERROR => tracing::error!(target: "plugin", plugin, "{message}"),
        Level::WARN => tracing::warn!(target: "plugin", plugin, "{message}"),
        Level::INFO => tracing::info!(target: "plugin", plugin, "{message}"),
        Level::DEBUG => tracing::debug!(target: "plugin", plugin, "{message}"),
        Level::TRACE => tracing::trace!(target: "plugin", plugin, "{message}"),
    }
}

impl Counters {
    fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers.max(1)).map(|_| WorkerCounters::default()).collect(),
            failures: std::array::from_fn(|_| AtomicU64::new(0)),
            memory_high_water: Arc::default(),
            ticks: AtomicU64::new(0),
        }
    }

    /// Counts a call into WebAssembly, by whoever holds the worker's place.
    pub(crate) fn called(&self, worker: usize, hook: Hook) {
        let calls = self.workers.get(worker).and_then(|w| w.calls.get(hook as usize));
        if let Some(calls) = calls {
            count(calls);
        }
    }

    /// Counts a verdict that was reused, by whoever holds the worker's place.
    pub(crate) fn hit(&self, worker: usize) {
        if let Some(worker) = self.workers.get(worker) {
            count(&worker.hits);
        }
    }

    /// Counts a failed call.
    pub(crate) fn failed(&self, kind: FailureKind) {
        if let Some(failures) = self.failures.get(kind.index()) {
            failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn calls(&self, hook: Hook) -> u64 {
        let of_worker = |w: &WorkerCounters| w.calls.get(hook as usize).map_or(0, read);
        self.workers.iter().map(of_worker).sum()
    }

    pub(crate) fn hits(&self) -> u64 {
        self.workers.iter().map(|worker| read(&worker.hits)).sum()
    }

    /// The most memory that one instance has used, in bytes.
    pub(crate) fn memory_high_water(&self) -> usize {
        self.memory_high_water.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self, kind: FailureKind) -> u64 {
        self.failures.get(kind.index()).map_or(0, read)
    }
}

/// Adds 1 where nobody else does at the same time, without the price of making sure.
fn count(counter: &AtomicU64) {
    counter.store(read(counter).wrapping_add(1), Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Every plugin that has a file, or had one until just now.
#[derive(Debug)]
pub(crate) struct Plugins {
    workers: usize,
    registry: Registry,
    pulse: Arc<Pulse>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_name: BTreeMap<String, Arc<Plugin>>,
    numbers: u32,
}

impl Plugins {
    pub(crate) fn new(workers: usize, registry: Registry, pulse: Arc<Pulse>) -> Self {
        Self { workers, registry, pulse, known: Mutex::default() }
    }

    /// The plugin of this name, new or known.
    pub(crate) fn get(&self, name: &str) -> Arc<Plugin> {
        let mut known = lock(&self.known);
        if let Some(plugin) = known.by_name.get(name) {
            return Arc::clone(plugin);
        }
        known.numbers += 1;
        let plugin = Arc::new(Plugin {
            name: name.into(),
            number: known.numbers,
            kv: Kv::default(),
            metrics: UserMetrics::new(name, self.registry.clone()),
            counters: Counters::new(self.workers),
            pulse: Arc::clone(&self.pulse),
            log_limit: Mutex::default(),
        });
        known.by_name.insert(name.to_owned(), Arc::clone(&plugin));
        plugin
    }

    /// Forgets a plugin whose file is gone, with all that it stored.
    pub(crate) fn forget(&self, name: &str) {
        lock(&self.known).by_name.remove(name);
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Plugin>> {
        lock(&self.known).by_name.values().cloned().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
