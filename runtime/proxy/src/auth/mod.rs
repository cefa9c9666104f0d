//! Who may log in, by what proof, and what the account demands beside it. Known from the
//! configuration, a file, or the servers themselves.

pub(crate) mod mysql;

pub(crate) mod postgres;
