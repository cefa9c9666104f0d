//! The key-value store of a plugin: shared by its instances, and kept when it is reloaded.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 16;
/// All keys and values of a plugin, in bytes.
const BYTES_MAX: usize = 16 << 20;
const KEYS_MAX: usize = 65_536;
const KEY_BYTES_MAX: usize = 1 << 10;
const VALUE_BYTES_MAX: usize = 1 << 20;
/// What an entry costs beside its key and value.
const ENTRY_OVERHEAD: usize = 64;

/// Why a write was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KvError {
    TooLarge,
    QuotaExceeded,
    /// The stored value is not what the operation needs.
    Unfit(&'static str),
}

/// The store. Every operation is short; keys are spread over several locks.
#[derive(Debug)]
pub(crate) struct Kv {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    used: Used,
}

type Shard = HashMap<Box<str>, Entry>;

#[derive(Debug)]
struct Entry {
    value: Box<[u8]>,
    /// `None`: it stays.
    expires_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Used {
    bytes: AtomicUsize,
    keys: AtomicUsize,
}

impl Default for Kv {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            used: Used::default(),
        }
    }
}

impl Kv {
    /// The value, unless its time is over.
    pub(crate) fn get(&self, key: &str, now_ms: u64) -> Option<Vec<u8>> {
        let shard = self.shard(key);
        shard.get(key).filter(|entry| entry.is_live(now_ms)).map(|entry| entry.value.to_vec())
    }

    /// Stores a value, for `ttl_ms` or for good.
    pub(crate) fn set(
        &self,
        key: &str,
        value: Vec<u8>,
        ttl_ms: Option<u32>,
        now_ms: u64,
    ) -> Result<(), KvError> {
        let expires_ms = ttl_ms.map(|ttl| now_ms.saturating_add(ttl.into()));
        self.put(&mut self.shard(key), key, Entry { value: value.into(), expires_ms }, now_ms)
    }

    /// Forgets a value. Returns whether there was one.
    pub(crate) fn delete(&self, key: &str, now_ms: u64) -> bool {
        let removed = self.shard(key).remove_entry(key);
        removed.is_some_and(|(key, entry)| {
            self.used.release(entry.cost(&key));
            entry.is_live(now_ms)
        })
    }

    /// Adds to a number, kept as decimal text; one that is not there counts as 0. The time to live
    /// is that of the first increment, so that a counter can be a window.
    pub(crate) fn increment(
        &self,
        key: &str,
        delta: i64,
        ttl_ms: Option<u32>,
        now_ms: u64,
    ) -> Result<i64, KvError> {
        let mut shard = self.shard(key);
        let (old, expires_ms) = match shard.get(key).filter(|entry| entry.is_live(now_ms)) {
            Some(entry) => (entry.number()?, entry.expires_ms),
            None => (0, ttl_ms.map(|ttl| now_ms.saturating_add(ttl.into()))),
        };
        let number = old.checked_add(delta).ok_or(KvError::Unfit("the number overflows"))?;
        let value = number.to_string().into_bytes().into();
        self.put(&mut shard, key, Entry { value, expires_ms }, now_ms)?;
        Ok(number)
    }

    /// Stores a value if the present one is as expected (`None`: not there); it keeps its time to
    /// live. Returns whether it did.
    pub(crate) fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Vec<u8>,
        now_ms: u64,
    ) -> Result<bool, KvError> {
        let mut shard = self.shard(key);
        let present = shard.get(key).filter(|entry| entry.is_live(now_ms));
        if present.map(|entry| &*entry.value) != expected {
            return Ok(false);
        }
        let expires_ms = present.and_then(|entry| entry.expires_ms);
        self.put(&mut shard, key, Entry { value: value.into(), expires_ms }, now_ms)?;
        Ok(true)
    }

    /// Frees what has expired.
    pub(crate) fn collect(&self, now_ms: u64) {
        for shard in &self.shards {
            self.purge(&mut lock(shard), now_ms);
        }
    }

    /// How many keys there are, expired ones included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.used.keys.load(Ordering::Relaxed)
    }

    fn put(&self, shard: &mut Shard, key: &str, entry: Entry, now_ms: u64) -> Result<(), KvError> {
        if key.len() > KEY_BYTES_MAX || entry.value.len() > VALUE_BYTES_MAX {
            return Err(KvError::TooLarge);
        }
        let cost = entry.cost(key);
        if !self.used.reserve(cost) {
            self.purge(shard, now_ms);
            if !self.used.reserve(cost) {
                return Err(KvError::QuotaExceeded);
            }
        }
        if let Some(old) = shard.insert(key.into(), entry) {
            self.used.release(old.cost(key));
        }
        Ok(())
    }

    fn purge(&self, shard: &mut Shard, now_ms: u64) {
        shard.retain(|key, entry| {
            let live = entry.is_live(now_ms);
            if !live {
                self.used.release(entry.cost(key));
            }
            live
        });
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let hash = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        let [first, ..] = &self.shards;
        lock(self.shards.get(hash).unwrap_or(first))
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    fn is_live(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|expires| now_ms < expires)
    }

    fn cost(&self, key: &str) -> usize {
        key.len() + self.value.len() + ENTRY_OVERHEAD
    }

    fn number(&self) -> Result<i64, KvError> {
        let text = str::from_utf8(&self.value).ok();
        text.and_then(|text| text.parse().ok()).ok_or(KvError::Unfit("the value is not a number"))
    }
}

