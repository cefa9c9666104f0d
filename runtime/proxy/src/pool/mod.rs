//! Connections to servers: made, lent, taken back, and the servers they lead to.
//!
//! [`policy`] and [`health`] decide and know nothing of sockets; [`dial`] logs in; [`server`] is
//! one server with its pool; [`upstream`] is a group of them; [`probe`] watches them.

mod dial;
mod health;
mod policy;
mod probe;
mod server;
mod server_conn;
mod upstream;

pub(crate) use dial::{DialError, Identity};
pub(crate) use probe::{probe_forever, service};
pub(crate) use server::Server;
pub(crate) use server::{LeaseError, Leased};
pub(crate) use server_conn::{Rows, ServerConn, ServerLost, write_command};
pub(crate) use upstream::Upstream;
