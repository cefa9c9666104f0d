//! With MySQL 9 behind the proxy; `cargo xtask mysql9` installs it and runs these.

mod auth;
mod auth_methods;
mod clients;
mod harness;
mod roles;
mod sessions;
