//! The protocol of PostgreSQL, from bytes to decisions and back.
//!
//! Version 3 of it, with minor versions 0 and 2, and both sides: [`downstream`] plays the server
//! towards clients, [`upstream`] plays the client towards servers. Nothing here knows a socket, a
//! clock or a source of randomness: bytes, and the nonces of a login, come in as arguments, and what
//! is to be sent goes out through a buffer.
//!
//! <https://www.postgresql.org/docs/current/protocol.html>

#![forbid(unsafe_code)]

pub mod auth;
pub mod cancel_key;
pub mod downstream;
pub mod frame;
pub mod message;
pub mod parameters;
pub mod relay;
pub mod sqlstate;
pub mod startup;
mod text;
pub mod upstream;
pub mod version;

#[cfg(test)]
mod login_tests;

/// What every decoder is tried with.
#[cfg(test)]
mod cuts {
    use tidegate_wire::Violation;

    /// Any part of what is decoded must be refused, and nothing may panic.
    pub(crate) fn are_refused<'a, T: std::fmt::Debug>(
        whole: &'a [u8],
        decode: impl Fn(&'a [u8]) -> Result<T, Violation>,
    ) {
        decode(whole).unwrap();
        for cut in 0..whole.len() {
            let decoded = decode(&whole[..cut]);
            assert!(decoded.is_err(), "cut at {cut} of {}: {decoded:?}", whole.len());
        }
    }
}
