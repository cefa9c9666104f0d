//! What a client is told when something ends: one place for all errors of tidegate's own.

use tidegate_mysql_wire::error_code::{
    CR_CONN_HOST, CR_SERVER_LOST, ER_CON_COUNT, ER_UNKNOWN, ErrorCode,
};
use tidegate_mysql_wire::packet::ErrPacket;
use tidegate_telemetry::SessionFailure;
use tidegate_wire::Violation;

use super::End;
use super::command::ClientLost;
use crate::pool::mysql::{DialError, LeaseError};

/// The client broke the protocol.
pub(super) fn violation(violation: &Violation) -> ErrPacket {
    ErrPacket::new(ErrorCode::of(violation), format!("tidegate: {violation}"))
}

/// What the metrics call the end; `None` for the client's own farewell.
pub(super) fn failure(end: &End) -> Option<SessionFailure> {
    match end {
        End::Quit => None,
        End::Client(ClientLost::Violation(_)) => Some(SessionFailure::Violation),
        End::Client(_) => Some(SessionFailure::ClientGone),
        End::Server(_) => Some(SessionFailure::ServerGone),
        End::Stopped => Some(SessionFailure::Shutdown),
        End::Idle => Some(SessionFailure::Idle),
        End::Killed => Some(SessionFailure::Killed),
        End::Login(_) => Some(SessionFailure::Login),
    }
}

/// The sequence number that a client accepts for the last packet of its session.
pub(super) fn sequence(end: &End) -> u8 {
    match end {
        // To a command that came; to silence, a server speaks first.
        End::Client(ClientLost::Violation(_)) => 1,
        _ => 0,
    }
}

/// No server could be had for a statement, or for the login.
pub(super) fn lease(error: &LeaseError) -> ErrPacket {
    if let LeaseError::Dial { source: DialError::Login(error), .. } = error
        && let Some(refused) = error.refused()
    {
        return refused.clone();
    }
    match error {
        LeaseError::Exhausted { .. } | LeaseError::QueueFull { .. } => {
            ErrPacket::new(ER_CON_COUNT, format!("tidegate: {error}; raise pool.max or pool.wait"))
        }
        LeaseError::NoServer { .. } | LeaseError::NoPrimary { .. } => {
            ErrPacket::new(CR_CONN_HOST, format!("tidegate: {error}"))
        }
        LeaseError::Dial { source, .. } if source.is_server_fault() => {
            ErrPacket::new(CR_CONN_HOST, format!("tidegate: {error}"))
        }
        LeaseError::Lost { .. } => ErrPacket::new(CR_SERVER_LOST, format!("tidegate: {error}")),
        LeaseError::Dial { .. } => ErrPacket::new(ER_UNKNOWN, format!("tidegate: {error}")),
    }
}

/// A server was lost after it had been sent a statement, or with what it held for the session.
pub(super) fn server_lost(server: &str, why: &str, consequence: &str) -> ErrPacket {
    let message = format!("tidegate: lost {server} during the statement: {why}{consequence}");
    ErrPacket::new(CR_SERVER_LOST, message)
}
