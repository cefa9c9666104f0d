//! What servers store of passwords.

use super::{Flow, md5, scram};

/// `pg_authid.rolpassword`, in one of its forms.
#[derive(Clone, Debug)]
pub enum Stored {
    /// `SCRAM-SHA-256$…`
    Scram(scram::Stored),
    /// `md5…`
    Md5(md5::Hash),
}

/// What is stored about a user is of no use here. Its text is not shown: it is nearly a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "what is stored for a password has neither the form `SCRAM-SHA-256$iterations:salt$key:key` nor \
     `md5` and 32 digits"
)]
pub struct UnusableVerifier;

impl Stored {
    /// # Errors
    /// [`UnusableVerifier`] for anything else; a user whom nobody may log in as can be stored so.
    pub fn parse(text: &str) -> Result<Self, UnusableVerifier> {
        let scram = scram::Stored::parse(text).map(Self::Scram);
        scram.or_else(|| md5::Hash::parse(text).map(Self::Md5)).ok_or(UnusableVerifier)
    }

    /// How clients are led to prove that they know the password.
    #[must_use]
    pub fn flow(&self) -> Flow {
        match self {
            Self::Scram(stored) => Flow::Scram { iterations: stored.iterations() },
            Self::Md5(_) => Flow::Md5,
        }
    }

    /// Whether it was made from this password. May take milliseconds.
    pub(super) fn verify(&self, user: &str, password: &[u8]) -> bool {
        match self {
            Self::Scram(stored) => stored.verify(password),
            Self::Md5(hash) => md5::Hash::of_password(password, user).equals(hash),
        }
    }
}
