//! Small MySQL and PostgreSQL servers over one SQLite file each: a primary and its replicas, without a
//! database to install.
//!
//! They speak the wire protocols as real clients and proxies expect them, know SQLite's SQL and what
//! drivers ask of MySQL or PostgreSQL, and say who they are: `SELECT @@hostname`, or
//! `SHOW cluster_name`. They are for demonstrations; of a server's durability, speed and privileges
//! there is nothing here.

mod mysql;
mod postgres;
mod server;
mod socket;
mod sql;
mod store;

pub use server::{Protocol, Role, start};

/// The one database that every server has.
pub const DATABASE: &str = "app";

/// Who may log in, and with what password; by `mysql_native_password` or by `scram-sha-256`.
pub const USERS: [(&str, &str); 3] =
    [("app", "apppw"), ("boss", "bosspw"), ("tidegate", "probepw")];

/// The password of a user; `None` if there is no such user.
fn password(user: &str) -> Option<&'static str> {
    USERS.iter().find(|(name, _)| *name == user).map(|(_, password)| *password)
}
