//! `[admin]`, `[plugins]`, `[runtime]` and `[log]`: what concerns the whole process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::table::hint;
use crate::value::Value;

/// Where metrics, health and plugins are shown over HTTP. Without it, nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    pub bind: SocketAddr,
}

/// Where plugins are dropped. Without it, there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// A directory; if it is not there yet, a warning says so.
    pub dir: PathBuf,
}

/// How the process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Threads that carry sessions; as many as cores unless set.
    pub workers: usize,
    /// How long sessions may finish what they do when the process is told to stop.
    pub shutdown: Duration,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            workers: available_parallelism().map_or(1, usize::from),
            shutdown: Duration::from_secs(30),
        }
    }
}

/// What is written to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or levels by module: `info`, `info,tidegate_proxy=debug`.
    pub level: String,
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(crate) fn admin(value: &Value<'_>) -> Option<Admin> {
    value.table(|table| {
        let bind = table.required("bind", Value::bind);
        Some(Admin { bind: bind? })
    })
}

pub(crate) fn plugins(value: &Value<'_>) -> Option<Plugins> {
    value.table(|table| {
        let dir = table.required("dir", Value::directory);
        Some(Plugins { dir: dir? })
    })
}

pub(crate) fn runtime(value: &Value<'_>) -> Option<Runtime> {
    value.table(|table| {
        let default = Runtime::default();
        let workers = table.optional("workers", |value| value.count(1..=1024));
        let shutdown = table.optional("shutdown", Value::duration_or_zero);
        Some(Runtime {
            workers: workers.unwrap_or(default.workers),
            shutdown: shutdown.unwrap_or(default.shutdown),
        })
    })
}

pub(crate) fn log(value: &Value<'_>) -> Option<Log> {
    value.table(|table| {
        let default = Log::default();
        let level = table.optional("level", filter);
        let format = table.optional("format", |value| {
            value.choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)])
        });
        Some(Log {
            level: level.unwrap_or(default.level),
            format: format.unwrap_or(default.format),
        })
    })
}

/// `level` or `module=level`, separated by commas.
fn filter(value: &Value<'_>) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = value.text()?;
    for part in text.split(',') {
        let part = part.trim();
        let (module, level) = part.rsplit_once('=').unwrap_or(("all", part));
        if !LEVELS.contains(&level) {
            return value.fail(format!("`{level}` is no level; {}", hint(level, &LEVELS)));
        }
        if !module.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':')) {
            return value.fail(format!("`{module}` is no module, such as `tidegate_proxy`"));
        }
    }
    Some(text.to_owned())
}
