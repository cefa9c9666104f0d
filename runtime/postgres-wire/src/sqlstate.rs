//! The states of errors that tidegate raises itself or has to know.
//!
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use std::fmt;

use tidegate_wire::Violation;

/// Five digits or letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState(pub [u8; 5]);

impl SqlState {
    const fn new(code: &[u8; 5]) -> Self {
        Self(*code)
    }

    /// What a peer is told that broke the protocol.
    #[must_use]
    pub fn of(violation: &Violation) -> Self {
        match violation {
            Violation::TooLong { .. } => PROGRAM_LIMIT_EXCEEDED,
            _ => PROTOCOL_VIOLATION,
        }
    }

    /// `XX000` if it is not ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlState({self})")
    }
}

pub const CONNECTION_FAILURE: SqlState = SqlState::new(b"08006");
pub const PROTOCOL_VIOLATION: SqlState = SqlState::new(b"08P01");
pub const FEATURE_NOT_SUPPORTED: SqlState = SqlState::new(b"0A000");
/// A statement that writes, where nothing may be written: a replica.
pub const READ_ONLY_SQL_TRANSACTION: SqlState = SqlState::new(b"25006");
pub const IN_FAILED_SQL_TRANSACTION: SqlState = SqlState::new(b"25P02");
/// A statement that was prepared by this name is not there.
pub const INVALID_SQL_STATEMENT_NAME: SqlState = SqlState::new(b"26000");
pub const INVALID_AUTHORIZATION_SPECIFICATION: SqlState = SqlState::new(b"28000");
pub const INVALID_PASSWORD: SqlState = SqlState::new(b"28P01");
pub const INVALID_CURSOR_NAME: SqlState = SqlState::new(b"34000");
pub const INVALID_CATALOG_NAME: SqlState = SqlState::new(b"3D000");
pub const SERIALIZATION_FAILURE: SqlState = SqlState::new(b"40001");
/// A statement by this name is there already.
pub const DUPLICATE_PREPARED_STATEMENT: SqlState = SqlState::new(b"42P05");
pub const INSUFFICIENT_PRIVILEGE: SqlState = SqlState::new(b"42501");
pub const TOO_MANY_CONNECTIONS: SqlState = SqlState::new(b"53300");
pub const PROGRAM_LIMIT_EXCEEDED: SqlState = SqlState::new(b"54000");
pub const QUERY_CANCELED: SqlState = SqlState::new(b"57014");
pub const ADMIN_SHUTDOWN: SqlState = SqlState::new(b"57P01");
pub const CANNOT_CONNECT_NOW: SqlState = SqlState::new(b"57P03");
pub const INTERNAL_ERROR: SqlState = SqlState::new(b"XX000");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_shown_as_they_are_written() {
        assert_eq!(INVALID_PASSWORD.to_string(), "28P01");
        assert_eq!(format!("{INVALID_PASSWORD:?}"), "SqlState(28P01)");
        assert_eq!(SqlState(*b"\xff\0\"1x").to_string(), "\\xff\\x00\\\"1x");
        assert_eq!(SqlState(*b"\xff0001").as_str(), "XX000");
    }

    #[test]
    fn a_fault_has_a_state() {
        let cut = Violation::Truncated { what: "a message" };
        assert_eq!(SqlState::of(&cut), PROTOCOL_VIOLATION);
        let long = Violation::TooLong { what: "a message", len: 2, max: 1 };
        assert_eq!(SqlState::of(&long), PROGRAM_LIMIT_EXCEEDED);
    }
}
