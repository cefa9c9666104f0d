//! `client_ed25519` of MariaDB.
//!
//! ```text
//! secret = SHA512(password)       its halves are what Ed25519 would make of a seed: a scalar, a prefix
//! public key = scalar · B         which servers store
//! proof = Ed25519 signature of the nonce
//! ```
//!
//! Nobody gets the scalar out of signatures, so who holds the public key checks clients, and cannot
//! log in anywhere.
//!
//! <https://mariadb.com/kb/en/authentication-plugin-ed25519/>

use std::fmt;

use base64ct::{Base64Unpadded, Encoding as _};
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub const NONCE_LEN: usize = 32;

pub const SIGNATURE_LEN: usize = 64;

/// Scalar and prefix.
pub const SECRET_LEN: usize = 64;

const PUBLIC_LEN: usize = 32;

/// What signs in the place of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; SECRET_LEN]>);

impl Secret {
    /// From SHA512(password).
    #[must_use]
    pub fn new(hash: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self(hash)
    }

    #[must_use]
    pub fn from_password(password: &[u8]) -> Self {
        Self(Zeroizing::new(Sha512::digest(password).into()))
    }

    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let key = ExpandedSecretKey::from_bytes(&self.0);
        raw_sign::<Sha512>(&key, message, &VerifyingKey::from(&key)).to_bytes()
    }

    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let key = ExpandedSecretKey::from_bytes(&self.0);
        PublicKey(VerifyingKey::from(&key).to_bytes())
    }

    /// Whether both come from the same password.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &*self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What servers store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC_LEN]);

impl PublicKey {
    /// From Base64 without padding, as `mysql.global_priv` has it.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut key = [0; PUBLIC_LEN];
        let len = Base64Unpadded::decode(text, &mut key).ok()?.len();
        (len == PUBLIC_LEN).then_some(Self(key))
    }

    pub(super) fn new(key: [u8; PUBLIC_LEN]) -> Self {
        Self(key)
    }

    /// Whether the signature is one of this message with this key.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }

    /// Whether the key belongs to this password.
    #[must_use]
    pub fn verify_password(&self, password: &[u8]) -> bool {
        self.0.ct_eq(&Secret::from_password(password).public_key().0).into()
    }

    pub(super) fn as_bytes(&self) -> &[u8; PUBLIC_LEN] {
        &self.0
    }
}

/// It is not secret, but it is nobody's business either.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(..)")
    }
}
