//! The face that PostgreSQL's clients see.

mod bind;
mod columns;
mod connection;
mod database;
mod error;
mod extended;
mod functions;
mod login;
mod request;
mod session;
mod sessions;
mod settings;
mod types;

pub(crate) use session::serve;
pub(crate) use sessions::Sessions;
