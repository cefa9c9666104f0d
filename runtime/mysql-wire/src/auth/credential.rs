//! What logs in to a server.

use std::fmt;

use zeroize::Zeroizing;

use super::{Method, caching_sha2, ed25519, native_password};
use crate::packet::NONCE_LEN;

/// What proves a user to any server, recovered from the client's own proof or configured.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// The user has no password.
    Empty,
    /// SHA1(password).
    NativeStage1(Zeroizing<[u8; native_password::LEN]>),
    /// SHA256(password). Enough as long as the server remembers the user.
    Sha2Digest1(Zeroizing<[u8; caching_sha2::LEN]>),
    /// SHA512(password), which signs.
    Ed25519(ed25519::Secret),
    Password(Zeroizing<Vec<u8>>),
}

impl Credential {
    /// From a password in clear.
    #[must_use]
    pub fn password(password: &[u8]) -> Self {
        match password {
            b"" => Self::Empty,
            _ => Self::Password(Zeroizing::new(password.to_vec())),
        }
    }

    /// The password, where it is known.
    #[must_use]
    pub fn known_password(&self) -> Option<&[u8]> {
        match self {
            Self::Empty => Some(b""),
            Self::Password(password) => Some(password),
            _ => None,
        }
    }

    /// The proof for a nonce by `mysql_native_password`; `None` if this cannot make one.
    #[must_use]
    pub fn prove_native(&self, nonce: &[u8; NONCE_LEN]) -> Option<Vec<u8>> {
        let prove = |stage1| native_password::prove(stage1, nonce).to_vec();
        match self {
            Self::Empty => Some(Vec::new()),
            Self::NativeStage1(stage1) => Some(prove(stage1)),
            Self::Password(password) => Some(prove(&native_password::stage1(password))),
            Self::Sha2Digest1(_) | Self::Ed25519(_) => None,
        }
    }

    /// The proof for a nonce by `caching_sha2_password`; `None` if this cannot make one.
    #[must_use]
    pub fn prove_sha2(&self, nonce: &[u8; NONCE_LEN]) -> Option<Vec<u8>> {
        let prove = |digest1| caching_sha2::prove(digest1, nonce).to_vec();
        match self {
            Self::Empty => Some(Vec::new()),
            Self::Sha2Digest1(digest1) => Some(prove(digest1)),
            Self::Password(password) => Some(prove(&caching_sha2::digest1(password))),
            Self::NativeStage1(_) | Self::Ed25519(_) => None,
        }
    }

    /// The signature of a nonce by `client_ed25519`; `None` if this cannot make one.
    #[must_use]
    pub fn sign(&self, nonce: &[u8; ed25519::NONCE_LEN]) -> Option<[u8; ed25519::SIGNATURE_LEN]> {
        match self {
            Self::Ed25519(secret) => Some(secret.sign(nonce)),
            _ => {
                let password = self.known_password()?;
                Some(ed25519::Secret::from_password(password).sign(nonce))
            }
        }
    }

    /// The method to begin with at a server that would like `preferred`, and its proof. A method
    /// that would send the password itself is not begun with: perhaps the user has another one.
    #[must_use]
    pub fn begin(&self, preferred: Option<Method>, nonce: &[u8; NONCE_LEN]) -> (Method, Vec<u8>) {
        use Method::{CachingSha2Password, Ed25519, NativePassword, Sha256Password};
        let native = || self.prove_native(nonce).map(|proof| (NativePassword, proof));
        let sha2 = || self.prove_sha2(nonce).map(|proof| (CachingSha2Password, proof));
        let begun = match preferred {
            Some(CachingSha2Password | Sha256Password) => sha2().or_else(native),
            _ => native().or_else(sha2),
        };
        // Its signature needs a longer nonce, which the server sends when it asks for the method.
        begun.unwrap_or((Ed25519, Vec::new()))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::NativeStage1(_) => "NativeStage1(..)",
            Self::Sha2Digest1(_) => "Sha2Digest1(..)",
            Self::Ed25519(_) => "Ed25519(..)",
            Self::Password(_) => "Password(..)",
        })
    }
}
