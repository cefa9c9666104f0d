//! Who may have a connection to a server, who waits, and what happens to one that comes back.
//!
//! Pure: time is passed in, connections and waiters are whatever the caller says they are.
//! `open` counts every connection that exists or is being made: leased, idle or connecting.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bounds of one server's pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max: usize,
    pub(crate) queue: usize,
    pub(crate) idle: Duration,
    pub(crate) age: Duration,
}

/// What may be done for someone who wants a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Acquire<C> {
    Reuse(C),
    /// There is room: make a new one.
    Connect,
    /// There is room once this idle one is closed.
    Replace(C),
    /// Nothing is free: call [`Policy::wait`].
    Wait,
    /// Too many wait already.
    Refuse,
}

/// What becomes of a connection that came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Release<C, W> {
    Keep,
    /// It is too old, or there is no room for it.
    Close(C),
    /// It fits the one who has waited longest.
    Hand(W, C),
    /// Who has waited longest wants another identity: close this one, its place is theirs.
    HandPlace(W, C),
}

#[derive(Debug)]
struct Idle<K, C> {
    key: K,
    /// What it has been set to, as a number.
    state: u64,
    /// The worker that used it last: there it needs no moving.
    home: usize,
    connection: C,
    since: Instant,
    born: Instant,
}

#[derive(Debug)]
pub(crate) struct Policy<K, C, W> {
    limits: Limits,
    open: usize,
    /// The most recently used last.
    idle: Vec<Idle<K, C>>,
    waiting: VecDeque<(K, W)>,
}

impl<K: PartialEq, C, W> Policy<K, C, W> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, open: 0, idle: Vec::new(), waiting: VecDeque::new() }
    }

    /// `state`: one in this state is preferred, then one of this worker.
    pub(crate) fn acquire(&mut self, key: &K, state: u64, home: usize, now: Instant) -> Acquire<C> {
        if let Some(at) = self.best(key, state, home) {
            let idle = self.idle.remove(at);
            return if self.is_too_old(idle.born, now) {
                Acquire::Replace(idle.connection)
            } else {
                Acquire::Reuse(idle.connection)
            };
        }
        if self.open < self.limits.max {
            self.open += 1;
            return Acquire::Connect;
        }
        if !self.idle.is_empty() {
            return Acquire::Replace(self.idle.remove(0).connection);
        }
        if self.waiting.len() < self.limits.queue { Acquire::Wait } else { Acquire::Refuse }
    }

    /// Takes an idle connection that may be used as it is, if there is one.
    pub(crate) fn take_idle(
        &mut self,
        key: &K,
        state: u64,
        home: usize,
        now: Instant,
    ) -> Option<C> {
        let at = self.best(key, state, home)?;
        if self.is_too_old(self.idle[at].born, now) {
            return None;
        }
        Some(self.idle.remove(at).connection)
    }

    /// The idle connection that fits best; the most recently used among equals.
    fn best(&self, key: &K, state: u64, home: usize) -> Option<usize> {
        let mut best = None;
        for (at, idle) in self.idle.iter().enumerate().rev() {
            let rank = (idle.state == state, idle.home == home);
            if best.is_some_and(|(_, other)| other >= rank) || idle.key != *key {
                continue;
            }
            best = Some((at, rank));
            if rank == (true, true) {
                break;
            }
        }
        best.map(|(at, _)| at)
    }

    /// Queues someone who was told [`Acquire::Wait`] under the same lock.
    pub(crate) fn wait(&mut self, key: K, waiter: W) {
        self.waiting.push_back((key, waiter));
    }

    /// Takes back a connection that is ready for the next user.
    pub(crate) fn release(
        &mut self,
        key: K,
        state: u64,
        home: usize,
        connection: C,
        born: Instant,
        now: Instant,
    ) -> Release<C, W> {
        let too_old = self.is_too_old(born, now);
        if let Some((wanted, waiter)) = self.waiting.pop_front() {
            return if wanted == key && !too_old {
                Release::Hand(waiter, connection)
            } else {
                Release::HandPlace(waiter, connection)
            };
        }
        if too_old {
            self.open -= 1;
            return Release::Close(connection);
        }
        self.idle.push(Idle { key, state, home, connection, since: now, born });
        Release::Keep
    }

    /// Gives up the place of a connection that is gone; it may pass to who has waited longest.
    pub(crate) fn forfeit(&mut self) -> Option<W> {
        match self.waiting.pop_front() {
            Some((_, waiter)) => Some(waiter),
            None => {
                self.open -= 1;
                None
            }
        }
    }

    /// Takes out the connections that have been idle, or have existed, for too long.
    pub(crate) fn reap(&mut self, now: Instant) -> Vec<C> {
        let limits = self.limits;
        let reaped: Vec<C> = self
            .idle
            .extract_if(.., |idle| now - idle.since >= limits.idle || now - idle.born >= limits.age)
            .map(|idle| idle.connection)
            .collect();
        self.open -= reaped.len();
        reaped
    }

    /// Takes out all idle connections: their server has failed.
    pub(crate) fn drain(&mut self) -> Vec<C> {
        self.open -= self.idle.len();
        self.idle.drain(..).map(|idle| idle.connection).collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts { open: self.open, idle: self.idle.len(), waiting: self.waiting.len() }
    }

    fn is_too_old(&self, born: Instant, now: Instant) -> bool {
        now - born >= self.limits.age
    }
}

