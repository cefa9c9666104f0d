//! Time. In tests it stands still until [`mock::Host::advance`](crate::mock::Host) moves it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::host;

/// The time of day.
///
/// ```
/// use std::time::UNIX_EPOCH;
/// use tidegate_sdk::clock;
///
/// assert!(clock::now() > UNIX_EPOCH);
/// ```
#[must_use]
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(host::clock::now_unix_ns())
}

/// The time since an arbitrary moment; it never goes back.
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::{clock, mock};
///
/// let host = mock::Host::new();
/// let start = clock::monotonic();
/// host.advance(Duration::from_secs(3));
/// assert_eq!(clock::monotonic() - start, Duration::from_secs(3));
/// ```
#[must_use]
pub fn monotonic() -> Duration {
    Duration::from_nanos(host::clock::monotonic_ns())
}
