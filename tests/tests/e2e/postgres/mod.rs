//! With PostgreSQL behind the proxy.

mod auth;
mod auth_certificates;
mod bad_input;
mod cancellation;
mod carried;
pub(crate) mod clients;
mod failover;
mod failures;
mod harness;
mod large_objects;
mod load;
mod plugins;
mod pooling;
mod replication;
mod retry;
mod roles;
mod rolled_back;
mod servers;
mod sharing;
mod split;
mod statement_plugins;
mod statements;
mod support;
pub(crate) mod tours;
