//! What checks a client.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    Credential, Hash, Method, PASSWORD_LEN_MAX, caching_sha2, ed25519, native_password, parsec,
    sha256_crypt,
};
use crate::packet::NONCE_LEN;

/// What we hold about a user to check a password.
#[derive(Clone)]
pub enum Verifier {
    /// SHA1(SHA1(password)), which MariaDB and MySQL store.
    Native(Zeroizing<[u8; native_password::LEN]>),
    /// SHA256(SHA256(password)).
    Sha2Digest2(Zeroizing<[u8; caching_sha2::LEN]>),
    /// What nothing but the password itself can be checked against.
    Hash(Hash),
    /// The same, with the password that was found to match it. To a client whose password does not,
    /// it looks like [`Self::Hash`].
    Learned { hash: Hash, password: Zeroizing<Vec<u8>> },
    /// SHA512(password), which checks signatures by `client_ed25519`, and makes them.
    Ed25519(ed25519::Secret),
    /// The password itself. Any method is served with it; which one, the flow says.
    Password { password: Zeroizing<Vec<u8>>, flow: Flow },
    /// Whatever matches one of these: users of MariaDB may have several methods, those of MySQL two
    /// passwords.
    Several(Vec<Self>),
    /// Nothing is held: the password is good if a server takes it.
    Server,
    /// The user logs in without a password.
    Empty,
    /// There is no such user. The client must not notice: it is led through what a user with this
    /// flow goes through, in as much time, and denied.
    Unknown(Flow),
}

/// Which method a client is led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    Only(Method),
    /// Whatever the client begins with.
    Any,
}

/// A signature, and what it must be of.
#[derive(Clone, Debug)]
pub(crate) enum Signed {
    Ed25519 {
        nonce: [u8; ed25519::NONCE_LEN],
        signature: [u8; ed25519::SIGNATURE_LEN],
    },
    Parsec {
        parameters: parsec::Parameters,
        nonce: [u8; parsec::NONCE_LEN],
        proof: [u8; parsec::PROOF_LEN],
    },
}

impl Signed {
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Ed25519 { .. } => Method::Ed25519,
            Self::Parsec { .. } => Method::Parsec,
        }
    }

    fn is_by_password(&self, password: &[u8]) -> bool {
        match self {
            Self::Ed25519 { nonce, signature } => {
                let public = ed25519::Secret::from_password(password).public_key();
                public.verify(nonce, signature)
            }
            Self::Parsec { parameters, nonce, proof } => parameters.verify(password, nonce, proof),
        }
    }
}

impl Verifier {
    /// From a password in clear.
    #[must_use]
    pub fn password(password: &[u8]) -> Self {
        Self::password_by(password, Flow::Any)
    }

    /// From a password in clear, for clients that are led to one method.
    #[must_use]
    pub fn password_by(password: &[u8], flow: Flow) -> Self {
        match password {
            b"" => Self::Empty,
            _ => Self::Password { password: Zeroizing::new(password.to_vec()), flow },
        }
    }

    /// Of several, each of which lets the user in. `None` for none at all.
    #[must_use]
    pub fn several(mut verifiers: Vec<Self>) -> Option<Self> {
        match verifiers.len() {
            0 | 1 => verifiers.pop(),
            _ => Some(Self::Several(verifiers)),
        }
    }

    /// Which method clients are led to. An unknown user is best given the flow of the users that
    /// are known: `Verifier::Unknown(known.flow())`.
    #[must_use]
    pub fn flow(&self) -> Flow {
        match self {
            Self::Native(_) => Flow::Only(Method::NativePassword),
            Self::Sha2Digest2(_) => Flow::Only(Method::CachingSha2Password),
            Self::Hash(hash) | Self::Learned { hash, .. } => Flow::Only(hash.method()),
            Self::Ed25519(_) => Flow::Only(Method::Ed25519),
            Self::Server => Flow::Only(Method::ClearPassword),
            Self::Several(verifiers) => common_flow(verifiers),
            Self::Empty => Flow::Any,
            Self::Password { flow, .. } | Self::Unknown(flow) => *flow,
        }
    }

