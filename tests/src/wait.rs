//! Waiting for something to become true, with a deadline. The only place that sleeps.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take on a slow, busy machine before it counts as broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(5);

/// Asks again and again until there is a value.
///
/// # Panics
/// When [`PATIENCE`] is over; the message says what was waited for.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    wait_until(what, PATIENCE, &mut look)
}

/// As [`wait_for`], with a limit of its own.
///
/// # Panics
/// When the limit is over.
pub fn wait_until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    becomes_true(limit, || {
        found = look();
        found.is_some()
    });
    found.unwrap_or_else(|| panic!("waited {limit:?} in vain for {what}"))
}

/// Whether a condition becomes true before the limit is over.
pub fn becomes_true(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(PAUSE);
    }
}