/// How many connections a pool has, and how many wait for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) open: usize,
    pub(crate) idle: usize,
    pub(crate) waiting: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { max: 2, queue: 2, idle: Duration::from_secs(60), age: Duration::from_secs(600) };

    fn policy() -> Policy<&'static str, u32, char> {
        Policy::new(LIMITS)
    }

    #[test]
    fn connects_up_to_max_then_queues_then_refuses() {
        let (mut pool, now) = (policy(), Instant::now());
        assert_eq!(pool.acquire(&"a", 0, 0, now), Acquire::Connect);
        assert_eq!(pool.acquire(&"a", 0, 0, now), Acquire::Connect);
        assert_eq!(pool.acquire(&"a", 0, 0, now), Acquire::Wait);
        pool.wait("a", 'x');
        pool.wait("a", 'y');
        assert_eq!(pool.acquire(&"a", 0, 0, now), Acquire::Refuse);
    }

    #[test]
    fn waiters_are_served_in_their_order() {
        let (mut pool, now) = (policy(), Instant::now());
        pool.acquire(&"a", 0, 0, now);
        pool.acquire(&"a", 0, 0, now);
        pool.wait("a", 'x');
        pool.wait("b", 'y');
        assert_eq!(pool.release("a", 0, 0, 1, now, now), Release::Hand('x', 1));
        assert_eq!(pool.release("a", 0, 0, 2, now, now), Release::HandPlace('y', 2));
        assert_eq!(pool.counts(), Counts { open: 2, idle: 0, waiting: 0 });
    }

    #[test]
    fn an_idle_connection_of_another_identity_makes_room() {
        let (mut pool, now) = (policy(), Instant::now());
        pool.acquire(&"a", 0, 0, now);
        pool.acquire(&"a", 0, 0, now);
        assert_eq!(pool.release("a", 0, 0, 1, now, now), Release::Keep);
        assert_eq!(pool.acquire(&"b", 0, 0, now), Acquire::Replace(1));
        assert_eq!(pool.counts().open, 2);
    }

    #[test]
    fn the_most_recently_used_is_used_again() {
        let (mut pool, now) = (policy(), Instant::now());
        pool.acquire(&"a", 0, 0, now);
        pool.acquire(&"a", 0, 0, now);
        pool.release("a", 0, 0, 1, now, now);
        pool.release("a", 0, 0, 2, now, now);
        assert_eq!(pool.acquire(&"a", 0, 0, now), Acquire::Reuse(2));
    }

    #[test]
    fn a_worker_prefers_its_own() {
        let (mut pool, now) = (policy(), Instant::now());
        pool.acquire(&"a", 0, 0, now);
        pool.acquire(&"a", 0, 0, now);
        pool.release("a", 0, 0, 1, now, now);
        pool.release("a", 0, 1, 2, now, now);
        assert_eq!(pool.acquire(&"a", 0, 0, now), Acquire::Reuse(1));
        assert_eq!(pool.acquire(&"a", 0, 0, now), Acquire::Reuse(2));
    }

    #[test]
    fn a_connection_in_the_same_state_is_preferred_to_one_of_the_same_worker() {
        let (mut pool, now) = (policy(), Instant::now());
        pool.acquire(&"a", 0, 0, now);
        pool.acquire(&"a", 0, 0, now);
        pool.release("a", 7, 1, 1, now, now);
        pool.release("a", 8, 0, 2, now, now);
        assert_eq!(pool.acquire(&"a", 7, 0, now), Acquire::Reuse(1));
        assert_eq!(pool.acquire(&"a", 7, 0, now), Acquire::Reuse(2));
    }

    #[test]
    fn a_lost_place_goes_to_the_next_in_line() {
        let (mut pool, now) = (policy(), Instant::now());
        pool.acquire(&"a", 0, 0, now);
        pool.acquire(&"a", 0, 0, now);
        pool.wait("a", 'x');
        assert_eq!(pool.forfeit(), Some('x'));
        assert_eq!(pool.counts().open, 2);
        assert_eq!(pool.forfeit(), None);
        assert_eq!(pool.counts().open, 1);
    }

    #[test]
    fn the_idle_and_the_old_are_reaped() {
        let (mut pool, now) = (policy(), Instant::now());
        pool.acquire(&"a", 0, 0, now);
        pool.acquire(&"a", 0, 0, now);
        pool.release("a", 0, 0, 1, now, now);
        pool.release("a", 0, 0, 2, now, now + Duration::from_secs(30));
        assert_eq!(pool.reap(now + Duration::from_secs(70)), vec![1]);
        assert_eq!(pool.acquire(&"a", 0, 0, now + LIMITS.age), Acquire::Replace(2));
        assert_eq!(pool.release("a", 0, 0, 2, now, now + LIMITS.age), Release::Close(2));
        assert_eq!(pool.counts(), Counts::default());
    }
}
