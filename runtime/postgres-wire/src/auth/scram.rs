//! SCRAM-SHA-256, the method of PostgreSQL since 14.
//!
//! ```text
//! SaltedPassword = PBKDF2(SASLprep(password), salt, iterations)
//! ClientKey = HMAC(SaltedPassword, "Client Key")      StoredKey = SHA256(ClientKey)
//! ServerKey = HMAC(SaltedPassword, "Server Key")
//! proof     = ClientKey ⊕ HMAC(StoredKey, messages)
//! signature = HMAC(ServerKey, messages)
//! ```
//! A server stores salt, iterations, `StoredKey` and `ServerKey`. A proof gives the `ClientKey` to
//! who has these, and with it anybody can log in to every server that stores the very same.
//!
//! <https://www.rfc-editor.org/rfc/rfc5802>, <https://www.rfc-editor.org/rfc/rfc7677>

pub(crate) mod client;
mod message;
pub(crate) mod server;

use std::fmt;

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{DecoyKey, saslprep, xor};

/// The name of the method.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The same, bound to the certificate of the TLS connection.
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// The length of keys and proofs.
pub const KEY_LEN: usize = 32;

/// Random bytes that each side adds.
pub const NONCE_LEN: usize = 18;

/// As many as servers have by default.
pub const ITERATIONS_DEFAULT: u32 = 4096;

/// More than anybody uses, and some seconds of work: a server that asks for more keeps us busy.
pub const ITERATIONS_MAX: u32 = 10_000_000;

/// Of salts that are made here, as of those that servers make.
const SALT_LEN: usize = 16;

type Key = Zeroizing<[u8; KEY_LEN]>;

/// What a server stores about a password.
#[derive(Clone)]
pub struct Stored {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl Stored {
    /// From `pg_authid.rolpassword`; `None` if it is not of this form.
    #[must_use]
    pub fn parse(stored: &str) -> Option<Self> {
        let parameters = stored.strip_prefix(MECHANISM)?.strip_prefix('$')?;
        let (parameters, keys) = parameters.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let iterations =
            iterations.parse().ok().filter(|count| (1..=ITERATIONS_MAX).contains(count));
        let salt = Base64::decode_vec(salt).ok().filter(|salt| !salt.is_empty());
        Some(Self {
            iterations: iterations?,
            salt: salt?,
            stored_key: decode_key(stored_key)?,
            server_key: decode_key(server_key)?,
        })
    }

    /// What would be stored about this password. Takes milliseconds, as it is meant to.
    #[must_use]
    pub fn of_password(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        Keys::of_password(password, salt, iterations).stored
    }

    /// What nobody has a password for. Clients cannot tell it from what is stored about a user.
    #[must_use]
    pub(super) fn decoy(user: &str, key: &DecoyKey, iterations: u32) -> Self {
        Self {
            iterations,
            salt: made_up_salt(user, key).to_vec(),
            stored_key: hmac(&key.0, &[b"stored key of ", user.as_bytes()]),
            server_key: hmac(&key.0, &[b"server key of ", user.as_bytes()]),
        }
    }

    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Whether it was made from this password. Takes milliseconds.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let made = Self::of_password(password, &self.salt, self.iterations);
        made.stored_key.ct_eq(&*self.stored_key).into()
    }

    /// The keys in a proof; `None` if the proof is wrong.
    fn recover(&self, proof: &[u8; KEY_LEN], messages: &[u8]) -> Option<Keys> {
        let client_key = Zeroizing::new(xor(proof, &hmac(&*self.stored_key, &[messages])));
        let right = Sha256::digest(client_key.as_slice()).ct_eq(&*self.stored_key);
        bool::from(right).then(|| Keys { client_key, stored: self.clone() })
    }

    /// What proves to a client that this is the server.
    fn sign(&self, messages: &[u8]) -> Key {
        hmac(&*self.server_key, &[messages])
    }

    /// All that tells it from others.
    pub(super) fn as_bytes(&self) -> [&[u8]; 3] {
        [&self.salt, &*self.stored_key, &*self.server_key]
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// What logs in to every server that stores the same.
#[derive(Clone)]
pub struct Keys {
    client_key: Key,
    stored: Stored,
}

impl Keys {
    /// Takes milliseconds.
    fn of_password(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let mut salted = Zeroizing::new([0; KEY_LEN]);
        let password = saslprep::prepare(password);
        pbkdf2::pbkdf2_hmac::<Sha256>(&password, salt, iterations, &mut *salted);
        let client_key = hmac(&*salted, &[b"Client Key"]);
        let stored_key = Zeroizing::new(Sha256::digest(client_key.as_slice()).into());
        let server_key = hmac(&*salted, &[b"Server Key"]);
        let stored = Stored { iterations, salt: salt.to_vec(), stored_key, server_key };
        Self { client_key, stored }
    }

    /// Whether they are for a server that stores a password with this salt.
    fn fit(&self, salt: &[u8], iterations: u32) -> bool {
        self.stored.salt == salt && self.stored.iterations == iterations
    }

    fn prove(&self, messages: &[u8]) -> [u8; KEY_LEN] {
        xor(&self.client_key, &hmac(&*self.stored.stored_key, &[messages]))
    }

    pub(super) fn equals(&self, other: &Self) -> bool {
        let same_key = self.client_key.ct_eq(&*other.client_key);
        bool::from(same_key) && self.fit(&other.stored.salt, other.stored.iterations)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// The salt of a user that has none: always the same, or it would tell.
pub(super) fn made_up_salt(user: &str, key: &DecoyKey) -> [u8; SALT_LEN] {
    let mut salt = [0; SALT_LEN];
    let made = hmac(&key.0, &[b"salt of ", user.as_bytes()]);
    salt.copy_from_slice(&made[..SALT_LEN]);
    salt
}

fn decode_key(text: &str) -> Option<Key> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    let len = Base64::decode(text, &mut *key).ok()?.len();
    (len == KEY_LEN).then_some(key)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}
