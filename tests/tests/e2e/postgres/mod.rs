//! With PostgreSQL behind the proxy.

mod auth;
mod auth_certificates;
mod bad_input;
mod cancellation;
mod clients;
mod failures;
mod harness;
mod statements;
mod support;
mod tours;
