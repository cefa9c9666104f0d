//! Counters that threads do not fight for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// One copy of `T` for each of a few threads; a reader adds them up.
///
/// `T` is made of atomics or locks, since more threads than copies may come. Two threads that share a copy stay
/// correct and are merely slower.
#[derive(Debug)]
pub(crate) struct Sharded<T> {
    shards: Box<[Padded<T>]>,
}

/// Two cache lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T> Sharded<T> {
    pub(crate) fn new(make: impl Fn() -> T) -> Self {
        // Twice as many as workers, so that other threads seldom share with one of them.
        let workers = available_parallelism().map_or(1, usize::from);
        let count = (2 * workers).next_power_of_two().min(128);
        Self { shards: (0..count).map(|_| Padded(make())).collect() }
    }

    /// The copy of the calling thread.
    #[inline]
    pub(crate) fn mine(&self) -> &T {
        // Masked by a power of two less one, the index is always inside.
        let index = THREAD.with(|thread| *thread) & (self.shards.len() - 1);
        &self.shards[index].0
    }

    /// The copies of all threads.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.shards.iter().map(|shard| &shard.0)
    }

    pub(crate) fn sum(&self, read: impl Fn(&T) -> u64) -> u64 {
        self.iter().map(read).fold(0, u64::wrapping_add)
    }
}

/// Threads are numbered as they come, so that workers, which start together, do not share.
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn no_addition_is_lost_among_more_threads_than_copies() {
        let counter = Sharded::new(AtomicU64::default);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counter.mine().fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(counter.sum(|shard| shard.load(Ordering::Relaxed)), 100_000);
    }
}
