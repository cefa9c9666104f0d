//! What servers store that nothing but the password itself can be checked against.

use super::ed25519::PublicKey;
use super::parsec::Stored;
use super::sha256_crypt::Sha256Crypt;
use super::sha512_pbkdf2::Sha512Pbkdf2;
use super::{Method, PASSWORD_LEN_MAX};

/// A salted hash, or a public key: what a client could prove with it would log in to no server.
/// So the client is asked for the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hash {
    /// For `caching_sha2_password`.
    Crypt(Sha256Crypt),
    /// For the same.
    Pbkdf2(Sha512Pbkdf2),
    /// For `sha256_password`.
    Sha256(Sha256Crypt),
    Ed25519(PublicKey),
    Parsec(Stored),
}

impl Hash {
    /// How the client is asked for the password. Nearly every client knows full authentication by
    /// `caching_sha2_password`, and sends no password in clear for it.
    #[must_use]
    pub fn method(&self) -> Method {
        match self {
            Self::Sha256(_) => Method::Sha256Password,
            _ => Method::CachingSha2Password,
        }
    }

    /// Whether it was made from this password. May take milliseconds.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let right = match self {
            Self::Crypt(crypt) | Self::Sha256(crypt) => crypt.verify(password),
            Self::Pbkdf2(pbkdf2) => pbkdf2.verify(password),
            Self::Ed25519(key) => key.verify_password(password),
            Self::Parsec(stored) => stored.verify_password(password),
        };
        right && password.len() <= PASSWORD_LEN_MAX
    }

    /// All that tells it from others.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Crypt(crypt) | Self::Sha256(crypt) => crypt.as_bytes().concat(),
            Self::Pbkdf2(pbkdf2) => pbkdf2.as_bytes().concat(),
            Self::Ed25519(key) => key.as_bytes().to_vec(),
            Self::Parsec(stored) => stored.as_bytes(),
        }
    }
}
