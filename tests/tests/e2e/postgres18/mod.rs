//! With PostgreSQL 18 behind the proxy; `cargo xtask postgres18` installs it and runs these.

mod clients;
mod direct_tls;
mod harness;
