//! The errors that tidegate itself raises, with the numbers that clients know them by.
//!
//! <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>

use tidegate_wire::Violation;

/// A number and the state that standard SQL gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    pub code: u16,
    pub sqlstate: [u8; 5],
}

impl ErrorCode {
    const fn new(code: u16, sqlstate: &[u8; 5]) -> Self {
        Self { code, sqlstate: *sqlstate }
    }

    /// What a peer is told that broke the protocol.
    #[must_use]
    pub fn of(violation: &Violation) -> Self {
        match violation {
            Violation::TooLong { .. } => ER_NET_PACKET_TOO_LARGE,
            Violation::OutOfOrder { .. } => ER_NET_PACKETS_OUT_OF_ORDER,
            Violation::Truncated { .. } | Violation::Malformed { .. } => ER_MALFORMED_PACKET,
            Violation::Unexpected { .. } => ER_UNKNOWN_COM,
        }
    }

    /// What a client is told that broke the protocol before it was logged in.
    #[must_use]
    pub fn in_handshake(violation: &Violation) -> Self {
        match violation {
            Violation::TooLong { .. } | Violation::OutOfOrder { .. } => Self::of(violation),
            _ => ER_HANDSHAKE_ERROR,
        }
    }
}

pub const ER_CON_COUNT: ErrorCode = ErrorCode::new(1040, b"08004");
pub const ER_HANDSHAKE_ERROR: ErrorCode = ErrorCode::new(1043, b"08S01");
pub const ER_ACCESS_DENIED: ErrorCode = ErrorCode::new(1045, b"28000");
pub const ER_UNKNOWN_COM: ErrorCode = ErrorCode::new(1047, b"08S01");
pub const ER_BAD_DB: ErrorCode = ErrorCode::new(1049, b"42000");
pub const ER_NO_SUCH_THREAD: ErrorCode = ErrorCode::new(1094, b"HY000");
pub const ER_KILL_DENIED: ErrorCode = ErrorCode::new(1095, b"HY000");
pub const ER_CONNECTION_KILLED: ErrorCode = ErrorCode::new(1927, b"70100");
pub const ER_SERVER_SHUTDOWN: ErrorCode = ErrorCode::new(1053, b"08S01");
pub const ER_PARSE: ErrorCode = ErrorCode::new(1064, b"42000");
pub const ER_UNKNOWN: ErrorCode = ErrorCode::new(1105, b"HY000");
pub const ER_HOST_IS_BLOCKED: ErrorCode = ErrorCode::new(1129, b"HY000");
pub const ER_HOST_NOT_PRIVILEGED: ErrorCode = ErrorCode::new(1130, b"HY000");
pub const ER_NET_PACKET_TOO_LARGE: ErrorCode = ErrorCode::new(1153, b"08S01");
pub const ER_NET_PACKETS_OUT_OF_ORDER: ErrorCode = ErrorCode::new(1156, b"08S01");
pub const ER_NOT_SUPPORTED_YET: ErrorCode = ErrorCode::new(1235, b"42000");
pub const ER_UNKNOWN_STMT_HANDLER: ErrorCode = ErrorCode::new(1243, b"HY000");
pub const ER_NOT_SUPPORTED_AUTH_MODE: ErrorCode = ErrorCode::new(1251, b"08004");
pub const ER_OPTION_PREVENTS_STATEMENT: ErrorCode = ErrorCode::new(1290, b"HY000");
pub const ER_QUERY_INTERRUPTED: ErrorCode = ErrorCode::new(1317, b"70100");
pub const ER_NEED_REPREPARE: ErrorCode = ErrorCode::new(1615, b"HY000");
pub const ER_MAX_PREPARED_STMT_COUNT_REACHED: ErrorCode = ErrorCode::new(1461, b"42000");
pub const ER_MALFORMED_PACKET: ErrorCode = ErrorCode::new(1835, b"HY000");
pub const ER_MUST_CHANGE_PASSWORD_LOGIN: ErrorCode = ErrorCode::new(1862, b"HY000");
pub const ER_QUERY_TIMEOUT: ErrorCode = ErrorCode::new(3024, b"HY000");
pub const ER_ACCOUNT_HAS_BEEN_LOCKED: ErrorCode = ErrorCode::new(3118, b"HY000");
pub const ER_SECURE_TRANSPORT_REQUIRED: ErrorCode = ErrorCode::new(3159, b"HY000");
/// MariaDB's own.
pub const ER_ACCOUNT_IS_LOCKED: ErrorCode = ErrorCode::new(4151, b"HY000");
pub const CR_CONN_HOST: ErrorCode = ErrorCode::new(2003, b"HY000");
pub const CR_SERVER_LOST: ErrorCode = ErrorCode::new(2013, b"HY000");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_is_named_by_its_phase() {
        let cut = Violation::Truncated { what: "a packet" };
        assert_eq!(ErrorCode::of(&cut).code, 1835);
        assert_eq!(ErrorCode::in_handshake(&cut).code, 1043);
        let order = Violation::OutOfOrder { expected: 0, got: 1 };
        assert_eq!(ErrorCode::in_handshake(&order).code, 1156);
        let long = Violation::TooLong { what: "a packet", len: 2, max: 1 };
        assert_eq!(ErrorCode::of(&long).code, 1153);
    }
}
