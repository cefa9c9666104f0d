//! With PostgreSQL behind the proxy.

mod auth;
mod auth_certificates;
mod bad_input;
mod cancellation;
mod carried;
mod clients;
mod failover;
mod failures;
mod harness;
mod load;
mod plugins;
mod pooling;
mod retry;
mod roles;
mod rolled_back;
mod servers;
mod sharing;
mod split;
mod statement_plugins;
mod statements;
mod support;
mod tours;
