//! The face that MySQL's clients see.

mod answer;
mod connection;
mod database;
mod dialect;
mod login;
mod parameters;
mod session;
mod show;
mod variables;

pub(crate) use session::serve;
