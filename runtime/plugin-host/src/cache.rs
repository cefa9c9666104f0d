//! Decisions that a plugin allowed to be reused, of one plugin on one worker.
//!
//! A decision is reused only for the same digest, identity (listener, user, database), session
//! state and statement traits, and within what the plugin said: any text, the same text, or the
//! same session. So a plugin may look at the session's state and still allow reuse.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use tidegate_hook::SessionContext;

use crate::decision::{Decision, Reuse, Scope};
use crate::request::Request;

/// Beyond this, what has expired is dropped, and then everything.
const ENTRIES_MAX: usize = 4096;

/// The cache. It holds nothing, and costs nothing, until a plugin allows reuse.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: HashMap<Key, Entry, Seed>,
    /// The scopes that some entry has had, so that no other is looked for.
    scopes: Vec<Scope>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    digest: u64,
    identity: u64,
    /// The text's fingerprint or the session's number; 0 where any will do.
    within: u64,
    /// Session state, statement traits, scope.
    flags: u32,
}

#[derive(Debug)]
struct Entry {
    decision: Decision,
    expires_ms: u64,
}

impl Cache {
    /// A decision that holds for this statement.
    pub(crate) fn get(
        &self,
        session: &SessionContext,
        request: &mut Request<'_>,
        now_ms: u64,
    ) -> Option<&Decision> {
        self.scopes.iter().find_map(|scope| {
            let key = Key::new(*scope, session, request)?;
            let entry = self.entries.get(&key)?;
            (now_ms < entry.expires_ms).then_some(&entry.decision)
        })
    }

    /// Keeps a decision.
    pub(crate) fn put(
        &mut self,
        reuse: Reuse,
        session: &SessionContext,
        request: &mut Request<'_>,
        decision: &Decision,
        now_ms: u64,
    ) {
        let Some(key) = Key::new(reuse.scope, session, request) else {
            return;
        };
        if self.entries.len() >= ENTRIES_MAX {
            self.make_room(now_ms);
        }
        if !self.scopes.contains(&reuse.scope) {
            self.scopes.push(reuse.scope);
        }
        let expires_ms = now_ms.saturating_add(reuse.ms.into());
        self.entries.insert(key, Entry { decision: decision.clone(), expires_ms });
    }

    fn make_room(&mut self, now_ms: u64) {
        self.entries.retain(|_, entry| now_ms < entry.expires_ms);
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.clear();
        }
    }
}

impl Key {
    /// `None` if nothing may be reused for this statement: its digest or its text is not the whole.
    fn new(scope: Scope, session: &SessionContext, request: &mut Request<'_>) -> Option<Self> {
        let (number, within, whole) = match scope {
            Scope::User => (1, 0, request.is_whole()),
            Scope::Session => (2, session.id, request.is_whole()),
            Scope::UserAndText if !request.text_is_whole() => return None,
            Scope::UserAndText => (3, request.fingerprint(), true),
        };
        let state = u32::from(session.state.bits());
        let traits = u32::from(request.traits().bits());
        let flags = number << 16 | traits << 8 | state;
        whole.then_some(Self {
            digest: request.digest,
            identity: session.identity(),
            within,
            flags,
        })
    }
}

impl Hash for Key {
    /// The identity and the fingerprint of a text are as good as random, so that the parts can be
    /// taken together before they are hashed.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
        let flags = u64::from(self.flags).rotate_left(40);
        state.write_u64(self.identity ^ self.within.rotate_left(17) ^ flags);
    }
}

/// Starts each hash with a number that clients cannot know, so that they cannot fill one bucket.
#[derive(Clone, Debug)]
struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0_u64) | 1)
    }
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { seed: self.0, hash: self.0 }
    }
}

/// Multiplies and folds: quick for a few whole numbers, which is all that a key is.
struct Folded {
    seed: u64,
    hash: u64,
}

