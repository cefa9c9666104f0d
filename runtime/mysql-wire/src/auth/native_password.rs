//! `mysql_native_password`.
//!
//! ```text
//! stage1 = SHA1(password)      stage2 = SHA1(stage1), which is what servers store
//! proof  = stage1 ⊕ SHA1(nonce ‖ stage2)
//! ```
//!
//! Who holds `stage2` recovers `stage1` from a proof, and with it can make proofs for any nonce.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods_native_password_authentication.html>

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::xor;
use crate::packet::NONCE_LEN;

/// The length of stages and proofs.
pub const LEN: usize = 20;

#[must_use]
pub fn stage1(password: &[u8]) -> Zeroizing<[u8; LEN]> {
    Zeroizing::new(Sha1::digest(password).into())
}

#[must_use]
pub fn stage2(stage1: &[u8; LEN]) -> Zeroizing<[u8; LEN]> {
    Zeroizing::new(Sha1::digest(stage1).into())
}

/// What a client sends for `nonce`.
#[must_use]
pub fn prove(stage1: &[u8; LEN], nonce: &[u8; NONCE_LEN]) -> [u8; LEN] {
    xor(stage1, &mask(nonce, &stage2(stage1)))
}

/// The `stage1` in a proof; `None` if the proof is wrong.
#[must_use]
pub fn recover(
    proof: &[u8],
    nonce: &[u8; NONCE_LEN],
    stage2: &[u8; LEN],
) -> Option<Zeroizing<[u8; LEN]>> {
    let proof = proof.try_into().ok()?;
    let stage1 = Zeroizing::new(xor(proof, &mask(nonce, stage2)));
    let right = self::stage2(&stage1).ct_eq(stage2);
    bool::from(right).then_some(stage1)
}

fn mask(nonce: &[u8; NONCE_LEN], stage2: &[u8; LEN]) -> [u8; LEN] {
    Sha1::new().chain_update(nonce).chain_update(stage2).finalize().into()
}
