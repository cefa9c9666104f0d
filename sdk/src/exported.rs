//! What [`export!`](crate::export) needs on every target.

use std::fmt::Display;

use crate::Config;
use crate::connection::{ConnectionObserver, ConnectionPlugin};
use crate::sql::{SqlObserver, SqlPlugin};
use crate::ticker::Ticker;

// Natively, one check for each hook, by its name in the macro.
pub fn sql<T: SqlPlugin>() {}
pub fn sql_observer<T: SqlObserver>() {}
pub fn connection<T: ConnectionPlugin>() {}
pub fn connection_observer<T: ConnectionObserver>() {}
pub fn ticker<T: Ticker>() {}

/// Makes the plugin of an instance from its configuration as JSON.
pub type Init<T> = fn(&str) -> Result<T, String>;

/// Makes a plugin with the author's function; its error is what the operator reads.
///
/// A plugin without such a function does not pay for the code that reads JSON.
pub fn configured<T, E: Display>(
    config: &str,
    init: impl FnOnce(&Config) -> Result<T, E>,
) -> Result<T, String> {
    let config = Config::from_json(config).map_err(|error| error.to_string())?;
    init(&config).map_err(|error| error.to_string())
}
