//! Passwords that clients have shown in a full authentication.
//!
//! From the salted hashes and public keys that servers store, no login by digest can be checked, and
//! none at a server be made. Once a client has sent its password, encrypted, and it matched, it is
//! kept sealed in memory for as long as the stored hash is the same: later logins take the short way.

use std::collections::HashMap;
use std::sync::Mutex;

use tidegate_mysql_wire::auth::{Credential, Hash, Verifier};

use super::seal::{Seal, Sealed};
use crate::locked;

/// No more users than this are remembered.
const USERS_MAX: usize = 10_000;

pub(super) struct Learned {
    /// `None` where there are no random numbers: then nothing is remembered.
    seal: Option<Seal>,
    shown: Mutex<HashMap<String, Shown>>,
}

struct Shown {
    hash: Hash,
    password: Sealed,
}

impl Learned {
    pub(super) fn new() -> Self {
        Self { seal: Seal::new(), shown: Mutex::default() }
    }

    /// Puts the password of a user beside its stored hash, if it was shown for this hash.
    pub(super) fn recall(&self, user: &str, verifier: Verifier) -> Verifier {
        match verifier {
            Verifier::Hash(hash) => self.recall_one(user, hash),
            Verifier::Several(several) => {
                let recalled = several.into_iter().map(|verifier| self.recall(user, verifier));
                Verifier::Several(recalled.collect())
            }
            other => other,
        }
    }

    fn recall_one(&self, user: &str, hash: Hash) -> Verifier {
        let shown = locked(&self.shown);
        let shown = shown.get(user).filter(|shown| shown.hash == hash);
        let seal = self.seal.as_ref();
        match shown.zip(seal).and_then(|(shown, seal)| seal.open(user, &shown.password)) {
            Some(password) => Verifier::Learned { hash, password },
            None => Verifier::Hash(hash),
        }
    }

    /// Takes note of a login that has succeeded with this verifier. Where there are several hashes,
    /// it takes milliseconds to find out whose password it was.
    pub(super) fn learn(&self, user: &str, verifier: &Verifier, credential: &Credential) {
        let (Some(seal), Credential::Password(password)) = (&self.seal, credential) else {
            return;
        };
        let hash = match verifier {
            Verifier::Hash(hash) => Some(hash),
            Verifier::Several(several) => several.iter().find_map(|verifier| match verifier {
                Verifier::Hash(hash) if hash.verify(password) => Some(hash),
                _ => None,
            }),
            _ => None,
        };
        let Some((hash, password)) = hash.zip(seal.seal(user, password)) else {
            return;
        };
        let mut shown = locked(&self.shown);
        if shown.len() >= USERS_MAX {
            shown.clear();
        }
        shown.insert(user.to_owned(), Shown { hash: hash.clone(), password });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(fill: u8) -> Verifier {
        let text = [b"$A$005$".to_vec(), vec![fill; 20], vec![b'a'; 43]].concat();
        Verifier::parse_stored("caching_sha2_password", &text).unwrap()
    }

    fn password(verifier: &Verifier) -> Option<&[u8]> {
        match verifier {
            Verifier::Learned { password, .. } => Some(password),
            Verifier::Several(several) => several.iter().find_map(password),
            _ => None,
        }
    }

    #[test]
    fn a_password_is_recalled_until_the_stored_hash_changes() {
        let learned = Learned::new();
        let recalled = |user, verifier| learned.recall(user, verifier);
        assert_eq!(password(&recalled("app", stored(1))), None);
        learned.learn("app", &stored(1), &Credential::password(b"secret"));
        assert_eq!(password(&recalled("app", stored(1))), Some(&b"secret"[..]));
        assert_eq!(password(&recalled("app", stored(2))), None);
        assert_eq!(password(&recalled("other", stored(1))), None);
        let two = Verifier::Several(vec![stored(2), stored(1)]);
        assert_eq!(password(&recalled("app", two)), Some(&b"secret"[..]));
    }

    #[test]
    fn of_several_hashes_the_one_that_matches_is_learned() {
        let ed25519 = b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";
        let ed25519 = Verifier::parse_stored("ed25519", ed25519).unwrap();
        let two = Verifier::Several(vec![stored(1), ed25519.clone()]);
        let learned = Learned::new();
        learned.learn("app", &two, &Credential::password(b"secret"));
        assert_eq!(password(&learned.recall("app", ed25519)), Some(&b"secret"[..]));
        assert_eq!(password(&learned.recall("app", stored(1))), None);
    }
}
