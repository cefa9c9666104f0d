//! What a mock host remembers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::log::Level;

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

/// Works on the host of this thread.
pub(super) fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(work)
}

/// Forgets everything but the sessions, which tests may have made before.
pub(super) fn reset() {
    with(|state| {
        let sessions = std::mem::take(&mut state.sessions);
        *state = State { sessions, ..State::default() };
    });
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) sessions: Vec<SessionData>,
    /// `None`: every target exists.
    pub(super) targets: Option<Vec<String>>,
    pub(super) config: serde_json::Value,
    pub(super) log_level: Level,
    pub(super) logged: Vec<(Level, String)>,
    pub(super) metrics: Metrics,
    pub(super) kv: Kv,
    pub(super) clock: Clock,
}

impl Default for State {
    fn default() -> Self {
        Self {
            sessions: Vec::new(),
            targets: None,
            config: serde_json::Value::Null,
            log_level: Level::Trace,
            logged: Vec::new(),
            metrics: Metrics::default(),
            kv: Kv::default(),
            clock: Clock::default(),
        }
    }
}

/// What is known about a session beside what hooks are given; its id is its position, from 1.
#[derive(Debug, Default)]
pub(super) struct SessionData {
    pub(super) user: String,
    pub(super) database: Option<String>,
    pub(super) peer: String,
    pub(super) listener: String,
    pub(super) local_port: u16,
    pub(super) tls_subject: Option<String>,
    pub(super) connection_attributes: BTreeMap<String, String>,
    pub(super) attributes: BTreeMap<String, String>,
}

impl State {
    pub(super) fn session(&mut self, id: u64) -> &mut SessionData {
        let position = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        let session = position.and_then(|position| self.sessions.get_mut(position));
        session.expect("a mock session is used on the thread that made it")
    }
}

type Labels = Vec<(String, String)>;

/// Counters and gauges by value, histograms by what they observed.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    list: Vec<(String, Labels, Vec<f64>)>,
}

impl Metrics {
    /// The number of a metric, which is 0 as long as nothing else is said about it.
    pub(super) fn register(&mut self, name: &str, labels: &[(String, String)]) -> Option<u32> {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(valid) {
            return None;
        }
        let same = |(known, known_labels, _): &(String, Labels, Vec<f64>)| {
            known == name && known_labels == labels
        };
        let position = self.list.iter().position(same).unwrap_or_else(|| {
            self.list.push((name.to_owned(), labels.to_vec(), Vec::new()));
            self.list.len() - 1
        });
        u32::try_from(position).ok()
    }

    pub(super) fn values(&mut self, id: u32) -> &mut Vec<f64> {
        let entry = usize::try_from(id).ok().and_then(|id| self.list.get_mut(id));
        let (_, _, values) = entry.expect("a metric is used with the host that registered it");
        values
    }

    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let same = |known: &Labels| {
            known
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .eq(labels.iter().copied())
        };
        let (_, _, values) =
            self.list.iter().find(|(known, labels, _)| known == name && same(labels))?;
        Some(values.last().copied().unwrap_or(0.0))
    }

    pub(super) fn observations(&self, name: &str) -> Vec<f64> {
        let histogram = self.list.iter().find(|(known, _, _)| known == name);
        histogram.map(|(_, _, values)| values.clone()).unwrap_or_default()
    }
}

/// The store, with the moments at which its values end, and the limits of the real one.
#[derive(Debug)]
pub(super) struct Kv {
    pub(super) quota: usize,
    values: BTreeMap<String, (Vec<u8>, Option<Duration>)>,
}

impl Default for Kv {
    fn default() -> Self {
        Self { quota: 16 << 20, values: BTreeMap::new() }
    }
}

impl Kv {
    /// Is it more than any key or value may be?
    pub(super) fn is_too_large(key: &str, value: &[u8]) -> bool {
        const KEY_BYTES_MAX: usize = 1 << 10;
        const VALUE_BYTES_MAX: usize = 1 << 20;
        key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX
    }

    pub(super) fn get(&mut self, key: &str, now: Duration) -> Option<Vec<u8>> {
        self.values.retain(|_, (_, end)| end.is_none_or(|end| now < end));
        self.values.get(key).map(|(value, _)| value.clone())
    }

    /// When the present value of a key ends.
    pub(super) fn end(&self, key: &str) -> Option<Duration> {
        self.values.get(key).and_then(|(_, end)| *end)
    }

    /// Sets a value unless that would exceed the quota; did it?
    pub(super) fn set(&mut self, key: &str, value: &[u8], end: Option<Duration>) -> bool {
        let others = self.values.iter().filter(|(other, _)| *other != key);
        let used: usize = others.map(|(key, (value, _))| key.len() + value.len()).sum();
        if used + key.len() + value.len() > self.quota {
            return false;
        }
        self.values.insert(key.to_owned(), (value.to_owned(), end));
        true
    }

    pub(super) fn delete(&mut self, key: &str) -> bool {
        self.values.remove(key).is_some()
    }
}

/// Both clocks; they stand still.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) unix: Duration,
    pub(super) monotonic: Duration,
}

impl Default for Clock {
    /// A Friday in January, and a machine that has been up for an hour.
    fn default() -> Self {
        Self { unix: Duration::from_secs(1_767_348_000), monotonic: Duration::from_secs(3600) }
    }
}

impl Clock {
    pub(super) fn advance(&mut self, time: Duration) {
        self.unix += time;
        self.monotonic += time;
    }
}
