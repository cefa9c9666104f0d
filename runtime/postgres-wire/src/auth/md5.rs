//! `md5`, the older method of PostgreSQL.
//!
//! ```text
//! stored   = "md5" ‖ hex(MD5(password ‖ user))
//! response = "md5" ‖ hex(MD5(hex digits of stored ‖ salt))
//! ```
//! What is stored is enough to log in with: it is as secret as a password.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>

use std::fmt;

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The salt of a login, which the server chooses.
pub const SALT_LEN: usize = 4;

const PREFIX: &str = "md5";

/// 16 bytes in hexadecimal digits.
const DIGITS: usize = 32;

/// The hash of a password and the name of its user, in hexadecimal digits.
#[derive(Clone)]
pub struct Hash(Zeroizing<[u8; DIGITS]>);

impl Hash {
    /// From `pg_authid.rolpassword`; `None` if it is not of this form.
    #[must_use]
    pub fn parse(stored: &str) -> Option<Self> {
        let digits: [u8; DIGITS] = stored.strip_prefix(PREFIX)?.as_bytes().try_into().ok()?;
        let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        digits.iter().all(is_digit).then(|| Self(Zeroizing::new(digits)))
    }

    #[must_use]
    pub fn of_password(password: &[u8], user: &str) -> Self {
        Self(hex_digest(&[password, user.as_bytes()]))
    }

    /// What a client answers to a salt.
    #[must_use]
    pub fn respond(&self, salt: [u8; SALT_LEN]) -> Vec<u8> {
        [PREFIX.as_bytes(), hex_digest(&[&*self.0, &salt]).as_slice()].concat()
    }

    pub(super) fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &*self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

fn hex_digest(parts: &[&[u8]]) -> Zeroizing<[u8; DIGITS]> {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    let digest = Zeroizing::new(<[u8; DIGITS / 2]>::from(hash.finalize()));
    let nibble = |at: usize| match at % 2 {
        0 => digest[at / 2] >> 4,
        _ => digest[at / 2] & 0xf,
    };
    Zeroizing::new(std::array::from_fn(|at| match nibble(at) {
        digit @ 0..=9 => b'0' + digit,
        letter => b'a' + (letter - 10),
    }))
}
