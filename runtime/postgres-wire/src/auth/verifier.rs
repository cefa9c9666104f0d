//! What checks a client.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Credential, DecoyKey, Stored, UnusableVerifier, md5, scram};

/// What we hold about a user to check a password.
#[derive(Clone)]
pub enum Verifier {
    /// What servers store, which is enough to log in to them once the client has.
    Stored(Stored),
    /// The password itself, and what clients are checked by; without that, they are asked for the
    /// password.
    Password { password: Zeroizing<Vec<u8>>, stored: Option<Stored> },
    /// Nothing is held: the password is good if a server takes it.
    Server,
    /// The user needs no password: its certificate has proved it, or it is trusted.
    Open,
    /// There is no such user. The client must not notice: it is led through what a user with this
    /// flow goes through, in as much time, and denied.
    Unknown(Flow),
}

/// How a client is led to prove that it knows the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    Scram {
        iterations: u32,
    },
    Md5,
    /// It is asked for it.
    Cleartext,
}

impl Verifier {
    /// From `pg_authid.rolpassword`.
    ///
    /// # Errors
    /// [`UnusableVerifier`] for what no password can match.
    pub fn parse_stored(text: &str) -> Result<Self, UnusableVerifier> {
        Stored::parse(text).map(Self::Stored)
    }

    /// From a password in clear, for clients that are led by `flow`. May take milliseconds. The key
    /// makes the salt, so that it is that of no password but this user's.
    #[must_use]
    pub fn password(password: &[u8], user: &str, flow: Flow, key: &DecoyKey) -> Self {
        let stored = match flow {
            Flow::Scram { iterations } => {
                let salt = scram::made_up_salt(user, key);
                Some(Stored::Scram(scram::Stored::of_password(password, &salt, iterations)))
            }
            Flow::Md5 => Some(Stored::Md5(md5::Hash::of_password(password, user))),
            Flow::Cleartext => None,
        };
        Self::Password { password: Zeroizing::new(password.to_vec()), stored }
    }

    /// From a text that somebody has put down without saying what it is, as in a
    /// [list of users](super::userlist): what servers store, or a password. Nobody logs in with
    /// an empty one.
    #[must_use]
    pub fn parse_unlabelled(text: &str, user: &str, flow: Flow, key: &DecoyKey) -> Self {
        match Stored::parse(text) {
            Ok(stored) => Self::Stored(stored),
            Err(_) if text.is_empty() => Self::Unknown(flow),
            Err(_) => Self::password(text.as_bytes(), user, flow, key),
        }
    }

    /// How clients are led; `None` if they are asked for nothing. An unknown user is best given the
    /// flow of the users that are known.
    #[must_use]
    pub fn flow(&self) -> Option<Flow> {
        match self {
            Self::Stored(stored) | Self::Password { stored: Some(stored), .. } => {
                Some(stored.flow())
            }
            Self::Password { stored: None, .. } | Self::Server => Some(Flow::Cleartext),
            Self::Unknown(flow) => Some(*flow),
            Self::Open => None,
        }
    }

    /// A number that changes with the password, and tells nothing about it to who does not know
    /// the key. `None` if nothing is held.
    #[must_use]
    pub fn stamp(&self, key: &[u8]) -> Option<u64> {
        let of = |kind: u8, parts: &[&[u8]]| {
            let digest = Sha256::new().chain_update(key).chain_update([kind]);
            let digest = parts.iter().fold(digest, |digest, part| digest.chain_update(part));
            let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(digest.finalize());
            Some(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
        };
        match self {
            Self::Stored(Stored::Scram(stored)) => of(1, &stored.as_bytes()),
            Self::Stored(Stored::Md5(hash)) => of(2, &[hash.as_bytes()]),
            Self::Password { password, .. } => of(3, &[password]),
            Self::Server | Self::Open | Self::Unknown(_) => None,
        }
    }

    /// The servers are asked about a password that is not known here.
    pub(crate) fn asks_servers(&self) -> bool {
        matches!(self, Self::Server)
    }

    /// What proofs by SCRAM are checked against. For users that are not stored so, it is what nobody
    /// can prove.
    pub(crate) fn scram(&self, user: &str, key: &DecoyKey) -> scram::Stored {
        let iterations = match self {
            Self::Stored(Stored::Scram(stored))
            | Self::Password { stored: Some(Stored::Scram(stored)), .. } => return stored.clone(),
            Self::Unknown(Flow::Scram { iterations }) => *iterations,
            _ => scram::ITERATIONS_DEFAULT,
        };
        scram::Stored::decoy(user, key, iterations)
    }

    /// What follows from a proof by SCRAM that was right.
    pub(crate) fn proved_by_scram(&self, keys: scram::Keys) -> Option<Credential> {
        match self {
            Self::Stored(Stored::Scram(_)) => Some(Credential::Scram(keys)),
            Self::Password { password, .. } => Some(Credential::Password(password.clone())),
            _ => None,
        }
    }

    /// Checks a response by `md5`. The wrong ones all cost the same.
    pub(crate) fn check_md5(
        &self,
        response: &[u8],
        salt: [u8; md5::SALT_LEN],
    ) -> Option<Credential> {
        let is_by = |hash: &md5::Hash| bool::from(hash.respond(salt).ct_eq(response));
        match self {
            Self::Stored(Stored::Md5(hash)) => is_by(hash).then(|| Credential::Md5(hash.clone())),
            Self::Password { password, stored: Some(Stored::Md5(hash)) } => {
                is_by(hash).then(|| Credential::Password(password.clone()))
            }
            _ => {
                black_box(is_by(&black_box(md5::Hash::of_password(b"", ""))));
                None
            }
        }
    }

    /// Checks a password in clear. Takes milliseconds.
    pub(crate) fn check_password(&self, user: &str, password: &[u8]) -> Option<Credential> {
        let right = match self {
            Self::Stored(stored) => stored.verify(user, password),
            Self::Password { password: known, .. } => {
                Sha256::digest(password).ct_eq(&Sha256::digest(known)).into()
            }
            Self::Server | Self::Open | Self::Unknown(_) => false,
        };
        if right && !password.is_empty() {
            return Some(Credential::password(password));
        }
        if !matches!(self, Self::Stored(Stored::Scram(_))) {
            // Who measures the time of a refusal learns nothing about what is stored.
            let iterations = scram::ITERATIONS_DEFAULT;
            black_box(scram::Stored::of_password(password, &[0; 16], iterations));
        }
        None
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stored(_) => "Stored(..)",
            Self::Password { .. } => "Password(..)",
            Self::Server => "Server",
            Self::Open => "Open",
            Self::Unknown(_) => "Unknown",
        })
    }
}
