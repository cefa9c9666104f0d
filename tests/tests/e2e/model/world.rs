//! What the clients share: where they connect, whom they may kill, who holds which lock.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tidegate_tests::MariaDbPair;

/// Locks that all clients want.
pub(super) const LOCKS: [&str; 3] = ["red", "green", "blue"];

#[derive(Debug)]
pub(super) struct World {
    pair: MariaDbPair,
    pub(super) port: u16,
    pub(super) until: Instant,
    pub(super) clients: Vec<Target>,
    /// Sessions that somebody wants to end.
    doomed: Mutex<HashSet<u32>>,
    /// The session that holds each lock.
    holders: Mutex<[Option<u32>; LOCKS.len()]>,
    stop: AtomicBool,
    /// How often each operation was carried out, and each error was seen.
    seen: Mutex<BTreeMap<String, u64>>,
}

/// A client as others see it.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// The number of its session.
    pub(super) session: AtomicU32,
    /// So many times somebody began to end its statement, and came to the end of that.
    aimed: AtomicU64,
    done: AtomicU64,
    /// The last line of its log.
    said: Mutex<Option<(Instant, String)>>,
}

impl Target {
    /// Somebody ends what it does; until the answer has come, it may be hit.
    pub(super) fn aim<T>(&self, shoot: impl FnOnce() -> T) -> T {
        self.aimed.fetch_add(1, Ordering::SeqCst);
        let outcome = shoot();
        self.done.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    /// So many attempts are over, and cannot hit a statement that begins now.
    pub(super) fn over(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    pub(super) fn says(&self, line: &str) {
        *lock(&self.said) = Some((Instant::now(), format!("{line:.120}")));
    }

    /// Somebody may have hit a statement that began when so many attempts were over.
    pub(super) fn may_be_hit(&self, over: u64) -> bool {
        self.aimed.load(Ordering::SeqCst) > over
    }
}

impl World {
    pub(super) fn new(pair: MariaDbPair, port: u16, until: Instant, clients: usize) -> Self {
        Self {
            pair,
            port,
            until,
            clients: (0..clients).map(|_| Target::default()).collect(),
            doomed: Mutex::default(),
            holders: Mutex::default(),
            stop: AtomicBool::new(false),
            seen: Mutex::default(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.until
    }

    /// One has failed: the others need not go on.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What the servers are doing, for whoever wants to know why something was waited for.
    pub(super) fn processes(&self) -> String {
        let list = "select id, time_ms, state, command, info from information_schema.processlist";
        let said = self.clients.iter().enumerate().map(|(number, client)| {
            let said = lock(&client.said).clone().map(|(when, line)| (when.elapsed(), line));
            format!("client {number}: {said:?}\n")
        });
        let said: String = said.collect();
        said + &[&self.pair.primary, &self.pair.replica].map(|server| server.query(list)).join("\n")
    }

    pub(super) fn count(&self, what: &str) {
        *lock(&self.seen).entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        lock(&self.seen).clone()
    }

    pub(super) fn doom(&self, session: u32) {
        lock(&self.doomed).insert(session);
    }

    pub(super) fn is_doomed(&self, session: u32) -> bool {
        lock(&self.doomed).contains(&session)
    }

    /// A session was told that it has a lock. The holder that cannot lose it unseen, if there is one.
    pub(super) fn locked(&self, name: usize, session: u32) -> Option<u32> {
        let before = lock(&self.holders)[name].replace(session);
        before.filter(|holder| *holder != session && !self.is_doomed(*holder))
    }

    /// A session is about to give up its locks: one of them, or all.
    pub(super) fn unlock(&self, name: Option<usize>, session: u32) {
        for (position, holder) in lock(&self.holders).iter_mut().enumerate() {
            if *holder == Some(session) && name.is_none_or(|name| name == position) {
                *holder = None;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
