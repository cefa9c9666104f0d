//! From what servers, files and people write down about a user to what checks it.

use zeroize::Zeroizing;

use super::ed25519::{self, PublicKey};
use super::parsec::Stored;
use super::sha256_crypt::Sha256Crypt;
use super::sha512_pbkdf2::Sha512Pbkdf2;
use super::{Hash, Method, Verifier};

/// Methods of servers that take no password that we could pass on: the client proves itself by who
/// it is on its machine, by a ticket, or by a key in hardware.
const WITHOUT_PASSWORD: [&str; 14] = [
    "auth_socket",
    "authentication_fido",
    "authentication_kerberos",
    "authentication_ldap_sasl",
    "authentication_oci",
    "authentication_openid_connect",
    "authentication_webauthn",
    "authentication_windows",
    "gssapi",
    "mysql_no_login",
    "mysql_old_password",
    "named_pipe",
    "unix_socket",
    "windows_auth",
];

/// What is stored about a user is of no use here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableVerifier {
    #[error("the authentication method {method:?} takes no password")]
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
        stage2.map(Self::Native).ok_or_else(|| malformed(Method::NativePassword.name()))
    }

    /// From 64 hexadecimal digits of SHA256(SHA256(password)).
    ///
    /// # Errors
    /// [`UnusableVerifier::Malformed`] for anything else.
    pub fn parse_sha2_digest2(text: &str) -> Result<Self, UnusableVerifier> {
        let digest2 = hex(text).map(Self::Sha2Digest2);
        digest2.ok_or_else(|| malformed(Method::CachingSha2Password.name()))
    }

    /// From 128 hexadecimal digits of SHA512(password), which signs by `client_ed25519`.
    ///
    /// # Errors
    /// [`UnusableVerifier::Malformed`] for anything else.
    pub fn parse_ed25519_secret(text: &str) -> Result<Self, UnusableVerifier> {
        let secret = hex(text).map(|hash| Self::Ed25519(ed25519::Secret::new(hash)));
        secret.ok_or_else(|| malformed(Method::Ed25519.name()))
    }

    /// From the columns `plugin` and `authentication_string` of `mysql.user`, or what stands for
    /// them in `mysql.global_priv`. Without a plugin it is a native password. A method that is not
    /// known takes a password, for all we know, and the server checks it.
    ///
    /// # Errors
    /// [`UnusableVerifier`] if the method takes no password, or its text is not of its form; an
    /// account that nobody may log in to is stored so.
    pub fn parse_stored(plugin: &str, stored: &[u8]) -> Result<Self, UnusableVerifier> {
        let hash =
            |hash: Option<Hash>, method| hash.map(Self::Hash).ok_or_else(|| malformed(method));
        match plugin {
            _ if WITHOUT_PASSWORD.contains(&plugin) => {
                Err(UnusableVerifier::Method { method: plugin.to_owned() })
            }
            "" | "mysql_native_password" | "caching_sha2_password" | "sha256_password"
                if stored.is_empty() =>
            {
                Ok(Self::Empty)
            }
            "" | "mysql_native_password" => {
                Self::parse_native(std::str::from_utf8(stored).unwrap_or_default())
            }
            "caching_sha2_password" => {
                let crypt = Sha256Crypt::parse(stored).map(Hash::Crypt);
                let pbkdf2 = || Sha512Pbkdf2::parse(stored).map(Hash::Pbkdf2);
                hash(crypt.or_else(pbkdf2), "caching_sha2_password")
            }
            "sha256_password" => {
                let crypt = Sha256Crypt::parse_sha256_password(stored).map(Hash::Sha256);
                hash(crypt, "sha256_password")
            }
            "ed25519" => hash(PublicKey::parse(stored).map(Hash::Ed25519), "ed25519"),
            "parsec" => hash(Stored::parse(stored).map(Hash::Parsec), "parsec"),
            _ => Ok(Self::Server),
        }
    }

    /// From a text that somebody has put down without its method, which its form tells.
    ///
    /// # Errors
    /// [`UnusableVerifier::Malformed`] if it is of no form that is known.
    pub fn parse_unlabelled(text: &str) -> Result<Self, UnusableVerifier> {
        const SECRET_DIGITS: usize = 2 * ed25519::SECRET_LEN;
        let plugin = match text.as_bytes() {
            [b'*', ..] => "mysql_native_password",
            [b'$', b'5', b'$', ..] => "sha256_password",
            [b'$', ..] => "caching_sha2_password",
            [b'P', _, b':', ..] => "parsec",
            digits if digits.len() == SECRET_DIGITS => return Self::parse_ed25519_secret(text),
            _ => "ed25519",
        };
        Self::parse_stored(plugin, text.as_bytes())
    }
}

fn malformed(method: &'static str) -> UnusableVerifier {
    UnusableVerifier::Malformed { method }
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
