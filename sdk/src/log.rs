//! The runtime's log, under this plugin's name.
//!
//! What `println!`, `eprintln!` and a panic write lands there as well; these functions add the level,
//! and do not compose a message that nobody will read:
//!
//! ```
//! use tidegate_sdk::{log, mock};
//!
//! let host = mock::Host::new();
//! let user = "ann";
//! log::warn(format_args!("{user} asks for too much"));
//! assert_eq!(host.logged(), [(log::Level::Warn, "ann asks for too much".to_owned())]);
//! ```

use std::fmt::Display;

use crate::host;
use crate::host::log::Level as HostLevel;

/// How important a message is.
///
/// ```
/// use tidegate_sdk::log::Level;
///
/// assert!(Level::Error > Level::Warn);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For who follows the program step by step.
    Trace,
    /// For who looks for a defect.
    Debug,
    /// What an operator likes to know.
    Info,
    /// What an operator should look at.
    Warn,
    /// What an operator must look at.
    Error,
}

fn to_host(level: Level) -> HostLevel {
    match level {
        Level::Trace => HostLevel::Trace,
        Level::Debug => HostLevel::Debug,
        Level::Info => HostLevel::Info,
        Level::Warn => HostLevel::Warn,
        Level::Error => HostLevel::Error,
    }
}

/// Would a message of this level be written?
///
/// ```
/// use tidegate_sdk::log::{self, Level};
///
/// assert!(log::enabled(Level::Error));
/// ```
#[must_use]
pub fn enabled(level: Level) -> bool {
    host::log::enabled(to_host(level))
}

/// Writes a line of this level, if it is [`enabled`].
///
/// ```
/// use tidegate_sdk::log::{self, Level};
///
/// log::write(Level::Info, "up and running");
/// ```
pub fn write(level: Level, message: impl Display) {
    if enabled(level) {
        host::log::write(to_host(level), &message.to_string());
    }
}

/// Writes a line of [`Level::Trace`].
///
/// ```
/// tidegate_sdk::log::trace(format_args!("looked at {} rules", 3));
/// ```
pub fn trace(message: impl Display) {
    write(Level::Trace, message);
}

/// Writes a line of [`Level::Debug`].
///
/// ```
/// tidegate_sdk::log::debug(format_args!("looked at {} rules", 3));
/// ```
pub fn debug(message: impl Display) {
    write(Level::Debug, message);
}

/// Writes a line of [`Level::Info`].
///
/// ```
/// tidegate_sdk::log::info("ready");
/// ```
pub fn info(message: impl Display) {
    write(Level::Info, message);
}

/// Writes a line of [`Level::Warn`].
///
/// ```
/// tidegate_sdk::log::warn(format_args!("{} is deprecated", "old_orders"));
/// ```
pub fn warn(message: impl Display) {
    write(Level::Warn, message);
}

/// Writes a line of [`Level::Error`].
///
/// ```
/// tidegate_sdk::log::error("the list of tenants is empty");
/// ```
pub fn error(message: impl Display) {
    write(Level::Error, message);
}
