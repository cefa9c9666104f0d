//! With PostgreSQL behind the proxy.

mod harness;
