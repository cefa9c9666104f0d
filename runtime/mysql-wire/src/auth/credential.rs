//! What logs in to a server.

use std::fmt;

use zeroize::Zeroizing;

use super::{Method, caching_sha2, native_password};
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

    /// The proof for `nonce`; `None` if this cannot serve the method.
    #[must_use]
    pub fn prove(&self, method: Method, nonce: &[u8; NONCE_LEN]) -> Option<Vec<u8>> {
        use Method::{CachingSha2Password, NativePassword};
        let native = |stage1| native_password::prove(stage1, nonce).to_vec();
        let sha2 = |digest1| caching_sha2::prove(digest1, nonce).to_vec();
        match (self, method) {
            (Self::Empty, _) => Some(Vec::new()),
            (Self::NativeStage1(stage1), NativePassword) => Some(native(stage1)),
            (Self::Sha2Digest1(digest1), CachingSha2Password) => Some(sha2(digest1)),
            (Self::Password(password), NativePassword) => {
                Some(native(&native_password::stage1(password)))
            }
            (Self::Password(password), CachingSha2Password) => {
                Some(sha2(&caching_sha2::digest1(password)))
            }
            (Self::NativeStage1(_), CachingSha2Password)
            | (Self::Sha2Digest1(_), NativePassword) => None,
        }
    }

    /// The method to begin with at a server that would like `preferred`.
    #[must_use]
    pub fn method(&self, preferred: Option<Method>) -> Method {
        match self {
            Self::NativeStage1(_) => Method::NativePassword,
            Self::Sha2Digest1(_) => Method::CachingSha2Password,
            Self::Empty | Self::Password(_) => preferred.unwrap_or(Method::NativePassword),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::NativeStage1(_) => "NativeStage1(..)",
            Self::Sha2Digest1(_) => "Sha2Digest1(..)",
            Self::Password(_) => "Password(..)",
        })
    }
}
