//! Passwords encrypted by RSA where there is no TLS: by clients with our key, by us with servers'.
//!
//! It is OAEP with SHA-1, because that is what clients and servers have.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use base64ct::{Base64, Encoding as _};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use thiserror::Error;
use tidegate_config::ServerRsa;
use tracing::error;
use zeroize::Zeroizing;

/// So many characters of Base64 stand on a line of PEM.
const PEM_LINE: usize = 64;

/// What is wrong with a file of keys.
#[derive(Debug, Error)]
pub enum RsaError {
    #[error("{}: {reason}; expected PEM", .path.display())]
    File { path: PathBuf, reason: String },
    #[error("{}: not a private RSA key of 2048 to 8192 bits", .path.display())]
    Private { path: PathBuf },
    #[error("{}: not a public RSA key of 2048 to 8192 bits", .path.display())]
    Public { path: PathBuf },
}

/// Our key, with which clients encrypt their passwords.
pub(crate) struct PasswordKey {
    private: OaepPrivateDecryptingKey,
    public: Arc<str>,
}

impl PasswordKey {
    fn new(private: PrivateDecryptingKey) -> Option<Self> {
        let public = private.public_key().as_der().ok()?;
        let private = OaepPrivateDecryptingKey::new(private).ok()?;
        Some(Self { private, public: pem(public.as_ref()).into() })
    }

    /// Takes a tenth of a second, or several.
    fn generate() -> Option<Self> {
        Self::new(PrivateDecryptingKey::generate(KeySize::Rsa2048).ok()?)
    }

    fn load(path: &Path) -> Result<Self, RsaError> {
        let invalid = || RsaError::Private { path: path.to_owned() };
        let der = PrivateKeyDer::from_pem_file(path).map_err(at(path))?;
        let private = match &der {
            PrivateKeyDer::Pkcs8(der) => {
                PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| invalid())?
            }
            PrivateKeyDer::Pkcs1(der) => {
                let pair = KeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| invalid())?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| invalid())?;
                PrivateDecryptingKey::from_pkcs8(der.as_ref()).map_err(|_| invalid())?
            }
            _ => return Err(invalid()),
        };
        Self::new(private).ok_or_else(invalid)
    }

    /// The public half, in PEM.
    pub(crate) fn public(&self) -> Arc<str> {
        Arc::clone(&self.public)
    }

    /// `None` if it was not encrypted with this key. Takes a millisecond.
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut plaintext = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let len =
            self.private.decrypt(&OAEP_SHA1_MGF1SHA1, ciphertext, &mut plaintext, None).ok()?.len();
        plaintext.truncate(len);
        Some(plaintext)
    }
}

/// A key that is at hand, or being made beside the start of everything else.
#[derive(Clone)]
pub(crate) struct SharedKey(Arc<OnceLock<Option<PasswordKey>>>);

impl SharedKey {
    pub(crate) fn load(path: &Path) -> Result<Self, RsaError> {
        let key = PasswordKey::load(path)?;
        Ok(Self(Arc::new(OnceLock::from(Some(key)))))
    }

    /// Makes one in a thread of its own.
    pub(crate) fn generate() -> Self {
        let shared = Self(Arc::default());
        let slot = Arc::clone(&shared.0);
        std::thread::spawn(move || {
            let key = PasswordKey::generate();
            if key.is_none() {
                error!("no RSA key could be made; clients without TLS cannot send passwords");
            }
            drop(slot.set(key));
        });
        shared
    }

    /// Blocks until it is made.
    pub(crate) fn wait(&self) {
        self.0.wait();
    }

    pub(crate) fn get(&self) -> Option<&PasswordKey> {
        self.0.get()?.as_ref()
    }
}

/// Why a password was not encrypted.
#[derive(Debug, Error)]
pub(crate) enum KeyRefused {
    #[error("what the server sent as its public key is none")]
    Invalid,
    #[error("the server's public key is not among the `rsa.keys` of the upstream")]
    Unknown,
    #[error("the password is too long for the server's public key")]
    TooLong,
}

