//! Small MySQL servers over one SQLite file: a primary and its replicas, without a database to install.
//!
//! They speak the wire protocol as real clients and proxies expect it, know SQLite's SQL and what
//! drivers ask of MySQL, and say who they are: `SELECT @@hostname`. They are for demonstrations; of a server's durability, speed and privileges
//! there is nothing here.

mod mysql;
mod server;
mod socket;
mod sql;
mod store;

pub use server::{Protocol, Role, start};

/// The one database that every server has.
pub const DATABASE: &str = "app";

/// Who may log in, and with what password; all by `mysql_native_password`.
pub const USERS: [(&str, &str); 3] =
    [("app", "apppw"), ("boss", "bosspw"), ("tidegate", "probepw")];

/// The password of a user; `None` if there is no such user.
fn password(user: &str) -> Option<&'static str> {
    USERS.iter().find(|(name, _)| *name == user).map(|(_, password)| *password)
}
