//! Write plugins for tidegate.
//!
//! A plugin is a type that implements the hooks it cares about, and one line that exports it:
//!
//! ```
//! use tidegate_sdk::sql::*;
//!
//! struct Splitter;
//!
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
//! tidegate_sdk::export_sql!(Splitter);
//! # fn main() {}
//! ```
//!
//! `cargo build --release --target wasm32-wasip2` makes the component; dropped into tidegate's plugin
//! directory it is live. The same source runs under plain `cargo test`, against the host in [`mock`].
//!
//! | hook | trait | name in [`export!`] |
//! |---|---|---|
//! | each statement | [`sql::SqlPlugin`] | `sql` |
//! | how each statement ended | [`sql::SqlObserver`] | `sql_observer` |
//! | each new session | [`connection::ConnectionPlugin`] | `connection` |
//! | the end of a session | [`connection::ConnectionObserver`] | `connection_observer` |
//! | now and then | [`ticker::Ticker`] | `ticker` |
//!
//! Hooks take `&self`: each instance of a plugin has one thread, so a [`std::cell::Cell`] is enough for
//! what may be forgotten. What must last belongs into [`kv`] or into the session.

#![warn(missing_docs)]
#![deny(unsafe_code)]

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
pub mod clock;
pub mod config;
pub mod connection;
#[doc(hidden)]
pub mod exported;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
pub mod kv;
pub mod log;
mod macros;
pub mod metrics;
#[cfg(not(target_family = "wasm"))]
pub mod mock;
mod rejection;
mod rows;
mod session;
pub mod sql;
mod statement;
mod target;
pub mod ticker;
mod verdict;

pub use config::{Config, ConfigError};
pub use rejection::Rejection;
pub use session::Session;
pub use target::{Target, UnknownTarget};
/// Statement text taken apart: tokens, effects, comments.
///
/// ```
/// use tidegate_sdk::sql_text::{Dialect, digest_text};
///
/// assert_eq!(digest_text(b"SELECT  1", Dialect::Mysql), digest_text(b"SELECT 2", Dialect::Mysql));
/// ```
pub use tidegate_sql as sql_text;

/// The functions of the host: the imports of the component, or their mock of the same shape.
#[cfg(target_family = "wasm")]
use bindings::imports::tidegate::plugin as host;
#[cfg(not(target_family = "wasm"))]
use mock::host;

/// The guide's snippets are compiled and run like every other example.
#[cfg(doctest)]
#[doc = include_str!("../../docs/plugins.md")]
struct Guide;
