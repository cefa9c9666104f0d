//! `parsec` of MariaDB: Ed25519 as everybody has it, with a key that is made from password and salt.
//!
//! ```text
//! seed = PBKDF2-HMAC-SHA512(password, salt, 1024 · 2^factor)
//! proof = client nonce ‖ signature of (server nonce ‖ client nonce)
//! ```
//!
//! The server tells factor and salt when it is asked, by an empty packet.
//!
//! <https://mariadb.com/kb/en/authentication-plugin-parsec/>

use std::fmt;

use base64ct::{Base64Unpadded, Encoding as _};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::ed25519::{PublicKey, SIGNATURE_LEN};

/// Of the server's and of the client's.
pub const NONCE_LEN: usize = 32;

/// Client nonce and signature.
pub const PROOF_LEN: usize = NONCE_LEN + SIGNATURE_LEN;

const SALT_LEN: usize = 18;

/// `P`, the factor, the salt.
const PARAMETERS_LEN: usize = 2 + SALT_LEN;

/// The only function that keys are made with.
const PBKDF2: u8 = b'P';

/// Servers and clients refuse more: a key would take too long.
const FACTOR_MAX: u8 = 3;

const ROUNDS: u32 = 1024;

const SEED_LEN: usize = 32;

/// How a key is made from a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// At most [`FACTOR_MAX`].
    factor: u8,
    salt: [u8; SALT_LEN],
}

impl Parameters {
    /// For a user whose password is known and who has no salt at any server, or for nobody. They
    /// look like any others, and are the same each time.
    #[must_use]
    pub fn made_up(seed: &[u8], user: &str) -> Self {
        let digest = Sha512::new().chain_update(seed).chain_update(user).finalize();
        let mut salt = [0; SALT_LEN];
        for (byte, random) in salt.iter_mut().zip(digest) {
            *byte = random;
        }
        Self { factor: 0, salt }
    }

    /// What a server answers to the empty packet. `None` if it is not of that form.
    #[must_use]
    pub fn decode(message: &[u8]) -> Option<Self> {
        match *<&[u8; PARAMETERS_LEN]>::try_from(message).ok()? {
            [PBKDF2, factor @ 0..=FACTOR_MAX, ref salt @ ..] => Some(Self { factor, salt: *salt }),
            _ => None,
        }
    }

    #[must_use]
    pub fn encode(&self) -> [u8; PARAMETERS_LEN] {
        let mut message = [0; PARAMETERS_LEN];
        message[..2].copy_from_slice(&[PBKDF2, self.factor]);
        message[2..].copy_from_slice(&self.salt);
        message
    }

    /// Takes a millisecond, or some.
    fn key(&self, password: &[u8]) -> SigningKey {
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        let rounds = ROUNDS << self.factor;
        pbkdf2::pbkdf2_hmac::<Sha512>(password, &self.salt, rounds, &mut *seed);
        SigningKey::from_bytes(&seed)
    }

    /// What a client sends.
    #[must_use]
    pub fn prove(
        &self,
        password: &[u8],
        server: &[u8; NONCE_LEN],
        client: &[u8; NONCE_LEN],
    ) -> [u8; PROOF_LEN] {
        let signature = self.key(password).sign(&signed(server, client)).to_bytes();
        let mut proof = [0; PROOF_LEN];
        proof[..NONCE_LEN].copy_from_slice(client);
        proof[NONCE_LEN..].copy_from_slice(&signature);
        proof
    }

    /// Whether a client's proof is one of this password.
    #[must_use]
    pub fn verify(
        &self,
        password: &[u8],
        server: &[u8; NONCE_LEN],
        proof: &[u8; PROOF_LEN],
    ) -> bool {
        let Some((client, signature)) = proof.split_first_chunk::<NONCE_LEN>() else {
            return false;
        };
        let public = PublicKey::new(self.key(password).verifying_key().to_bytes());
        let signature = signature.first_chunk();
        signature.is_some_and(|signature| public.verify(&signed(server, client), signature))
    }
}

fn signed(server: &[u8; NONCE_LEN], client: &[u8; NONCE_LEN]) -> Vec<u8> {
    [&server[..], client].concat()
}

/// What servers store.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    parameters: Parameters,
    public: PublicKey,
}

impl Stored {
    /// From `P0:salt:key`, where 0 is the factor, and salt and key are Base64 without padding.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = text.split(|byte| *byte == b':');
        let [kind, salt, public] = [fields.next()?, fields.next()?, fields.next()?];
        let &[PBKDF2, factor @ b'0'..=b'9'] = kind else {
            return None;
        };
        let factor = factor - b'0';
        let mut bytes = [0; SALT_LEN];
        let len = Base64Unpadded::decode(salt, &mut bytes).ok()?.len();
        let whole = len == SALT_LEN && factor <= FACTOR_MAX && fields.next().is_none();
        let parameters = Parameters { factor, salt: bytes };
        let public = PublicKey::parse(public)?;
        whole.then_some(Self { parameters, public })
    }

    /// Whether it was made from this password. Takes a millisecond, or some.
    #[must_use]
    pub fn verify_password(&self, password: &[u8]) -> bool {
        let public = self.parameters.key(password).verifying_key();
        public.as_bytes().ct_eq(self.public.as_bytes()).into()
    }

    pub(super) fn as_bytes(&self) -> Vec<u8> {
        [&self.parameters.encode()[..], self.public.as_bytes()].concat()
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("factor", &self.parameters.factor).finish_non_exhaustive()
    }
}
