//! Everything end to end, in one binary: one link, and one pair of servers for all who share it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod auth;
mod auth_accounts;
mod auth_methods;
mod bad_input;
mod change_user;
mod clients;
mod compression;
mod copy_on_read;
mod cursors;
mod failures;
mod harness;
mod load;
mod model;
#[cfg(feature = "mysql9")]
mod mysql9;
mod noise;
mod operations;
mod plugins;
mod pool;
mod pool_sharing;
mod postgres;
#[cfg(feature = "postgres18")]
mod postgres18;
mod query_rules;
mod reload;
mod roles;
mod routing;
mod statements;
mod support;
mod tls;
mod tours;
mod trace_id;
mod transaction_pool;