    /// A number that changes with the password, and tells nothing about it to who does not know
    /// the key. `None` if nothing is held.
    #[must_use]
    pub fn stamp(&self, key: &[u8]) -> Option<u64> {
        let of = |kind: u8, bytes: &[u8]| {
            let digest = Sha256::new().chain_update(key).chain_update([kind]).chain_update(bytes);
            let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(digest.finalize());
            Some(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
        };
        match self {
            Self::Native(stage2) => of(1, &**stage2),
            Self::Sha2Digest2(digest2) => of(2, &**digest2),
            Self::Hash(hash) | Self::Learned { hash, .. } => of(3, &hash.to_bytes()),
            Self::Ed25519(secret) => of(4, secret.as_bytes()),
            Self::Password { password, .. } => of(5, password),
            Self::Several(verifiers) => {
                let stamps = verifiers.iter().filter_map(|verifier| verifier.stamp(key));
                Some(stamps.fold(0, u64::wrapping_add))
            }
            Self::Empty => Some(0),
            Self::Server | Self::Unknown(_) => None,
        }
    }

    /// The user may log in without a password.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Several(verifiers) => verifiers.iter().any(Self::is_open),
            _ => false,
        }
    }

    /// The servers are asked about a password that nothing here matches. They are about nobody's,
    /// too, where that is the custom: only so does it take as long.
    pub(crate) fn asks_servers(&self) -> bool {
        match self {
            Self::Server | Self::Unknown(Flow::Only(Method::ClearPassword)) => true,
            Self::Several(verifiers) => verifiers.iter().any(Self::asks_servers),
            _ => false,
        }
    }

    /// Checks a proof by `mysql_native_password` that is not empty. The wrong ones all cost the
    /// same.
    pub(crate) fn check_native(&self, proof: &[u8], nonce: &[u8; NONCE_LEN]) -> Option<Credential> {
        let recover = |stage2: &_| native_password::recover(proof, nonce, stage2);
        let by_password = |password: &[u8]| {
            recover(&*native_password::stage2(&native_password::stage1(password)))
        };
        match self {
            Self::Native(stage2) => recover(stage2).map(Credential::NativeStage1),
            Self::Password { password, .. } | Self::Learned { password, .. } => {
                by_password(password).map(|_| Credential::Password(password.clone()))
            }
            Self::Several(verifiers) => {
                verifiers.iter().find_map(|verifier| verifier.check_native(proof, nonce))
            }
            Self::Unknown(Flow::Any) | Self::Empty => {
                black_box(by_password(black_box(DECOY)));
                None
            }
            _ => {
                black_box(recover(&black_box([0; native_password::LEN])));
                None
            }
        }
    }

    /// Checks a proof by `caching_sha2_password` that is not empty.
    pub(crate) fn check_sha2(&self, proof: &[u8], nonce: &[u8; NONCE_LEN]) -> Option<Credential> {
        let recover = |digest2: &_| caching_sha2::recover(proof, nonce, digest2);
        let by_password =
            |password: &[u8]| recover(&*caching_sha2::digest2(&caching_sha2::digest1(password)));
        match self {
            Self::Sha2Digest2(digest2) => recover(digest2).map(Credential::Sha2Digest1),
            Self::Password { password, .. } | Self::Learned { password, .. } => {
                by_password(password).map(|_| Credential::Password(password.clone()))
            }
            Self::Several(verifiers) => {
                verifiers.iter().find_map(|verifier| verifier.check_sha2(proof, nonce))
            }
            // As much work as with a password that was learned, of which there may be one.
            _ => {
                black_box(by_password(black_box(DECOY)));
                None
            }
        }
    }

    /// Checks a signature. May take a millisecond.
    pub(crate) fn check_signature(&self, signed: &Signed) -> Option<Credential> {
        match (self, signed) {
            (Self::Ed25519(secret), Signed::Ed25519 { nonce, signature }) => {
                let right = secret.public_key().verify(nonce, signature);
                right.then(|| Credential::Ed25519(secret.clone()))
            }
            (Self::Password { password, .. } | Self::Learned { password, .. }, _) => {
                signed.is_by_password(password).then(|| Credential::Password(password.clone()))
            }
            (Self::Empty, _) => signed.is_by_password(b"").then_some(Credential::Empty),
            (Self::Several(verifiers), _) => {
                verifiers.iter().find_map(|verifier| verifier.check_signature(signed))
            }
            _ => {
                black_box(signed.is_by_password(black_box(DECOY)));
                None
            }
        }
    }

    /// Checks a password in clear, as full authentication brings it. May take milliseconds.
    pub(crate) fn check_password(&self, password: &[u8]) -> Option<Credential> {
        // No client can send a NUL, and to some hashes those at the end make no difference.
        let possible = password.len() <= PASSWORD_LEN_MAX && !password.contains(&0);
        if self.matches(password) && possible {
            return Some(Credential::password(password));
        }
        if !self.hashes_slowly() {
            // Who measures the time of a refusal learns nothing about what is stored.
            black_box(sha256_crypt::hash(password, &[0; 20], sha256_crypt::DEFAULT_ROUNDS));
        }
        None
    }

    fn matches(&self, password: &[u8]) -> bool {
        let digest2 = |password: &[u8]| caching_sha2::digest2(&caching_sha2::digest1(password));
        let equals = |stored: &[u8]| bool::from(digest2(password).ct_eq(&*digest2(stored)));
        match self {
            Self::Native(stored) => {
                let stage2 = native_password::stage2(&native_password::stage1(password));
                stage2.ct_eq(&**stored).into()
            }
            Self::Sha2Digest2(stored) => digest2(password).ct_eq(&**stored).into(),
            Self::Hash(hash) => hash.verify(password),
            // What is wrong takes as long as if it had not been learned.
            Self::Learned { hash, password: learned } => equals(learned) || hash.verify(password),
            Self::Ed25519(secret) => ed25519::Secret::from_password(password).equals(secret),
            Self::Password { password: stored, .. } => equals(stored),
            Self::Several(verifiers) => verifiers.iter().any(|one| one.matches(password)),
            Self::Empty => password.is_empty(),
            Self::Server | Self::Unknown(_) => false,
        }
    }

    fn hashes_slowly(&self) -> bool {
        match self {
            Self::Hash(hash) | Self::Learned { hash, .. } => !matches!(hash, Hash::Ed25519(_)),
            Self::Several(verifiers) => verifiers.iter().any(Self::hashes_slowly),
            _ => false,
        }
    }
}

/// The method that all of them have; else, full authentication brings the password, which can be
/// checked against any.
fn common_flow(verifiers: &[Verifier]) -> Flow {
    let mut flows = verifiers.iter().map(Verifier::flow);
    let first = flows.next().unwrap_or(Flow::Any);
    match flows.all(|flow| flow == first) {
        true => first,
        false => Flow::Only(Method::CachingSha2Password),
    }
}

/// The password of nobody, hashed where there is none to hash. As long as passwords often are.
const DECOY: &[u8] = b"correct horse battery";

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native(_) => "Native(..)",
            Self::Sha2Digest2(_) => "Sha2Digest2(..)",
            Self::Hash(_) => "Hash(..)",
            Self::Learned { .. } => "Learned(..)",
            Self::Ed25519(_) => "Ed25519(..)",
            Self::Password { .. } => "Password(..)",
            Self::Several(_) => "Several(..)",
            Self::Server => "Server",
            Self::Empty => "Empty",
            Self::Unknown(_) => "Unknown",
        })
    }
}
