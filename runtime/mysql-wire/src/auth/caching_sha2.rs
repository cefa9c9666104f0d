//! `caching_sha2_password`.
//!
//! ```text
//! d1 = SHA256(password)      d2 = SHA256(d1)
//! proof = d1 ⊕ SHA256(d2 ‖ nonce)
//! ```
//!
//! The *fast path* is that one proof. A server that does not know `d2`, because it stores a salted
//! hash and the user has not logged in since it started, asks for *full authentication*: the
//! password itself, which is only sent over TLS here. A wrong proof leads there as well, since some
//! drivers hash the nonce before `d2` and always fail on the fast path.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html>

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::xor;
use crate::packet::NONCE_LEN;

/// The length of digests and proofs.
pub const LEN: usize = 32;

/// The server knows the proof to be right.
pub const FAST_PATH_OK: u8 = 3;

/// The server asks for the password.
pub const FULL_AUTHENTICATION: u8 = 4;

#[must_use]
pub fn digest1(password: &[u8]) -> Zeroizing<[u8; LEN]> {
    Zeroizing::new(Sha256::digest(password).into())
}

#[must_use]
pub fn digest2(digest1: &[u8; LEN]) -> Zeroizing<[u8; LEN]> {
    Zeroizing::new(Sha256::digest(digest1).into())
}

/// What a client sends for `nonce`.
#[must_use]
pub fn prove(digest1: &[u8; LEN], nonce: &[u8; NONCE_LEN]) -> [u8; LEN] {
    xor(digest1, &mask(&digest2(digest1), nonce))
}

/// The `d1` in a proof; `None` if the proof is wrong.
#[must_use]
pub fn recover(
    proof: &[u8],
    nonce: &[u8; NONCE_LEN],
    digest2: &[u8; LEN],
) -> Option<Zeroizing<[u8; LEN]>> {
    let proof = proof.try_into().ok()?;
    let digest1 = Zeroizing::new(xor(proof, &mask(digest2, nonce)));
    let right = self::digest2(&digest1).ct_eq(digest2);
    bool::from(right).then_some(digest1)
}

fn mask(digest2: &[u8; LEN], nonce: &[u8; NONCE_LEN]) -> [u8; LEN] {
    Sha256::new().chain_update(digest2).chain_update(nonce).finalize().into()
}
