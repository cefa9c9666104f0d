//! The protocol of PostgreSQL, from bytes to decisions and back.
//!
//! Version 3 of it, with minor versions 0 and 2. Nothing here knows a socket, a clock or a source of
//! randomness: bytes come in as arguments, and what is to be sent goes out through a buffer.
//!
//! <https://www.postgresql.org/docs/current/protocol.html>

#![forbid(unsafe_code)]

pub mod cancel_key;
pub mod frame;
pub mod message;
pub mod sqlstate;
pub mod startup;
mod text;
pub mod version;

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
