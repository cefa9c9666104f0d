//! The salted hash that MySQL stores for `caching_sha2_password` and `sha256_password`.
//!
//! It is SHA-256 crypt as Unix has it, but with a salt of 20 bytes that may be any. For the first
//! method, rounds are written in hexadecimal thousands: `$A$005$`, the salt, then 43 characters of
//! digest. For the second, there are always 5000: `$5$`, the salt, `$`, the digest.
//!
//! <https://www.akkadia.org/drepper/SHA-crypt.txt>

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::PASSWORD_LEN_MAX;

/// The rounds that servers take if they are not told otherwise.
pub const DEFAULT_ROUNDS: u32 = 5000;

const DIGEST_LEN: usize = 32;
const ENCODED_LEN: usize = 43;
pub(super) const SALT_LEN: usize = 20;
const ROUNDS_UNIT: u32 = 1000;

/// The alphabet of `crypt`, which is not that of Base64.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The bytes of the digest in the order in which `crypt` encodes them, three at a time.
const ORDER: [[usize; 3]; 10] = [
    [0, 10, 20],
    [21, 1, 11],
    [12, 22, 2],
    [3, 13, 23],
    [24, 4, 14],
    [15, 25, 5],
    [6, 16, 26],
    [27, 7, 17],
    [18, 28, 8],
    [9, 19, 29],
];

/// A stored hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Sha256Crypt {
    salt: [u8; SALT_LEN],
    rounds: u32,
    encoded: [u8; ENCODED_LEN],
}

impl Sha256Crypt {
    /// From `authentication_string` of a user with `caching_sha2_password`; `None` if it is not of
    /// this form.
    #[must_use]
    pub fn parse(stored: &[u8]) -> Option<Self> {
        let (rounds, salt, encoded) = parse_head(stored, b"$A$")?;
        Self::new(salt, rounds, encoded)
    }

    /// The same of a user with `sha256_password`.
    #[must_use]
    pub fn parse_sha256_password(stored: &[u8]) -> Option<Self> {
        let (salt, rest) = stored.strip_prefix(b"$5$")?.split_first_chunk()?;
        Self::new(salt, DEFAULT_ROUNDS, rest.strip_prefix(b"$")?)
    }

    fn new(salt: &[u8; SALT_LEN], rounds: u32, encoded: &[u8]) -> Option<Self> {
        let encoded: &[u8; ENCODED_LEN] = encoded.try_into().ok()?;
        let valid = encoded.iter().all(|byte| ALPHABET.contains(byte));
        valid.then_some(Self { salt: *salt, rounds, encoded: *encoded })
    }

    /// Whether it was made from this password. Takes milliseconds, as it is meant to.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let encoded = hash(password, &self.salt, self.rounds);
        // What the hash does not take is hashed as nothing, in about the same time, and is wrong.
        bool::from(encoded.ct_eq(&self.encoded)) && password.len() <= PASSWORD_LEN_MAX
    }

    pub(super) fn as_bytes(&self) -> [&[u8]; 2] {
        [&self.salt, &self.encoded]
    }
}

/// Rounds, salt, and what follows: the kind, three digits, `$`, the salt.
pub(super) fn parse_head<'a>(
    stored: &'a [u8],
    kind: &[u8],
) -> Option<(u32, &'a [u8; SALT_LEN], &'a [u8])> {
    let (rounds, stored) = stored.strip_prefix(kind)?.split_first_chunk::<3>()?;
    let rounds = u32::from_str_radix(std::str::from_utf8(rounds).ok()?, 16).ok()?;
    let (salt, rest) = stored.strip_prefix(b"$")?.split_first_chunk()?;
    (rounds > 0).then_some((rounds * ROUNDS_UNIT, salt, rest))
}

impl fmt::Debug for Sha256Crypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256Crypt").field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

impl Drop for Sha256Crypt {
    fn drop(&mut self) {
        self.salt.zeroize();
        self.encoded.zeroize();
    }
}

/// The digest of a password as `crypt` encodes it. One that is too long counts as empty.
#[must_use]
pub fn hash(password: &[u8], salt: &[u8], rounds: u32) -> [u8; ENCODED_LEN] {
    let password = if password.len() > PASSWORD_LEN_MAX { b"" } else { password };
    let mut digest = start(password, salt);
    let p = repeat_to(password.len(), &repeated(password, password.len()));
    let s = repeat_to(salt.len(), &repeated(salt, 16 + usize::from(digest[0])));
    for round in 0..rounds {
        let odd = round % 2 == 1;
        let mut next = Sha256::new();
        next.update(if odd { &p[..] } else { &digest[..] });
        if round % 3 != 0 {
            next.update(&s);
        }
        if round % 7 != 0 {
            next.update(&p);
        }
        next.update(if odd { &digest[..] } else { &p[..] });
        *digest = next.finalize().into();
    }
    encode(&digest)
}

/// Digest A of the description, which has digest B in it.
fn start(password: &[u8], salt: &[u8]) -> Zeroizing<[u8; DIGEST_LEN]> {
    let b = Sha256::new().chain_update(password).chain_update(salt).chain_update(password);
    let b: Zeroizing<[u8; DIGEST_LEN]> = Zeroizing::new(b.finalize().into());
    let mut a = Sha256::new().chain_update(password).chain_update(salt);
    a.update(repeat_to(password.len(), &b));
    let mut bits = password.len();
    while bits > 0 {
        a.update(if bits % 2 == 1 { &b[..] } else { password });
        bits /= 2;
    }
    Zeroizing::new(a.finalize().into())
}

/// The digest of `bytes`, `times` over.
fn repeated(bytes: &[u8], times: usize) -> Zeroizing<[u8; DIGEST_LEN]> {
    let mut digest = Sha256::new();
    for _ in 0..times {
        digest.update(bytes);
    }
    Zeroizing::new(digest.finalize().into())
}

/// `digest` again and again until there are `len` bytes.
fn repeat_to(len: usize, digest: &[u8; DIGEST_LEN]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(digest.iter().copied().cycle().take(len).collect())
}

fn encode(digest: &[u8; DIGEST_LEN]) -> [u8; ENCODED_LEN] {
    let groups = ORDER.iter().map(|[a, b, c]| [digest[*a], digest[*b], digest[*c]]);
    // Two bytes remain, which make three characters.
    let groups = groups.chain([[0, digest[31], digest[30]]]);
    let mut encoded = [0; ENCODED_LEN];
    for (slots, [a, b, c]) in encoded.chunks_mut(4).zip(groups) {
        let mut bits = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        for slot in slots {
            *slot = ALPHABET[bits % 64];
            bits /= 64;
        }
    }
    encoded
}
