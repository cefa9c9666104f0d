//! Tells a call that uses up its time from one that was not given any.
//!
//! Epochs count time that passes, not time that the thread runs. On a machine that is busy a thread
//! may wait for longer than a plugin's deadline, and a plugin that did nothing wrong must not fail
//! for that: failing plugins are left alone after a while. So the processor time of the thread is
//! looked at when half of the deadline is over and again at its end.

use std::time::Duration;

use wasmtime::{StoreContextMut, UpdateDeadline};

use crate::pulse::{TICK, millis};
use crate::state::State;

/// A thread that is starved for longer than this many halves of a deadline is interrupted anyway.
const FORGIVEN_MAX: u32 = 40;

/// One call on its way to its deadline.
#[derive(Debug, Default)]
pub(crate) struct Overrun {
    half: Duration,
    /// The thread's processor time at the last look.
    before: Option<Duration>,
    forgiven: u32,
}

impl Overrun {
    /// Starts anew. Returns after how many ticks to look for the first time.
    pub(crate) fn begin(&mut self, half: Duration) -> u64 {
        *self = Self { half, before: None, forgiven: 0 };
        self.ticks()
    }

    fn ticks(&self) -> u64 {
        // Up to one tick is over before the first one is counted.
        millis(self.half) + 1
    }

    /// Looks at the thread's processor time. Returns whether the call may go on.
    fn may_go_on(&mut self, now: Option<Duration>) -> bool {
        let (Some(now), first) = (now, self.before.is_none()) else { return false };
        let used = now.saturating_sub(self.before.replace(now).unwrap_or_default());
        if first {
            return true;
        }
        self.forgiven += 1;
        used < self.half / 2 && self.forgiven <= FORGIVEN_MAX
    }
}

/// What half a deadline is, in whole ticks.
pub(crate) fn half(deadline: Duration) -> Duration {
    (deadline / 2).max(TICK)
}

/// The callback of a hot store's epoch.
pub(crate) fn at_deadline(mut store: StoreContextMut<'_, State>) -> UpdateDeadline {
    let overrun = &mut store.data_mut().overrun;
    if overrun.may_go_on(thread_time()) {
        UpdateDeadline::Continue(overrun.ticks())
    } else {
        UpdateDeadline::Interrupt
    }
}

/// How long this thread has run.
#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives for the whole call, which only writes it.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    (result == 0).then(|| Duration::new(seconds, nanos))
}

#[cfg(not(unix))]
fn thread_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Duration = Duration::from_millis(3);

    fn looks(times_us: &[u64]) -> Vec<bool> {
        let mut overrun = Overrun::default();
        overrun.begin(HALF);
        let time = |us: &u64| Some(Duration::from_micros(*us));
        times_us.iter().map(|us| overrun.may_go_on(time(us))).collect()
    }

    #[test]
    fn who_runs_all_the_time_is_stopped_at_the_deadline() {
        assert_eq!(looks(&[3_000, 6_000]), [true, false]);
        assert_eq!(looks(&[1_000_000, 1_002_000]), [true, false]);
    }

    #[test]
    fn who_was_not_let_run_gets_more_time() {
        assert_eq!(looks(&[100, 1_000, 1_100, 4_000]), [true, true, true, false]);
    }

    #[test]
    fn nobody_gets_time_without_end() {
        assert!(looks(&[0; 100]).into_iter().skip(1).filter(|go_on| *go_on).count() < 100);
    }

    #[test]
    fn without_a_clock_the_deadline_holds() {
        let mut overrun = Overrun::default();
        assert_eq!(overrun.begin(HALF), 4);
        assert!(!overrun.may_go_on(None));
    }

    #[test]
    #[cfg(unix)]
    fn the_thread_has_a_clock() {
        let before = thread_time().unwrap();
        let mut sum = 0_u64;
        while thread_time().unwrap() == before {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(thread_time().unwrap() > before);
    }
}
