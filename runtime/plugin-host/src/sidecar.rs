//! `plugins/name.toml`: how a plugin is to be run. Optional, and strict.

use std::ops::Range;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

/// The keys that a sidecar file may have.
const KEYS: [&str; 6] = ["on_failure", "deadline", "memory", "order", "listeners", "config"];

const DEADLINE_MAX: Duration = Duration::from_secs(10);
const MEMORY_MIN: usize = 1 << 20;
/// All that a 32-bit memory can be.
const MEMORY_MAX: usize = 4 << 30;
/// Two names are probably the same word if they are at least this similar.
const SIMILAR: f64 = 0.75;

/// What a sidecar file says, with defaults for what it does not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sidecar {
    pub(crate) on_failure: OnFailure,
    /// How long one hot hook may take.
    pub(crate) deadline: Duration,
    /// How much memory one instance may use, in bytes.
    pub(crate) memory: usize,
    /// Plugins run from the lowest number to the highest.
    pub(crate) order: i64,
    /// The listeners that it is for; `None`: all.
    pub(crate) listeners: Option<Vec<String>>,
    /// Handed to `init` as JSON; always an object.
    pub(crate) config: serde_json::Value,
}

/// What becomes of a request when a plugin fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// It goes on as if the plugin were not there.
    #[default]
    Open,
    /// It is refused.
    Closed,
}

impl Default for Sidecar {
    fn default() -> Self {
        Self {
            on_failure: OnFailure::Open,
            deadline: Duration::from_millis(5),
            memory: 64 << 20,
            order: 0,
            listeners: None,
            config: serde_json::Value::Object(serde_json::Map::new()),
        }
    }
}

/// What is wrong with a sidecar file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its .toml file, line {line}: {message}")]
pub(crate) struct SidecarError {
    line: usize,
    message: String,
}

impl SidecarError {
    pub(crate) fn not_utf8() -> Self {
        Self { line: 1, message: "it is not UTF-8".to_owned() }
    }
}

impl Sidecar {
    /// Reads a sidecar file. `listeners` are the names that it may use.
    pub(crate) fn parse(text: &str, listeners: &[String]) -> Result<Self, SidecarError> {
        let root = DeTable::parse(text).map_err(|error| {
            let message = crate::failure::one_line(error.message());
            SidecarError { line: line(text, error.span().unwrap_or_default()), message }
        })?;
        let mut sidecar = Self::default();
        for (key, value) in root.get_ref() {
            let taken = sidecar.take(key.get_ref(), value.get_ref(), listeners);
            taken.map_err(|problem| match problem {
                Problem::Key(message) => SidecarError { line: line(text, key.span()), message },
                Problem::Value(message) => SidecarError {
                    line: line(text, value.span()),
                    message: format!("`{}` {message}", key.get_ref()),
                },
            })?;
        }
        Ok(sidecar)
    }

    fn take(
        &mut self,
        key: &str,
        value: &DeValue<'_>,
        listeners: &[String],
    ) -> Result<(), Problem> {
        match key {
            "on_failure" => self.on_failure = on_failure(value)?,
            "deadline" => self.deadline = deadline(value)?,
            "memory" => self.memory = memory(value)?,
            "order" => self.order = order(value)?,
            "listeners" => self.listeners = Some(names(value, listeners)?),
            "config" => self.config = config(value)?,
            unknown => {
                let hint = nearest(unknown, KEYS.iter().copied());
                return Err(Problem::Key(format!("unknown key `{unknown}`{hint}")));
            }
        }
        Ok(())
    }
}

enum Problem {
    Key(String),
    Value(String),
}

fn wrong<T>(message: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Value(message.into()))
}

fn on_failure(value: &DeValue<'_>) -> Result<OnFailure, Problem> {
    match value.as_str() {
        Some("open") => Ok(OnFailure::Open),
        Some("closed") => Ok(OnFailure::Closed),
        _ => wrong("must be \"open\" or \"closed\""),
    }
}

fn deadline(value: &DeValue<'_>) -> Result<Duration, Problem> {
    let units = [("ms", 1), ("s", 1000)];
    let millis = value.as_str().and_then(|text| quantity(text, &units));
    let deadline = millis.map(Duration::from_millis);
    match deadline.filter(|d| !d.is_zero() && *d <= DEADLINE_MAX) {
        Some(deadline) => Ok(deadline),
        None => wrong("must be a time from \"1ms\" to \"10s\""),
    }
}

