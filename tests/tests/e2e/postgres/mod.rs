//! With PostgreSQL behind the proxy.

mod clients;
mod harness;
mod support;
mod tours;
