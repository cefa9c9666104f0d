//! What a client is told when something ends: one place for all errors of tidegate's own.

use std::time::Duration;

use tidegate_postgres_wire::message::{ErrorResponse, Field, Severity};
use tidegate_postgres_wire::sqlstate::{
    ADMIN_SHUTDOWN, CANNOT_CONNECT_NOW, CONNECTION_FAILURE, INTERNAL_ERROR, SqlState,
    TOO_MANY_CONNECTIONS,
};
use tidegate_postgres_wire::upstream::LoginError;
use tidegate_telemetry::SessionFailure;

use super::End;
use crate::pool::postgres::{DialError, LeaseError};

/// A client that does not listen is not waited for.
pub(super) const LIMIT: Duration = Duration::from_secs(1);

/// What the client hears at the end of its session; `None` if it knows, or cannot hear.
pub(super) fn of(end: &End) -> Option<ErrorResponse> {
    let (code, message) = match end {
        End::Violation(violation) => (SqlState::of(violation), format!("tidegate: {violation}")),
        End::Stopped => (ADMIN_SHUTDOWN, "tidegate is shutting down; connect again".to_owned()),
        End::Idle => (ADMIN_SHUTDOWN, "closed: the session was idle for too long".to_owned()),
        End::Killed => {
            let words = "terminating connection due to administrator command";
            (ADMIN_SHUTDOWN, words.to_owned())
        }
        End::Quit | End::ClientLost(_) | End::Server(_) => return None,
    };
    Some(ErrorResponse::new(Severity::Fatal, code, message))
}

/// What the metrics call the end; `None` for the client's own farewell.
pub(super) fn failure(end: &End) -> Option<SessionFailure> {
    match end {
        End::Quit => None,
        End::Violation(_) => Some(SessionFailure::Violation),
        End::ClientLost(_) => Some(SessionFailure::ClientGone),
        End::Server(_) => Some(SessionFailure::ServerGone),
        End::Stopped => Some(SessionFailure::Shutdown),
        End::Idle => Some(SessionFailure::Idle),
        End::Killed => Some(SessionFailure::Killed),
    }
}

/// No server could be had for a statement, or for the login.
pub(super) fn lease(error: &LeaseError, severity: Severity) -> ErrorResponse {
    if let LeaseError::Dial { source: DialError::Login(LoginError::Refused(refused)), .. } = error {
        return refused.clone();
    }
    let message = format!("tidegate: {error}");
    match error {
        LeaseError::Exhausted { .. } | LeaseError::QueueFull { .. } => {
            ErrorResponse::new(severity, TOO_MANY_CONNECTIONS, message)
                .with(Field::Hint, "Raise pool.max or pool.wait of the upstream.")
        }
        LeaseError::NoServer { .. } | LeaseError::NoPrimary { .. } => {
            ErrorResponse::new(severity, CANNOT_CONNECT_NOW, message)
        }
        LeaseError::Dial { source, .. } if source.is_server_fault() => {
            ErrorResponse::new(severity, CANNOT_CONNECT_NOW, message)
        }
        LeaseError::Lost { .. } => ErrorResponse::new(severity, CONNECTION_FAILURE, message),
        LeaseError::Dial { .. } => ErrorResponse::new(severity, INTERNAL_ERROR, message),
    }
}

/// A server was lost after it had been sent a request, or with what it held for the session.
pub(super) fn server_lost(
    severity: Severity,
    server: &str,
    why: &str,
    consequence: &str,
) -> ErrorResponse {
    let message = format!("tidegate: lost {server}: {why}");
    ErrorResponse::new(severity, CONNECTION_FAILURE, message).with(Field::Detail, consequence)
}
