//! How a statement ended, as observers are told.

use std::time::Duration;

use tidegate_sql::Kind;

/// Who or what ended a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeKind {
    /// The server (or a plugin's reply) answered without an error.
    Ok,
    /// The server answered with an error.
    ServerError,
    /// A plugin rejected it.
    Rejected,
    /// It ran past its time limit.
    TimedOut,
    /// The client went away before the answer was complete.
    ClientGone,
    /// tidegate could not carry it out: no server, a full queue, a lost connection.
    ProxyError,
}

impl OutcomeKind {
    /// The word that logs and metrics use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ServerError => "server_error",
            Self::Rejected => "rejected",
            Self::TimedOut => "timed_out",
            Self::ClientGone => "client_gone",
            Self::ProxyError => "proxy_error",
        }
    }
}

/// What observers are told about one statement.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub digest: u64,
    pub kind: Kind,
    pub outcome: OutcomeKind,
    /// The protocol's error code; 0 without an error.
    pub error_code: u32,
    /// Rows returned, or rows affected where none are returned.
    pub rows: u64,
    /// From the statement's last byte received to its answer's last byte sent.
    pub duration: Duration,
}
