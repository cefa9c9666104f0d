//! Who may log in, by what proof, and what the account demands beside it. Known from the
//! configuration, a file, or the servers themselves.

pub(crate) mod aside;
mod ask;
mod decoys;
pub(crate) mod mysql;
pub(crate) mod postgres;
mod watched_file;

pub(crate) use ask::NotTaken;
pub use postgres::UsersError;
