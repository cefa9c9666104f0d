//! The other salted hash that MySQL stores for `caching_sha2_password`, since 9.4.
//!
//! PBKDF2 with HMAC-SHA-512: `$B$00A$`, where the digits are hexadecimal thousands of rounds, a salt
//! of 20 bytes that may be any, and 64 bytes of digest in Base64.
//!
//! <https://dev.mysql.com/doc/refman/9.7/en/caching-sha2-pluggable-authentication.html>

use std::fmt;

use base64ct::{Base64, Encoding as _};
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::PASSWORD_LEN_MAX;
use super::sha256_crypt::{SALT_LEN, parse_head};

const DIGEST_LEN: usize = 64;

/// A stored hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Sha512Pbkdf2 {
    salt: [u8; SALT_LEN],
    rounds: u32,
    digest: [u8; DIGEST_LEN],
}

impl Sha512Pbkdf2 {
    /// From `authentication_string` of `mysql.user`; `None` if it is not of this form.
    #[must_use]
    pub fn parse(stored: &[u8]) -> Option<Self> {
        let (rounds, salt, encoded) = parse_head(stored, b"$B$")?;
        let mut digest = [0; DIGEST_LEN];
        let len = Base64::decode(encoded, &mut digest).ok()?.len();
        (len == DIGEST_LEN).then_some(Self { salt: *salt, rounds, digest })
    }

    /// Whether it was made from this password. Takes milliseconds, as it is meant to.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let mut digest = Zeroizing::new([0; DIGEST_LEN]);
        pbkdf2::pbkdf2_hmac::<Sha512>(password, &self.salt, self.rounds, &mut *digest);
        bool::from(digest.ct_eq(&self.digest)) && password.len() <= PASSWORD_LEN_MAX
    }

    pub(super) fn as_bytes(&self) -> [&[u8]; 2] {
        [&self.salt, &self.digest]
    }
}

impl fmt::Debug for Sha512Pbkdf2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha512Pbkdf2").field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

impl Drop for Sha512Pbkdf2 {
    fn drop(&mut self) {
        self.salt.zeroize();
        self.digest.zeroize();
    }
}