impl Hasher for Folded {
    fn write_u64(&mut self, number: u64) {
        let product =
            u128::from(self.hash ^ number) * u128::from(self.seed ^ 0x9e37_79b9_7f4a_7c15);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        let (low, high) = (product as u64, (product >> 64) as u64);
        self.hash = low ^ high;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use tidegate_hook::{SessionState, Statement, StatementTraits, TEXT_MAX};
    use tidegate_sql::Kind;

    use super::*;

    fn session(id: u64, user: &str) -> SessionContext {
        let mut session = SessionContext::default();
        session.id = id;
        session.user = user.into();
        session.refresh_identity();
        session
    }

    fn request(text: &str, digest: u64) -> Request<'_> {
        let (bytes, traits) = (text.as_bytes(), StatementTraits::empty());
        Request::new(&Statement { bytes, kind: Kind::Read, traits, digest, attributes: &[] })
    }

    fn filled(scope: Scope) -> Cache {
        let mut cache = Cache::default();
        let reuse = Reuse { scope, ms: 100 };
        let decision = Decision::default();
        cache.put(reuse, &session(1, "ann"), &mut request("SELECT 1", 7), &decision, 1000);
        cache
    }

    fn hits(cache: &Cache, session: &SessionContext, text: &str, digest: u64, now: u64) -> bool {
        cache.get(session, &mut request(text, digest), now).is_some()
    }

    #[test]
    fn a_decision_lasts_as_long_as_it_may() {
        let cache = filled(Scope::User);
        assert!(hits(&cache, &session(1, "ann"), "SELECT 1", 7, 1099));
        assert!(!hits(&cache, &session(1, "ann"), "SELECT 1", 7, 1100));
    }

    #[test]
    fn each_scope_holds_what_it_says() {
        let other_text = |scope| hits(&filled(scope), &session(1, "ann"), "SELECT 2", 7, 1000);
        let other_session = |scope| hits(&filled(scope), &session(2, "ann"), "SELECT 1", 7, 1000);
        assert!(other_text(Scope::User) && other_session(Scope::User));
        assert!(!other_text(Scope::UserAndText) && other_session(Scope::UserAndText));
        assert!(other_text(Scope::Session) && !other_session(Scope::Session));
    }

    #[test]
    fn digest_user_and_state_always_count() {
        for scope in [Scope::User, Scope::UserAndText, Scope::Session] {
            let cache = filled(scope);
            assert!(hits(&cache, &session(1, "ann"), "SELECT 1", 7, 1000), "{scope:?}");
            assert!(!hits(&cache, &session(1, "ann"), "SELECT 1", 8, 1000), "{scope:?}");
            assert!(!hits(&cache, &session(1, "bob"), "SELECT 1", 7, 1000), "{scope:?}");
            let mut in_transaction = session(1, "ann");
            in_transaction.state = SessionState::IN_TRANSACTION;
            assert!(!hits(&cache, &in_transaction, "SELECT 1", 7, 1000), "{scope:?}");
        }
    }

    #[test]
    fn what_is_not_whole_is_not_reused() {
        let long = "x".repeat(TEXT_MAX + 1);
        let ann = session(1, "ann");
        let mut cache = Cache::default();
        for scope in [Scope::UserAndText, Scope::User] {
            let reuse = Reuse { scope, ms: 100 };
            let mut part = Request::new(&Statement {
                bytes: b"SELECT 1",
                kind: Kind::Read,
                traits: StatementTraits::TRUNCATED,
                digest: 7,
                attributes: &[],
            });
            cache.put(reuse, &ann, &mut part, &Decision::default(), 0);
            assert!(cache.get(&ann, &mut part, 0).is_none(), "{scope:?}");
        }
        let text = Reuse { scope: Scope::UserAndText, ms: 100 };
        cache.put(text, &ann, &mut request(&long, 7), &Decision::default(), 0);
        assert!(cache.entries.is_empty());
    }

    #[test]
    fn it_is_bounded() {
        let mut cache = Cache::default();
        let ann = session(1, "ann");
        for digest in 0..20_000 {
            let reuse = Reuse { scope: Scope::User, ms: 100 };
            cache.put(reuse, &ann, &mut request("", digest), &Decision::default(), digest / 1000);
            assert!(cache.entries.len() <= ENTRIES_MAX);
        }
        assert!(hits(&cache, &ann, "", 19_999, 19));
    }
}
