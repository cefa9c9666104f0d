//! What logs in to a server.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{md5, scram};

/// What proves a user to any server, recovered from the client's own proof or configured.
#[derive(Clone)]
pub enum Credential {
    /// For servers that ask for nothing, because they trust where we come from or our certificate.
    Nothing,
    /// For every server that stores the password with the same salt.
    Scram(scram::Keys),
    /// For every server that asks for `md5`, and the user of the same name.
    Md5(md5::Hash),
    Password(Zeroizing<Vec<u8>>),
}

impl Credential {
    /// From a password in clear.
    #[must_use]
    pub fn password(password: &[u8]) -> Self {
        Self::Password(Zeroizing::new(password.to_vec()))
    }

    /// The password, where it is known.
    #[must_use]
    pub fn known_password(&self) -> Option<&[u8]> {
        match self {
            Self::Password(password) => Some(password),
            _ => None,
        }
    }

    /// The response to a salt by `md5`; `None` if this cannot make one.
    #[must_use]
    pub fn respond_md5(&self, user: &str, salt: [u8; md5::SALT_LEN]) -> Option<Vec<u8>> {
        match self {
            Self::Md5(hash) => Some(hash.respond(salt)),
            Self::Password(password) => Some(md5::Hash::of_password(password, user).respond(salt)),
            Self::Nothing | Self::Scram(_) => None,
        }
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => true,
            (Self::Scram(keys), Self::Scram(others)) => keys.equals(others),
            (Self::Md5(hash), Self::Md5(other)) => hash.equals(other),
            (Self::Password(password), Self::Password(other)) => password.ct_eq(other).into(),
            _ => false,
        }
    }
}

impl Eq for Credential {}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Scram(_) => "Scram(..)",
            Self::Md5(_) => "Md5(..)",
            Self::Password(_) => "Password(..)",
        })
    }
}
