//! The prepared statements that a server knows on one connection, by their content, so that
//! sessions share them.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

/// Keyed by chance: clients choose what is hashed.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The texts that one connection keeps prepared are not longer than this together.
const BYTES_MAX: usize = 4 << 20;

/// What makes two prepared statements the same.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) text: Arc<[u8]>,
    /// The settings under which it was prepared, as far as they shape its meaning.
    pub(crate) shape: u64,
    /// Tells statements of the same text apart.
    pub(crate) copy: u64,
    hash: u64,
}

impl Content {
    pub(crate) fn new(text: Arc<[u8]>, shape: u64, copy: u64) -> Self {
        let hash = HASHER.hash_one((&*text, shape, copy));
        Self { text, shape, copy, hash }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.shape == other.shape
            && self.copy == other.copy
            && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
    }
}

/// A statement as the server knows it.
#[derive(Debug)]
pub(crate) struct Known<T> {
    content: Content,
    pub(crate) id: u32,
    /// What the protocol wants to remember of it.
    pub(crate) told: T,
    /// The server holds long data or a cursor of it, so it must not be closed.
    pub(crate) busy: bool,
    used: u64,
}

/// The contents' hashes are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// All that one connection has prepared.
#[derive(Debug, Default)]
pub(crate) struct Statements<T> {
    known: HashMap<u64, Known<T>, BuildHasherDefault<Hashed>>,
    bytes: usize,
    clock: u64,
}

impl<T: Default> Statements<T> {
    pub(crate) fn get(&mut self, content: &Content) -> Option<&mut Known<T>> {
        self.clock += 1;
        let known = self.known.get_mut(&content.hash)?;
        if known.content != *content {
            return None;
        }
        known.used = self.clock;
        Some(known)
    }

    /// Notes the number that the server has given a statement. Returns the numbers of those that
    /// must be closed for it: one of the same content, or the longest unused beyond `max`.
    pub(crate) fn insert(&mut self, content: Content, id: u32, max: usize) -> Vec<u32> {
        self.clock += 1;
        self.bytes += content.text.len();
        let (hash, used) = (content.hash, self.clock);
        let known = Known { content, id, told: T::default(), busy: false, used };
        let replaced = self.known.insert(hash, known);
        let mut closed = Vec::new();
        if let Some(replaced) = replaced {
            self.bytes -= replaced.content.text.len();
            closed.push(replaced.id);
        }
        while self.known.len() > max.max(1) || self.bytes > BYTES_MAX {
            match self.longest_unused(hash).and_then(|hash| self.take(hash)) {
                Some(id) => closed.push(id),
                None => break,
            }
        }
        closed
    }

    /// Forgets a statement, and answers the number to close.
    pub(crate) fn remove(&mut self, content: &Content) -> Option<u32> {
        let known = self.known.get(&content.hash)?;
        if known.content != *content {
            return None;
        }
        self.take(content.hash)
    }

    /// Forgets the one that was used last the longest ago: the server can hold no more.
    pub(crate) fn evict(&mut self) -> Option<u32> {
        let hash = self.longest_unused(0)?;
        self.take(hash)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn longest_unused(&self, but: u64) -> Option<u64> {
        let free = self.known.iter().filter(|(hash, known)| !known.busy && **hash != but);
        free.min_by_key(|(_, known)| known.used).map(|(hash, _)| *hash)
    }

    fn take(&mut self, hash: u64) -> Option<u32> {
        let known = self.known.remove(&hash)?;
        self.bytes -= known.content.text.len();
        Some(known.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str, shape: u64) -> Content {
        Content::new(text.as_bytes().into(), shape, 0)
    }

    #[test]
    fn statements_are_the_same_by_text_and_shape() {
        let mut statements = Statements::<()>::default();
        assert!(statements.insert(content("SELECT ?", 1), 7, 10).is_empty());
        assert_eq!(statements.get(&content("SELECT ?", 1)).unwrap().id, 7);
        assert!(statements.get(&content("SELECT ?", 2)).is_none());
        assert_eq!(statements.insert(content("SELECT ?", 1), 8, 10), [7]);
        assert_eq!(statements.remove(&content("SELECT ?", 1)), Some(8));
        assert_eq!(statements.bytes, 0);
    }

    #[test]
    fn the_longest_unused_is_closed_but_never_a_busy_one() {
        let mut statements = Statements::<()>::default();
        for (id, text) in [(1, "a"), (2, "b"), (3, "c")] {
            assert!(statements.insert(content(text, 0), id, 3).is_empty());
        }
        statements.get(&content("a", 0)).unwrap().busy = true;
        statements.get(&content("b", 0)).unwrap();
        statements.get(&content("c", 0)).unwrap();
        assert_eq!(statements.insert(content("d", 0), 4, 3), [2]);
        assert_eq!(statements.insert(content(&"x".repeat(BYTES_MAX), 0), 5, 9), [3, 4]);
        assert_eq!(statements.evict(), Some(5));
        assert_eq!(statements.evict(), None);
    }
}
