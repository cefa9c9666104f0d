//! Connections to servers: made, lent, taken back, and the servers they lead to.
//!
//! [`policy`], [`health`], [`report`] and [`election`] decide and know nothing of sockets; [`dial`]
//! logs in; [`server`] is one server with its pool; [`upstream`] is a group of them; [`probe`] asks
//! each, and [`watch`] makes of the answers who is the primary, and who may serve reads. [`settings`]
//! and [`statements`] are what a connection has heard and knows.

mod catch_up;
mod dial;
mod election;
mod health;
mod policy;
mod probe;
mod report;
mod server;
mod server_conn;
mod settings;
mod standing;
mod statements;
mod tracking;
mod upstream;
mod watch;

pub(crate) use catch_up::LAST_TRANSACTIONS;
pub(crate) use dial::{DialError, Identity};
pub(crate) use probe::{probe_forever, service};
pub(crate) use server::{Borrower, LAST_INSERT_ID, LeaseError, Leased, Server};
pub(crate) use server_conn::{Rows, ServerConn, ServerLost, write_command};
pub(crate) use settings::{DATABASE, Entry, Missed, Settings, SettingsFull};
pub(crate) use statements::Content;
pub(crate) use upstream::Upstream;
