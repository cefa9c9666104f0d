//! What checks a client.

use std::fmt;
use std::hint::black_box;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::sha256_crypt::{self, Sha256Crypt};
use super::{Credential, Method, PASSWORD_LEN_MAX, caching_sha2, native_password};
use crate::packet::NONCE_LEN;

/// What we hold about a user to check a password.
#[derive(Clone)]
pub enum Verifier {
    /// SHA1(SHA1(password)), which MariaDB and MySQL store.
    Native(Zeroizing<[u8; native_password::LEN]>),
    /// SHA256(SHA256(password)).
    Sha2Digest2(Zeroizing<[u8; caching_sha2::LEN]>),
    /// The salted hash that MySQL stores. Every login with it is a full authentication.
    Sha2Crypt(Sha256Crypt),
    /// The password itself. Any method is served with it.
    Password(Zeroizing<Vec<u8>>),
    /// The user logs in without a password.
    Empty,
    /// There is no such user. The client must not notice: it is led through what a user with this
    /// flow goes through, in as much time, and denied.
    Unknown(Flow),
}

/// Which methods a verifier can be used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Native,
    CachingSha2,
    /// Whatever the client begins with.
    Either,
}

/// What is stored about a user is of no use here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableVerifier {
    #[error("the authentication method {method:?} is not supported")]
    Method { method: String },
    /// Its text is not shown: it is nearly a password.
    #[error("what is stored for {method} is not of its form")]
    Malformed { method: &'static str },
}

impl Verifier {
    /// From `*` and 40 hexadecimal digits, as `PASSWORD()` of MariaDB writes it.
    ///
    /// # Errors
    /// [`UnusableVerifier::Malformed`] for anything else.
    pub fn parse_native(text: &str) -> Result<Self, UnusableVerifier> {
        let stage2 = text.strip_prefix('*').and_then(hex);
        let method = Method::NativePassword.name();
        stage2.map(Self::Native).ok_or(UnusableVerifier::Malformed { method })
    }

    /// From 64 hexadecimal digits of SHA256(SHA256(password)).
    ///
    /// # Errors
    /// [`UnusableVerifier::Malformed`] for anything else.
    pub fn parse_sha2_digest2(text: &str) -> Result<Self, UnusableVerifier> {
        let method = Method::CachingSha2Password.name();
        hex(text).map(Self::Sha2Digest2).ok_or(UnusableVerifier::Malformed { method })
    }

    /// From the columns `plugin` and `authentication_string` of `mysql.user`. Without a plugin it
    /// is a native password.
    ///
    /// # Errors
    /// [`UnusableVerifier`] if the method is another one, or its text is not of its form; an
    /// account that nobody may log in to is stored so.
    pub fn parse_stored(plugin: &str, stored: &[u8]) -> Result<Self, UnusableVerifier> {
        let method = match plugin {
            "" => Some(Method::NativePassword),
            _ => Method::from_name(plugin),
        };
        let malformed = |method: Method| UnusableVerifier::Malformed { method: method.name() };
        match method {
            None => Err(UnusableVerifier::Method { method: plugin.to_owned() }),
            Some(_) if stored.is_empty() => Ok(Self::Empty),
            Some(method @ Method::NativePassword) => {
                Self::parse_native(std::str::from_utf8(stored).map_err(|_| malformed(method))?)
            }
            Some(method @ Method::CachingSha2Password) => {
                Sha256Crypt::parse(stored).map(Self::Sha2Crypt).ok_or_else(|| malformed(method))
            }
        }
    }

    /// From a password in clear.
    #[must_use]
    pub fn password(password: &[u8]) -> Self {
        match password {
            b"" => Self::Empty,
            _ => Self::Password(Zeroizing::new(password.to_vec())),
        }
    }

    /// Which methods it can be used with. An unknown user is best given the flow of the users that
    /// are known: `Verifier::Unknown(known.flow())`.
    #[must_use]
    pub fn flow(&self) -> Flow {
        match self {
            Self::Native(_) => Flow::Native,
            Self::Sha2Digest2(_) | Self::Sha2Crypt(_) => Flow::CachingSha2,
            Self::Password(_) | Self::Empty => Flow::Either,
            Self::Unknown(flow) => *flow,
        }
    }

