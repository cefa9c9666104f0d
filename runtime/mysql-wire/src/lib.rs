//! The protocol of MySQL and MariaDB, from bytes to decisions and back.
//!
//! Both sides of it: [`downstream`] plays the server towards clients, [`upstream`] plays the client
//! towards servers. Nothing here knows a socket, a clock or a source of randomness: bytes, and the
//! nonces of a handshake, come in as arguments, and what is to be sent goes out through a buffer.

#![forbid(unsafe_code)]

pub mod auth;
pub mod capabilities;
pub mod command;
pub mod compression;
pub mod downstream;
pub mod error_code;
pub mod frame;
pub mod gtid;
pub mod lenenc;
pub mod packet;
pub mod relay;
pub mod status;
pub mod upstream;

#[cfg(test)]
mod handshake_tests;
