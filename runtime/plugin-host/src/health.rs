//! Tells a plugin that failed now and then from one that fails all the time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// This many failures …
const LOOP_FAILURES: usize = 5;
/// … within this time are a crash loop.
const LOOP_WINDOW_MS: u64 = 10_000;
const BACKOFF_MIN_MS: u64 = 50;
const BACKOFF_MAX_MS: u64 = 30_000;
/// After this time without a failure, the next back-off is short again.
const FORGIVEN_AFTER_MS: u64 = 60_000;

/// The crash loop of one plugin, over all its workers.
///
/// A degraded plugin is not called until its back-off is over. Then one call tries: if it
/// succeeds the plugin is live again, if not the back-off doubles.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// 0: live. Otherwise the time before which nobody may call.
    closed_until: AtomicU64,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// The times of the latest failures; 0 for none.
    recent: [u64; LOOP_FAILURES],
    next: usize,
    backoff_ms: u64,
    last_failure: u64,
}

impl Health {
    /// May a call be made now? A `true` of a degraded plugin is the one try of its back-off.
    pub(crate) fn admits(&self, now_ms: u64) -> bool {
        let until = self.closed_until.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        if now_ms < until {
            return false;
        }
        // Who moves the time on is the one who tries; the others wait for what it finds.
        let next = now_ms + self.record().backoff_ms.max(BACKOFF_MIN_MS);
        self.closed_until
            .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Notes a call that gave an answer. Returns whether the plugin has just become live again.
    pub(crate) fn succeeded(&self) -> bool {
        if self.closed_until.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut record = self.record();
        record.recent = [0; LOOP_FAILURES];
        self.closed_until.swap(0, Ordering::Relaxed) != 0
    }

    /// Notes a call that failed. Returns for how long the plugin is now left alone, if it is.
    pub(crate) fn failed(&self, now_ms: u64) -> Option<u64> {
        let mut record = self.record();
        let degraded = self.closed_until.load(Ordering::Relaxed) != 0;
        if !record.note(now_ms) && !degraded {
            return None;
        }
        let backoff = (record.backoff_ms * 2).clamp(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
        record.backoff_ms = backoff;
        self.closed_until.store(now_ms + backoff, Ordering::Relaxed);
        Some(backoff)
    }

    /// Is the plugin being left alone?
    pub(crate) fn is_degraded(&self) -> bool {
        self.closed_until.load(Ordering::Relaxed) != 0
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// Adds a failure. Returns whether it completes a crash loop.
    fn note(&mut self, now_ms: u64) -> bool {
        if now_ms.saturating_sub(self.last_failure) > FORGIVEN_AFTER_MS {
            self.backoff_ms = 0;
        }
        self.last_failure = now_ms;
        if let Some(slot) = self.recent.get_mut(self.next) {
            *slot = now_ms;
        }
        self.next = (self.next + 1) % LOOP_FAILURES;
        let oldest_that_counts = now_ms.saturating_sub(LOOP_WINDOW_MS);
        self.recent.iter().all(|time| *time != 0 && *time >= oldest_that_counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degraded_at(now: u64) -> Health {
        let health = Health::default();
        for n in 0..4 {
            assert_eq!(health.failed(now - 4 + n), None);
        }
        assert_eq!(health.failed(now), Some(BACKOFF_MIN_MS));
        health
    }

    #[test]
    fn a_few_failures_are_forgiven() {
        let health = Health::default();
        for n in 1..100 {
            assert_eq!(health.failed(n * 2_600), None, "at {n}");
            assert!(health.admits(n * 2_600));
        }
    }

    #[test]
    fn a_crash_loop_is_left_alone_then_tried_once() {
        let health = degraded_at(100);
        assert!(health.is_degraded());
        assert!(!health.admits(149));
        assert!(health.admits(150), "the back-off is over");
        assert!(!health.admits(150), "one try only");
    }

    #[test]
    fn each_failed_try_doubles_the_back_off_up_to_a_limit() {
        let health = degraded_at(100);
        let mut now = 100;
        let mut expected = BACKOFF_MIN_MS;
        for _ in 0..12 {
            now += expected;
            assert!(health.admits(now));
            expected = (expected * 2).min(BACKOFF_MAX_MS);
            assert_eq!(health.failed(now), Some(expected));
        }
        assert_eq!(expected, BACKOFF_MAX_MS);
    }

    #[test]
    fn a_try_that_succeeds_makes_it_live() {
        let health = degraded_at(100);
        assert!(health.admits(150));
        assert!(health.succeeded());
        assert!(!health.is_degraded() && !health.succeeded());
        assert_eq!(health.failed(160), None, "the loop starts from nothing");
    }

    #[test]
    fn the_next_loop_waits_longer_unless_time_has_passed() {
        let next_backoff = |pause: u64| {
            let health = degraded_at(100);
            assert!(health.admits(150) && health.succeeded());
            (0..5).filter_map(|n| health.failed(150 + pause + n)).next_back()
        };
        assert_eq!(next_backoff(0), Some(2 * BACKOFF_MIN_MS));
        assert_eq!(next_backoff(FORGIVEN_AFTER_MS + 1), Some(BACKOFF_MIN_MS));
    }
}
