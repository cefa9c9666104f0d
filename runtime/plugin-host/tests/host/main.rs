//! The plugin host with real plugins: the fixtures of `tests/plugins`.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod background;
mod caching;
mod failures;
mod harness;
mod hooks;
mod loading;
mod log;
mod reload;
mod sandbox;
