//! What a peer did wrong.

/// The peer broke its protocol.
///
/// `what` names the packet or field in words that fit into a log line or an error message. No
/// variant carries bytes that the peer sent: they may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It ends before what it promised.
    #[error("{what} is cut short")]
    Truncated { what: &'static str },
    /// A length that is over the limit, refused before anything was allocated for it.
    #[error("{what} of {len} bytes is longer than the {max} that are allowed")]
    TooLong { what: &'static str, len: u64, max: u64 },
    /// It is whole, and no valid value.
    #[error("{what} is malformed")]
    Malformed { what: &'static str },
    /// A packet was lost, repeated, or never belonged to this exchange.
    #[error("a packet is out of order: number {got} instead of {expected}")]
    OutOfOrder { expected: u8, got: u8 },
    /// It is valid, and has no place here.
    #[error("unexpected {what}")]
    Unexpected { what: &'static str },
}
