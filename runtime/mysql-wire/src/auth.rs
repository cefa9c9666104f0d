//! Proving a password: what we hold about a user, and what logs in to a server as that user.
//!
//! A [`Verifier`] checks a client. What comes out of a successful check is a [`Credential`], which
//! proves the same password to any server that stores it.

pub mod caching_sha2;
mod credential;
pub mod ed25519;
mod hash;
pub mod native_password;
pub mod parsec;
pub mod sha256_crypt;
pub mod sha512_pbkdf2;
mod stored;
mod verifier;

pub use credential::Credential;
pub use hash::Hash;
pub use stored::UnusableVerifier;
pub(crate) use verifier::Signed;
pub use verifier::{Flow, Verifier};

/// No longer password is hashed: the cost of one of the hashes grows with the square of its
/// length. In bytes, and the limit of servers too.
pub const PASSWORD_LEN_MAX: usize = 256;

/// The methods that our sides can carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// SHA-1; the default of MariaDB.
    NativePassword,
    /// SHA-256; the default of MySQL since 8.0.
    CachingSha2Password,
    /// The password itself, over TLS or encrypted with the server's key.
    Sha256Password,
    /// A signature of MariaDB's.
    Ed25519,
    /// A signature with a salt; MariaDB since 11.6.
    Parsec,
    /// The password itself, over TLS.
    ClearPassword,
    /// Questions and answers: MariaDB's PAM asks for the password so. Only towards servers.
    Dialog,
}

impl Method {
    const ALL: [Self; 7] = [
        Self::NativePassword,
        Self::CachingSha2Password,
        Self::Sha256Password,
        Self::Ed25519,
        Self::Parsec,
        Self::ClearPassword,
        Self::Dialog,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NativePassword => "mysql_native_password",
            Self::CachingSha2Password => "caching_sha2_password",
            Self::Sha256Password => "sha256_password",
            Self::Ed25519 => "client_ed25519",
            Self::Parsec => "parsec",
            Self::ClearPassword => "mysql_clear_password",
            Self::Dialog => "dialog",
        }
    }

    /// `None` for any other method.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// `left ⊕ right`.
fn xor<const N: usize>(left: &[u8; N], right: &[u8; N]) -> [u8; N] {
    std::array::from_fn(|at| left[at] ^ right[at])
}

#[cfg(test)]
mod tests;
