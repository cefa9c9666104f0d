//! The imports of the contract with the signatures that `wit-bindgen` gives them, on the mock host.
//!
//! A change in `wit/plugin.wit` that matters to the SDK changes this file too, or the SDK no longer
//! compiles on one of its two targets.

pub(crate) mod targets {
    use crate::mock::state;

    pub(crate) fn resolve(name: &str) -> Result<u32, String> {
        state::with(|state| match &state.targets {
            None => Ok(1),
            Some(names) if names.iter().any(|known| known == name) => Ok(1),
            Some(names) => Err(format!("no target {name:?}; there are: {}", names.join(", "))),
        })
    }
}

pub(crate) mod session {
    use crate::mock::state;

    pub(crate) fn listener(id: u64) -> String {
        state::with(|state| state.session(id).listener.clone())
    }

    pub(crate) fn local_port(id: u64) -> u16 {
        state::with(|state| state.session(id).local_port)
    }

    pub(crate) fn connection_attribute(id: u64, key: &str) -> Option<String> {
        state::with(|state| state.session(id).connection_attributes.get(key).cloned())
    }

    pub(crate) fn user(id: u64) -> String {
        state::with(|state| state.session(id).user.clone())
    }

    pub(crate) fn database(id: u64) -> Option<String> {
        state::with(|state| state.session(id).database.clone())
    }

    pub(crate) fn peer(id: u64) -> String {
        state::with(|state| state.session(id).peer.clone())
    }

    pub(crate) fn tls_subject(id: u64) -> Option<String> {
        state::with(|state| state.session(id).tls_subject.clone())
    }

    pub(crate) fn attribute(id: u64, key: &str) -> Option<String> {
        state::with(|state| state.session(id).attributes.get(key).cloned())
    }

    /// As in the runtime, what a session has no room for is dropped.
    pub(crate) fn set_attribute(id: u64, key: &str, value: Option<&str>) {
        const ATTRIBUTES_MAX: usize = 32;
        const ATTRIBUTE_BYTES_MAX: usize = 1024;
        state::with(|state| {
            let attributes = &mut state.session(id).attributes;
            let Some(value) = value else {
                attributes.remove(key);
                return;
            };
            let room = attributes.len() < ATTRIBUTES_MAX || attributes.contains_key(key);
            if room && key.len() + value.len() <= ATTRIBUTE_BYTES_MAX {
                attributes.insert(key.to_owned(), value.to_owned());
            }
        });
    }

    /// The mock session keeps its mark itself.
    pub(crate) fn set_mark(_id: u64, _mark: u64) {}
}

pub(crate) mod statement {
    /// A mock statement brings its bytes with it, so nobody asks the host.
    pub(crate) fn bytes(_offset: u64, _length: u32) -> Vec<u8> {
        Vec::new()
    }
}

pub(crate) mod config {
    use crate::mock::state;

    pub(crate) fn get(key: &str) -> Option<String> {
        state::with(|state| {
            let value = key.split('.').try_fold(&state.config, |value, key| value.get(key));
            value.map(serde_json::Value::to_string)
        })
    }
}

pub(crate) mod log {
    use crate::mock::state;

    pub(crate) use crate::log::Level;

    pub(crate) fn enabled(level: Level) -> bool {
        state::with(|state| level >= state.log_level)
    }

    pub(crate) fn write(level: Level, message: &str) {
        state::with(|state| state.logged.push((level, message.to_owned())));
    }
}

pub(crate) mod metrics {
    use crate::mock::state;

    fn register(name: &str, labels: &[(String, String)]) -> Result<u32, String> {
        state::with(|state| state.metrics.register(name, labels))
            .ok_or_else(|| format!("{name:?} is no name for a metric"))
    }

    pub(crate) fn counter(name: &str, labels: &[(String, String)]) -> Result<u32, String> {
        register(name, labels)
    }

    pub(crate) fn gauge(name: &str, labels: &[(String, String)]) -> Result<u32, String> {
        register(name, labels)
    }

    pub(crate) fn histogram(name: &str, buckets: &[f64]) -> Result<u32, String> {
        if buckets.is_sorted() {
            register(name, &[])
        } else {
            Err(format!("the bounds of {name:?} do not ascend"))
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "no test counts beyond 2^53")]
    pub(crate) fn add(id: u32, delta: u64) {
        state::with(|state| {
            let values = state.metrics.values(id);
            let sum = values.last().copied().unwrap_or(0.0) + delta as f64;
            *values = vec![sum];
        });
    }

    pub(crate) fn set(id: u32, value: f64) {
        state::with(|state| *state.metrics.values(id) = vec![value]);
    }

    pub(crate) fn observe(id: u32, value: f64) {
        state::with(|state| state.metrics.values(id).push(value));
    }
}

pub(crate) mod kv {
    use std::time::Duration;

    use crate::mock::state::{self, Kv, State};

    pub(crate) use crate::kv::Error;

    fn end(state: &State, ttl_ms: Option<u32>) -> Option<Duration> {
        ttl_ms.map(|ttl| state.clock.monotonic + Duration::from_millis(ttl.into()))
    }

    fn put(state: &mut State, key: &str, value: &[u8], end: Option<Duration>) -> Result<(), Error> {
        if Kv::is_too_large(key, value) {
            return Err(Error::TooLarge);
        }
        if state.kv.set(key, value, end) { Ok(()) } else { Err(Error::QuotaExceeded) }
    }

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        state::with(|state| state.kv.get(key, state.clock.monotonic))
    }

    pub(crate) fn set(key: &str, value: &[u8], ttl_ms: Option<u32>) -> Result<(), Error> {
        state::with(|state| put(state, key, value, end(state, ttl_ms)))
    }

    pub(crate) fn delete(key: &str) -> bool {
        state::with(|state| state.kv.delete(key))
    }

    pub(crate) fn increment(key: &str, delta: i64, ttl_ms: Option<u32>) -> Result<i64, Error> {
        state::with(|state| {
            let (number, end) = match state.kv.get(key, state.clock.monotonic) {
                Some(value) => (parse(&value)?, state.kv.end(key)),
                None => (0, end(state, ttl_ms)),
            };
            let sum =
                number.checked_add(delta).ok_or_else(|| Error::Other("overflow".to_owned()))?;
            put(state, key, sum.to_string().as_bytes(), end).map(|()| sum)
        })
    }

    fn parse(value: &[u8]) -> Result<i64, Error> {
        let number = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        number.ok_or_else(|| Error::Other("the value is no number".to_owned()))
    }

    pub(crate) fn compare_and_swap(
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Result<bool, Error> {
        state::with(|state| {
            if state.kv.get(key, state.clock.monotonic).as_deref() != expected {
                return Ok(false);
            }
            let end = state.kv.end(key);
            put(state, key, value, end).map(|()| true)
        })
    }
}

pub(crate) mod clock {
    use std::time::Duration;

    use crate::mock::state;

    fn nanoseconds(time: Duration) -> u64 {
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn now_unix_ns() -> u64 {
        nanoseconds(state::with(|state| state.clock.unix))
    }

    pub(crate) fn monotonic_ns() -> u64 {
        nanoseconds(state::with(|state| state.clock.monotonic))
    }
}

#[cfg(test)]
mod tests;
