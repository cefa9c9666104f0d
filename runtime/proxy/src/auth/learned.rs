//! Passwords that clients have shown in a full authentication.
//!
//! From the salted hash that MySQL stores, no login by digest can be checked. Once a client has
//! sent its password over TLS and it matched, it is kept in memory, zeroed when dropped, for as
//! long as the stored hash is the same: later logins take the short way.

use std::collections::HashMap;
use std::sync::Mutex;

use tidegate_mysql_wire::auth::sha256_crypt::Sha256Crypt;
use tidegate_mysql_wire::auth::{Credential, Verifier};
use zeroize::Zeroizing;

use crate::locked;

/// No more users than this are remembered.
const USERS_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Learned(Mutex<HashMap<String, Shown>>);

struct Shown {
    stored: Sha256Crypt,
    password: Zeroizing<Vec<u8>>,
}

impl Learned {
    /// The password of a user in the place of its stored hash, if it was shown for this hash.
    pub(super) fn recall(&self, user: &str, verifier: Verifier) -> Verifier {
        let Verifier::Sha2Crypt(stored) = &verifier else {
            return verifier;
        };
        let shown = locked(&self.0);
        match shown.get(user).filter(|shown| shown.stored == *stored) {
            Some(shown) => Verifier::Password(shown.password.clone()),
            None => verifier,
        }
    }

    /// Takes note of a login that has succeeded with this verifier.
    pub(super) fn learn(&self, user: &str, verifier: &Verifier, credential: &Credential) {
        let (Verifier::Sha2Crypt(stored), Credential::Password(password)) = (verifier, credential)
        else {
            return;
        };
        let mut shown = locked(&self.0);
        if shown.len() >= USERS_MAX {
            shown.clear();
        }
        let entry = Shown { stored: stored.clone(), password: password.clone() };
        shown.insert(user.to_owned(), entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(fill: u8) -> Verifier {
        let text = [b"$A$005$".to_vec(), vec![fill; 20], vec![b'a'; 43]].concat();
        Verifier::parse_stored("caching_sha2_password", &text).unwrap()
    }

    #[test]
    fn a_password_is_recalled_until_the_stored_hash_changes() {
        let learned = Learned::default();
        let is_password = |verifier| matches!(verifier, Verifier::Password(_));
        assert!(!is_password(learned.recall("app", stored(1))));
        learned.learn("app", &stored(1), &Credential::password(b"secret"));
        assert!(is_password(learned.recall("app", stored(1))));
        assert!(!is_password(learned.recall("app", stored(2))));
        assert!(!is_password(learned.recall("other", stored(1))));
    }
}
