//! Connections to servers: made, lent, taken back, and the servers they lead to.
//!
//! [`policy`] and [`health`] decide and know nothing of sockets; [`dial`] logs in; [`server`] is
//! one server with its pool; [`upstream`] is a group of them; [`probe`] watches them. [`settings`]
//! and [`statements`] are what a connection has heard and knows.

mod dial;
mod health;
mod policy;
mod probe;
mod server;
mod server_conn;
mod settings;
mod statements;
mod upstream;

pub(crate) use dial::{DialError, Identity};
pub(crate) use probe::{probe_forever, service};
pub(crate) use server::{LAST_INSERT_ID, LeaseError, Leased, Server};
pub(crate) use server_conn::{Rows, ServerConn, ServerLost, write_command};
pub(crate) use settings::{DATABASE, Entry, Missed, Settings, SettingsFull};
pub(crate) use statements::Content;
pub(crate) use upstream::Upstream;
