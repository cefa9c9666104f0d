//! The state of the session that a server repeats in every reply.

use bitflags::bitflags;

bitflags! {
    /// `SERVER_STATUS_*`. Bits without a name here are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct StatusFlags: u16 {
        const IN_TRANSACTION = 1;
        const AUTOCOMMIT = 1 << 1;
        /// Another result follows this one.
        const MORE_RESULTS = 1 << 3;
        const NO_GOOD_INDEX_USED = 1 << 4;
        const NO_INDEX_USED = 1 << 5;
        /// The rows stay on the server until they are fetched.
        const CURSOR_EXISTS = 1 << 6;
        const LAST_ROW_SENT = 1 << 7;
        const DATABASE_DROPPED = 1 << 8;
        const NO_BACKSLASH_ESCAPES = 1 << 9;
        const METADATA_CHANGED = 1 << 10;
        const QUERY_WAS_SLOW = 1 << 11;
        /// This result holds the OUT parameters of a procedure.
        const PS_OUT_PARAMS = 1 << 12;
        const IN_READ_ONLY_TRANSACTION = 1 << 13;
        const SESSION_STATE_CHANGED = 1 << 14;
        /// MariaDB only.
        const ANSI_QUOTES = 1 << 15;
    }
}