/// Which keys of servers are trusted.
pub(crate) enum ServerKeys {
    None,
    Pinned(Vec<SubjectPublicKeyInfoDer<'static>>),
    Any,
}

impl ServerKeys {
    pub(crate) fn new(config: &ServerRsa) -> Result<Self, RsaError> {
        let path = match config {
            ServerRsa::Refuse => return Ok(Self::None),
            ServerRsa::Any => return Ok(Self::Any),
            ServerRsa::Pinned(path) => path,
        };
        let keys = SubjectPublicKeyInfoDer::pem_file_iter(path).map_err(at(path))?;
        let keys: Vec<_> = keys.collect::<Result<_, _>>().map_err(at(path))?;
        let valid = |key: &SubjectPublicKeyInfoDer<'_>| PublicEncryptingKey::from_der(key).is_ok();
        if keys.is_empty() || !keys.iter().all(valid) {
            return Err(RsaError::Public { path: path.clone() });
        }
        Ok(Self::Pinned(keys))
    }

    /// Whether servers may be asked for their keys.
    pub(crate) fn may_ask(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Encrypts with the key that a server has sent, in PEM, if it is trusted.
    pub(crate) fn encrypt(&self, key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyRefused> {
        let key = SubjectPublicKeyInfoDer::from_pem_slice(key).map_err(|_| KeyRefused::Invalid)?;
        let trusted = match self {
            Self::None => false,
            Self::Pinned(keys) => keys.contains(&key),
            Self::Any => true,
        };
        if !trusted {
            return Err(KeyRefused::Unknown);
        }
        let key = PublicEncryptingKey::from_der(&key).map_err(|_| KeyRefused::Invalid)?;
        let key = OaepPublicEncryptingKey::new(key).map_err(|_| KeyRefused::Invalid)?;
        let mut ciphertext = vec![0; key.ciphertext_size()];
        key.encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut ciphertext, None)
            .map_err(|_| KeyRefused::TooLong)?;
        Ok(ciphertext)
    }
}

fn at(path: &Path) -> impl Fn(pem::Error) -> RsaError + '_ {
    move |error| RsaError::File { path: path.to_owned(), reason: error.to_string() }
}

fn pem(der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    let mut rest = text.as_str();
    while let Some((line, more)) = rest.split_at_checked(PEM_LINE.min(rest.len()))
        && !line.is_empty()
    {
        pem += line;
        pem.push('\n');
        rest = more;
    }
    pem + "-----END PUBLIC KEY-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> &'static SharedKey {
        static KEY: OnceLock<SharedKey> = OnceLock::new();
        KEY.get_or_init(SharedKey::generate)
    }

    fn key() -> &'static PasswordKey {
        shared().wait();
        shared().get().unwrap()
    }

    #[test]
    fn what_is_encrypted_with_our_key_is_decrypted_with_it() {
        let ciphertext = ServerKeys::Any.encrypt(key().public().as_bytes(), b"secret\0").unwrap();
        assert_eq!(ciphertext.len(), 256);
        assert_eq!(key().decrypt(&ciphertext).unwrap().as_slice(), b"secret\0");
        for wrong in [&b""[..], &ciphertext[1..], &[7; 256], &[7; 65536]] {
            assert!(key().decrypt(wrong).is_none());
        }
    }

    #[test]
    fn keys_have_the_form_of_everybodys() {
        let public = key().public();
        assert!(public.lines().all(|line| line.len() <= 64));
        assert!(public.starts_with("-----BEGIN PUBLIC KEY-----\nMIIB"), "{public}");
        assert!(public.ends_with("-----END PUBLIC KEY-----\n"), "{public}");
    }

    #[test]
    fn only_keys_that_are_trusted_are_used() {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("tidegate-rsa-{}.pem", std::process::id()));
        std::fs::write(&file, &*key().public()).unwrap();
        let pinned = ServerKeys::new(&ServerRsa::Pinned(file.clone())).unwrap();
        assert!(pinned.encrypt(key().public().as_bytes(), b"x").is_ok());
        let other = PasswordKey::generate().unwrap();
        let refused = pinned.encrypt(other.public().as_bytes(), b"x");
        assert!(matches!(refused, Err(KeyRefused::Unknown)));
        for nonsense in [&b""[..], b"-----BEGIN PUBLIC KEY-----", b"\xff"] {
            assert!(matches!(pinned.encrypt(nonsense, b"x"), Err(KeyRefused::Invalid)));
        }
        let long = ServerKeys::Any.encrypt(key().public().as_bytes(), &[1; 300]);
        assert!(matches!(long, Err(KeyRefused::TooLong)));
        assert!(!ServerKeys::None.may_ask() && pinned.may_ask());
        std::fs::write(&file, "no key").unwrap();
        assert!(ServerKeys::new(&ServerRsa::Pinned(file.clone())).is_err());
        assert!(SharedKey::load(&file).is_err());
        std::fs::remove_file(file).unwrap();
    }
}
