//! What a login looks like that has no user behind it.
//!
//! A stranger who tries names must not find out which exist. Users with different methods are asked
//! different things, and so is nobody: by a method that is in use, always the same for a name.

use std::fmt::Debug;
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use crate::locked;

/// Chooses among flows, which are what clients of a protocol are led through.
pub(super) struct Decoys<F> {
    key: [u8; 32],
    flow: F,
    flows: Mutex<Vec<F>>,
}

impl<F: Copy + Debug + PartialEq> Decoys<F> {
    /// `secrets` make the choice one that nobody can foretell, and the same in every process that
    /// has the same configuration. `flow` is for when nothing is known yet.
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>, flow: F) -> Self {
        let mut hash = Sha256::new();
        let mut any = false;
        for secret in secrets.filter(|secret| !secret.is_empty()) {
            hash.update(Sha256::digest(secret));
            any = true;
        }
        let mut key: [u8; 32] = hash.finalize().into();
        if !any && getrandom::fill(&mut key).is_err() {
            tracing::warn!("no random numbers: names of users can be guessed from refusals");
        }
        Self { key, flow, flows: Mutex::default() }
    }

    pub(super) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Notes which flows are in use; none is no news.
    pub(super) fn set(&self, flows: impl IntoIterator<Item = F>) {
        let mut distinct = Vec::new();
        for flow in flows {
            if !distinct.contains(&flow) {
                distinct.push(flow);
            }
        }
        if !distinct.is_empty() {
            *locked(&self.flows) = distinct;
        }
    }

    /// How nobody is led, by this name. When another flow comes into use, few names change theirs.
    pub(super) fn nobody(&self, user: &str) -> F {
        let weight = |flow: &F| -> [u8; 32] {
            let hash = Sha256::new().chain_update(self.key).chain_update(user);
            hash.chain_update(format!("{flow:?}")).finalize().into()
        };
        let flows = locked(&self.flows);
        flows.iter().copied().max_by_key(weight).unwrap_or(self.flow)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_mysql_wire::auth::{Flow, Method};

    use super::*;

    const NATIVE: Flow = Flow::Only(Method::NativePassword);
    const SHA2: Flow = Flow::Only(Method::CachingSha2Password);

    fn flows(decoys: &Decoys<Flow>) -> Vec<Flow> {
        let names = (0..200).map(|number| format!("user{number}"));
        names.map(|name| decoys.nobody(&name)).collect()
    }

    #[test]
    fn nobody_is_asked_what_somebody_is_and_always_the_same() {
        let decoys = Decoys::new([&b"secret"[..]].into_iter(), NATIVE);
        assert!(flows(&decoys).iter().all(|flow| *flow == NATIVE));
        decoys.set([NATIVE, SHA2, SHA2]);
        let before = flows(&decoys);
        let natives = before.iter().filter(|flow| **flow == NATIVE).count();
        assert!((60..140).contains(&natives), "{natives} of 200");
        assert_eq!(flows(&decoys), before);
        decoys.set([]);
        assert_eq!(flows(&decoys), before);
        decoys.set([Flow::Any, NATIVE, SHA2]);
        let kept = flows(&decoys).iter().zip(&before).filter(|(now, then)| now == then).count();
        assert!(kept > 100, "{kept} of 200");
    }

    #[test]
    fn the_choice_is_that_of_the_secrets() {
        let choice = |secret: &'static [u8]| {
            let decoys = Decoys::new([secret].into_iter(), NATIVE);
            decoys.set([NATIVE, SHA2]);
            flows(&decoys)
        };
        assert_eq!(choice(b"one"), choice(b"one"));
        assert_ne!(choice(b"one"), choice(b"two"));
        assert_ne!(choice(b""), choice(b""), "without a secret it is random");
    }
}
