//! The functions of the servers, by what a call of them does.

pub(crate) mod mysql;
pub(crate) mod postgres;

/// What calling a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunctionClass {
    /// Nothing but compute, or no function at all: `IN (`, `VALUES (`.
    Harmless,
    /// A lock that belongs to the connection.
    NamedLock,
    Diagnostics,
    LastInsertId,
    Acts,
    /// Perhaps a stored one.
    Unknown,
}
