//! What [`export!`](crate::export) needs on every target: a check for each hook, by its name there.

use std::fmt::Display;

use crate::connection::{ConnectionObserver, ConnectionPlugin};
use crate::sql::{SqlObserver, SqlPlugin};
use crate::ticker::Ticker;

pub fn sql<T: SqlPlugin>() {}
pub fn sql_observer<T: SqlObserver>() {}
pub fn connection<T: ConnectionPlugin>() {}
pub fn connection_observer<T: ConnectionObserver>() {}
pub fn ticker<T: Ticker>() {}

/// The error of an `init` as the operator will read it.
pub fn describe<T, E: Display>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}
