//! Connections to servers: made, lent, taken back, and the servers they lead to.
//!
//! [`policy`], [`health`], [`report`] and [`election`] decide and know nothing of sockets; [`dial`]
//! reaches a server; [`server`] is one server with its pool, [`leased`] a connection of it on loan;
//! [`upstream`] is a group of servers; [`probe`] asks each, and [`watch`] makes of the answers who is the
//! primary, and who may serve reads. [`mysql`] and [`postgres`] are what differs between protocols.

mod dial;
mod election;
mod health;
mod leased;
pub(crate) mod mysql;
mod policy;
pub(crate) mod postgres;
mod probe;
mod report;
mod server;
mod standing;
mod statements;
mod upstream;
mod watch;

pub(crate) use dial::{DialError, Route, ServerLost};
pub(crate) use leased::Leased;
pub(crate) use probe::probe_forever;
pub(crate) use report::Report;
pub(crate) use server::{Borrower, LeaseError, Server};
pub(crate) use statements::{Content, Statements};
pub(crate) use upstream::Upstream;
