//! Secrets at rest in memory: encrypted, with a key that lives as long as the process.
//!
//! What leaks of memory (an overflow, a page on disk) is of no use without the key, and what is
//! opened is wiped after use.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;

/// Encrypts and decrypts.
pub(super) struct Seal(LessSafeKey);

/// A secret that only its [`Seal`] opens, and only for the same owner.
pub(super) struct Sealed {
    nonce: [u8; NONCE_LEN],
    ciphertext: Vec<u8>,
}

impl Seal {
    /// With a random key. `None` if the system has no random numbers.
    pub(super) fn new() -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        getrandom::fill(&mut *key).ok()?;
        UnboundKey::new(&AES_256_GCM, &*key).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    pub(super) fn seal(&self, owner: &str, secret: &[u8]) -> Option<Sealed> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        // Where there is room for the tag, nothing is moved and left behind.
        let mut ciphertext = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        ciphertext.extend_from_slice(secret);
        let (owner, unique) = (Aad::from(owner), Nonce::assume_unique_for_key(nonce));
        self.0.seal_in_place_append_tag(unique, owner, &mut ciphertext).ok()?;
        Some(Sealed { nonce, ciphertext })
    }

    pub(super) fn open(&self, owner: &str, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let mut secret = Zeroizing::new(sealed.ciphertext.clone());
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let len = self.0.open_in_place(nonce, Aad::from(owner), &mut secret).ok()?.len();
        secret.truncate(len);
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_hidden_and_comes_back_to_its_owner() {
        let seal = Seal::new().unwrap();
        let sealed = seal.seal("app", b"a secret").unwrap();
        assert!(
            !sealed.ciphertext.windows(3).any(|part| b"a secret".windows(3).any(|p| p == part))
        );
        assert_eq!(seal.open("app", &sealed).unwrap().as_slice(), b"a secret");
        assert!(seal.open("other", &sealed).is_none());
        assert!(Seal::new().unwrap().open("app", &sealed).is_none());
    }
}
