//! The harness of the end-to-end tests: real servers, the real binary, real clients.
//!
//! Everything runs on loopback, on ports that were free, in folders that a later run sweeps away,
//! and ends with the process that started it, even if that is killed.

pub mod admin;
pub mod certificates;
pub mod clients;
mod nursery;
pub mod plugins;
mod ports;
pub mod raw;
pub mod raw_postgres;
mod scratch;
pub mod server;
pub mod setup;
pub mod tap;
pub mod tidegate;
pub mod wait;

pub use admin::Admin;
pub use ports::free_port;
pub use scratch::Scratch;
pub use server::{MariaDb, MariaDbPair, MySql, MySqlPair, Postgres, Postgres18, PostgresPair};
pub use setup::Setup;
pub use tap::Tap;
pub use tidegate::Tidegate;
pub use wait::{PATIENCE, wait_for, wait_until};
