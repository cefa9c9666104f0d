//! The background hook. `use tidegate_sdk::ticker::*` brings all that it needs.

use std::time::Duration;

/// Works in the background, in an instance of its own.
///
/// It shares no memory with the instances that decide statements; what it finds out it publishes through
/// [`kv`](crate::kv).
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::{kv, ticker::*};
///
/// struct Heartbeat;
///
/// impl Ticker for Heartbeat {
///     fn tick(&self) -> Duration {
///         let _ = kv::increment("beats", 1, None);
///         Duration::from_secs(1)
///     }
/// }
///
/// assert_eq!(Heartbeat.tick(), Duration::from_secs(1));
/// ```
pub trait Ticker {
    /// Does a piece of work, and answers when it wants to be called again; the host may take longer.
    fn tick(&self) -> Duration;
}