    /// Checks a proof that is not empty. The wrong ones all cost the same.
    pub(crate) fn check_proof(
        &self,
        method: Method,
        proof: &[u8],
        nonce: &[u8; NONCE_LEN],
    ) -> Option<Credential> {
        match method {
            Method::NativePassword => self.check_native(proof, nonce),
            Method::CachingSha2Password => self.check_sha2(proof, nonce),
        }
    }

    /// Checks a password in clear, as full authentication brings it.
    pub(crate) fn check_password(&self, password: &[u8]) -> Option<Credential> {
        let digest2 = caching_sha2::digest2(&caching_sha2::digest1(password));
        let right = match self {
            Self::Sha2Crypt(stored) => stored.verify(password),
            Self::Sha2Digest2(stored) => digest2.ct_eq(&**stored).into(),
            Self::Password(stored) => {
                let stored = caching_sha2::digest2(&caching_sha2::digest1(stored));
                digest2.ct_eq(&*stored).into()
            }
            Self::Native(_) | Self::Empty | Self::Unknown(_) => false,
        };
        if right && password.len() <= PASSWORD_LEN_MAX {
            return Some(Credential::password(password));
        }
        if !matches!(self, Self::Sha2Crypt(_)) {
            // Who measures the time of a refusal learns nothing about what is stored.
            black_box(sha256_crypt::hash(password, &[0; 20], sha256_crypt::DEFAULT_ROUNDS));
        }
        None
    }

    fn check_native(&self, proof: &[u8], nonce: &[u8; NONCE_LEN]) -> Option<Credential> {
        let recover = |stage2| native_password::recover(proof, nonce, stage2);
        match self {
            Self::Native(stage2) => recover(stage2).map(Credential::NativeStage1),
            Self::Password(password) => {
                let stage1 = native_password::stage1(password);
                recover(&native_password::stage2(&stage1))?;
                Some(Credential::Password(password.clone()))
            }
            Self::Unknown(Flow::Either) | Self::Empty => {
                let stage1 = native_password::stage1(black_box(DECOY));
                black_box(recover(&native_password::stage2(&stage1)));
                None
            }
            Self::Unknown(_) | Self::Sha2Digest2(_) | Self::Sha2Crypt(_) => {
                black_box(recover(&black_box([0; native_password::LEN])));
                None
            }
        }
    }

    fn check_sha2(&self, proof: &[u8], nonce: &[u8; NONCE_LEN]) -> Option<Credential> {
        let recover = |digest2| caching_sha2::recover(proof, nonce, digest2);
        match self {
            Self::Sha2Digest2(digest2) => recover(digest2).map(Credential::Sha2Digest1),
            Self::Password(password) => {
                let digest1 = caching_sha2::digest1(password);
                recover(&caching_sha2::digest2(&digest1))?;
                Some(Credential::Password(password.clone()))
            }
            Self::Unknown(Flow::Either) | Self::Empty => {
                let digest1 = caching_sha2::digest1(black_box(DECOY));
                black_box(recover(&caching_sha2::digest2(&digest1)));
                None
            }
            Self::Unknown(_) | Self::Native(_) | Self::Sha2Crypt(_) => {
                black_box(recover(&black_box([0; caching_sha2::LEN])));
                None
            }
        }
    }
}

/// The password of nobody, hashed where there is none to hash. As long as passwords often are.
const DECOY: &[u8] = b"correct horse battery";

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native(_) => "Native(..)",
            Self::Sha2Digest2(_) => "Sha2Digest2(..)",
            Self::Sha2Crypt(_) => "Sha2Crypt(..)",
            Self::Password(_) => "Password(..)",
            Self::Empty => "Empty",
            Self::Unknown(_) => "Unknown",
        })
    }
}

fn hex<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = pair.iter().try_fold(0, |value, digit| {
            char::from(*digit).to_digit(16).map(|digit| value * 16 + digit)
        })?;
        *byte = u8::try_from(pair).ok()?;
    }
    Some(bytes)
}