impl Used {
    /// Takes room for one more entry, if there is as much.
    fn reserve(&self, bytes: usize) -> bool {
        let fits = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= BYTES_MAX;
        let fits = (self.keys.fetch_add(1, Ordering::Relaxed) < KEYS_MAX) && fits;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.keys.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_expire() {
        let kv = Kv::default();
        kv.set("a", b"1".to_vec(), Some(10), 100).unwrap();
        kv.set("b", b"2".to_vec(), None, 100).unwrap();
        assert_eq!(kv.get("a", 109).as_deref(), Some(&b"1"[..]));
        assert_eq!(kv.get("a", 110), None);
        assert!(!kv.delete("a", 110) && kv.delete("b", 1_000_000));
        assert_eq!(kv.len(), 0);
    }

    #[test]
    fn expired_values_are_freed() {
        let kv = Kv::default();
        for n in 0..100 {
            kv.set(&n.to_string(), vec![0; 100], Some(10), 0).unwrap();
        }
        kv.collect(9);
        assert_eq!(kv.len(), 100);
        kv.collect(10);
        assert_eq!((kv.len(), kv.used.bytes.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_counter_is_a_window() {
        let kv = Kv::default();
        assert_eq!(kv.increment("n", 2, Some(100), 0), Ok(2));
        assert_eq!(kv.increment("n", -5, Some(100), 99), Ok(-3));
        assert_eq!(kv.get("n", 99).as_deref(), Some(&b"-3"[..]));
        assert_eq!(kv.increment("n", 1, Some(100), 100), Ok(1), "the window is over");
        kv.set("n", i64::MAX.to_string().into_bytes(), None, 0).unwrap();
        assert!(matches!(kv.increment("n", 1, None, 0), Err(KvError::Unfit(_))));
        kv.set("n", b"text".to_vec(), None, 0).unwrap();
        assert!(matches!(kv.increment("n", 1, None, 0), Err(KvError::Unfit(_))));
    }

    #[test]
    fn swapping_needs_the_expected_value() {
        let kv = Kv::default();
        assert_eq!(kv.compare_and_swap("k", Some(b"x"), b"y".to_vec(), 0), Ok(false));
        assert_eq!(kv.compare_and_swap("k", None, b"y".to_vec(), 0), Ok(true));
        assert_eq!(kv.compare_and_swap("k", None, b"z".to_vec(), 0), Ok(false));
        assert_eq!(kv.compare_and_swap("k", Some(b"y"), b"z".to_vec(), 0), Ok(true));
        assert_eq!(kv.get("k", 0).as_deref(), Some(&b"z"[..]));
    }

    #[test]
    fn what_is_too_much_is_refused_and_leaves_no_trace() {
        let kv = Kv::default();
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        assert_eq!(kv.set(&long, vec![], None, 0), Err(KvError::TooLarge));
        assert_eq!(kv.set("k", vec![0; VALUE_BYTES_MAX + 1], None, 0), Err(KvError::TooLarge));
        let stored = (0..100)
            .take_while(|n| kv.set(&n.to_string(), vec![0; VALUE_BYTES_MAX], None, 0).is_ok())
            .count();
        assert_eq!(stored, 15);
        assert_eq!(kv.set("more", vec![0; VALUE_BYTES_MAX], None, 0), Err(KvError::QuotaExceeded));
        assert_eq!(kv.set("0", vec![0; 10], None, 0), Ok(()), "less than before fits");
        assert_eq!(kv.len(), 15);
    }

    #[test]
    fn keys_are_counted() {
        let kv = Kv::default();
        for n in 0..KEYS_MAX {
            kv.set(&n.to_string(), vec![], None, 0).unwrap();
        }
        assert_eq!(kv.set("more", vec![], None, 0), Err(KvError::QuotaExceeded));
        assert!(kv.delete("0", 0));
        assert_eq!(kv.set("more", vec![], None, 0), Ok(()));
    }

    #[test]
    fn increments_of_many_threads_all_count() {
        let kv = Kv::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| drop(kv.increment("n", 1, None, 0))));
            }
        });
        assert_eq!(kv.increment("n", 0, None, 0), Ok(4000));
    }
}
