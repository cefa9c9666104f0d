//! With PostgreSQL behind the proxy.

mod bad_input;
mod cancellation;
mod clients;
mod failures;
mod harness;
mod statements;
mod support;
mod tours;
