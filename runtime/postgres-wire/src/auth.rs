//! Proving a password: what we hold about a user, and what logs in to a server as that user.
//!
//! A [`Verifier`] checks a client. What comes out of a successful check is a [`Credential`], which
//! proves the same password to any server that stores it.

mod credential;
pub mod md5;
mod saslprep;
pub mod scram;
mod stored;
pub mod userlist;
mod verifier;

use std::fmt;

pub use credential::Credential;
pub use stored::{Stored, UnusableVerifier};
pub use verifier::{Flow, Verifier};

/// Makes up what clients are told about users of whom no salt is stored. Secret, or it would tell
/// them from others, and the same for as long as clients may compare.
#[derive(Clone)]
pub struct DecoyKey(pub [u8; 32]);

impl fmt::Debug for DecoyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecoyKey(..)")
    }
}

/// `left ⊕ right`.
fn xor<const N: usize>(left: &[u8; N], right: &[u8; N]) -> [u8; N] {
    std::array::from_fn(|at| left[at] ^ right[at])
}

#[cfg(test)]
mod tests;