fn memory(value: &DeValue<'_>) -> Result<usize, Problem> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let bytes = value.as_str().and_then(|text| quantity(text, &units));
    match bytes.and_then(|bytes| usize::try_from(bytes).ok()) {
        Some(bytes) if (MEMORY_MIN..=MEMORY_MAX).contains(&bytes) => Ok(bytes),
        _ => wrong("must be a size from \"1MiB\" to \"4GiB\""),
    }
}

fn order(value: &DeValue<'_>) -> Result<i64, Problem> {
    let number = value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
    number.map_or_else(|| wrong("must be a whole number"), Ok)
}

fn names(value: &DeValue<'_>, known: &[String]) -> Result<Vec<String>, Problem> {
    let Some(list) = value.as_array() else {
        return wrong("must be a list of names");
    };
    let mut names = Vec::new();
    for item in list {
        let Some(name) = item.get_ref().as_str() else {
            return wrong("must be a list of names");
        };
        if !known.iter().any(|listener| listener == name) {
            let hint = nearest(name, known.iter().map(String::as_str));
            return wrong(format!("names the listener `{name}`, which there is not{hint}"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn config(value: &DeValue<'_>) -> Result<serde_json::Value, Problem> {
    if value.as_table().is_none() {
        return wrong("must be a table");
    }
    json(value).map_or_else(|| wrong("holds a number that JSON cannot"), Ok)
}

/// A value as JSON; dates become text. `None` for a number out of range.
fn json(value: &DeValue<'_>) -> Option<serde_json::Value> {
    use serde_json::Value;
    Some(match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => {
            Value::from(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::Float(number) => {
            Value::Number(serde_json::Number::from_f64(number.as_str().parse().ok()?)?)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(list) => {
            Value::Array(list.iter().map(|item| json(item.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let entry = |key: &str, value: &DeValue<'_>| Some((key.to_owned(), json(value)?));
            let entries = table.iter().map(|(key, value)| entry(key.get_ref(), value.get_ref()));
            Value::Object(entries.collect::<Option<_>>()?)
        }
    })
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// "; did you mean …?", if one of the known names is alike.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let scored = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let best = scored.max_by(|(one, _), (two, _)| one.total_cmp(two));
    match best.filter(|(score, _)| *score >= SIMILAR) {
        Some((_, known)) => format!("; did you mean `{known}`?"),
        None => String::new(),
    }
}

fn line(text: &str, span: Range<usize>) -> usize {
    text.get(..span.start).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Sidecar, String> {
        let listeners = ["orders".to_owned(), "users".to_owned()];
        Sidecar::parse(text, &listeners).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_all_defaults() {
        assert_eq!(parse("").unwrap(), Sidecar::default());
        assert_eq!(parse("# nothing\n[config]\n").unwrap(), Sidecar::default());
    }

    #[test]
    fn everything_is_read() {
        let text = r#"
            on_failure = "closed"
            deadline = "20ms"
            memory = "8MiB"
            order = -3
            listeners = ["orders"]
            [config]
            sticky = "2s"
            ratio = 0.5
            since = 2026-01-01
            users.admin = ["a", 7, true]
        "#;
        let sidecar = parse(text).unwrap();
        assert_eq!(sidecar.on_failure, OnFailure::Closed);
        assert_eq!(sidecar.deadline, Duration::from_millis(20));
        assert_eq!((sidecar.memory, sidecar.order), (8 << 20, -3));
        assert_eq!(sidecar.listeners, Some(vec!["orders".to_owned()]));
        let expected = serde_json::json!({
            "sticky": "2s", "ratio": 0.5, "since": "2026-01-01", "users": { "admin": ["a", 7, true] },
        });
        assert_eq!(sidecar.config, expected);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, expected) in [
            ("\nmemry = 1", "line 2: unknown key `memry`; did you mean `memory`?"),
            ("zzz = 1", "line 1: unknown key `zzz`"),
            ("on_failure = 'oppen'", "`on_failure` must be \"open\" or \"closed\""),
            ("deadline = '0ms'", "`deadline` must be a time"),
            ("deadline = 5", "`deadline` must be a time"),
            ("deadline = '11s'", "`deadline` must be a time"),
            ("memory = '64MB'", "`memory` must be a size"),
            ("memory = '99999999999999999999GiB'", "`memory` must be a size"),
            ("order = 'first'", "`order` must be a whole number"),
            ("listeners = ['order']", "names the listener `order`, which there is not; did you"),
            ("listeners = 'orders'", "`listeners` must be a list"),
            ("config = 1", "`config` must be a table"),
            ("config.x = nan", "`config` holds a number"),
            ("order = 1\norder = 2", "line 2"),
            ("order =", "line 1"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{text:?}: {error}");
        }
    }
}
