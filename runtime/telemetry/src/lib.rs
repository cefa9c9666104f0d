//! The only place that names a metric or a field of the query log.
//!
//! Whoever measures holds a handle whose labels were resolved once; to count what happens with
//! each statement costs a few relaxed additions in memory that a thread shares with nobody.
//! `docs/observability.md` says what all of it means.

mod collect;
mod exemplars;
mod histogram;
mod labels;
mod listener;
mod logging;
mod open_metrics;
mod query_log;
mod registry;
mod server;
mod sharded;
mod timestamp;
mod traffic;

pub use labels::{
    KindLabel, LoginResult, OutcomeLabel, PinReason, SessionFailure, VerdictLabel, WaitFailure,
};
pub use listener::{ListenerMetrics, OpenSession};
pub use logging::{LogError, init_logging};
pub use query_log::{QueryLog, QueryLogEntry};
pub use registry::Telemetry;
pub use server::ServerMetrics;

#[cfg(test)]
mod documentation;
