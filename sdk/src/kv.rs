//! The plugin's own store: in memory, shared by its instances, and it survives a reload.
//!
//! All keys and values together may take 16 MiB; a key 1 KiB, a value 1 MiB. The store is empty when
//! tidegate starts, and goes when the plugin has been removed for a minute.
//!
//! An instance may be thrown away at any time, and each worker has its own: what must last, or be seen
//! by all, belongs here.
//!
//! ```
//! use std::time::Duration;
//! use tidegate_sdk::{kv, sql::*};
//!
//! struct Quota;
//!
//! impl SqlPlugin for Quota {
//!     fn on_statement(&self, session: &Session, _: &Statement) -> Verdict {
//!         let key = format!("used/{}", session.user());
//!         match kv::increment(&key, 1, Some(Duration::from_secs(60))) {
//!             Ok(used) if used > 1_000 => Verdict::reject("a thousand statements a minute are enough"),
//!             _ => Verdict::next(),
//!         }
//!     }
//! }
//! ```

use std::fmt;
use std::time::Duration;

use crate::host;
use crate::host::kv::Error as HostError;

/// Why the store did not take a value.
///
/// ```
/// use tidegate_sdk::{kv, mock};
///
/// let _host = mock::Host::new().with_kv_quota(10);
/// assert_eq!(kv::set("key", "much too long", None), Err(kv::Error::QuotaExceeded));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The key or the value is longer than any may be.
    TooLarge,
    /// The plugin has no room left.
    QuotaExceeded,
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the key or the value is too long",
            Self::QuotaExceeded => "the plugin's store is full",
            Self::Other(why) => why,
        })
    }
}

impl std::error::Error for Error {}

fn from_host(error: HostError) -> Error {
    match error {
        HostError::TooLarge => Error::TooLarge,
        HostError::QuotaExceeded => Error::QuotaExceeded,
        HostError::Other(why) => Error::Other(why),
    }
}

/// The host counts in milliseconds; what is shorter than one lives for one.
fn milliseconds(ttl: Option<Duration>) -> Option<u32> {
    ttl.map(|ttl| u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX).max(1))
}

/// The value of a key.
///
/// ```
/// # use tidegate_sdk::{kv, mock};
/// # let _host = mock::Host::new();
/// assert_eq!(kv::get("colour"), None);
/// ```
#[must_use]
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::kv::get(key)
}

/// Sets a value, for a time or until it is deleted.
///
/// # Errors
/// [`Error`] when the store does not take it.
///
/// ```
/// # use std::time::Duration;
/// # use tidegate_sdk::{kv, mock};
/// let host = mock::Host::new();
/// kv::set("colour", "blue", Some(Duration::from_secs(1)))?;
/// assert_eq!(kv::get("colour").as_deref(), Some(b"blue".as_slice()));
/// host.advance(Duration::from_secs(1));
/// assert_eq!(kv::get("colour"), None);
/// # Ok::<(), kv::Error>(())
/// ```
pub fn set(key: &str, value: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<(), Error> {
    host::kv::set(key, value.as_ref(), milliseconds(ttl)).map_err(from_host)
}

/// Deletes a value; was there one?
///
/// ```
/// # use tidegate_sdk::kv;
/// kv::set("colour", "blue", None)?;
/// assert!(kv::delete("colour"));
/// assert!(!kv::delete("colour"));
/// # Ok::<(), kv::Error>(())
/// ```
pub fn delete(key: &str) -> bool {
    host::kv::delete(key)
}

/// Adds to a number, 0 where there is none, and answers the sum. A time to live counts from the first
/// increment.
///
/// # Errors
/// [`Error`] when the store does not take it, or when the value is no number.
///
/// ```
/// # use tidegate_sdk::{kv, mock};
/// # let _host = mock::Host::new();
/// assert_eq!(kv::increment("seen", 2, None), Ok(2));
/// assert_eq!(kv::increment("seen", -1, None), Ok(1));
/// ```
pub fn increment(key: &str, delta: i64, ttl: Option<Duration>) -> Result<i64, Error> {
    host::kv::increment(key, delta, milliseconds(ttl)).map_err(from_host)
}

/// Sets a value if the present one is `expected` (`None`: there is none); did it? The value keeps its
/// time to live.
///
/// # Errors
/// [`Error`] when the store does not take it.
///
/// ```
/// # use tidegate_sdk::{kv, mock};
/// # let _host = mock::Host::new();
/// assert_eq!(kv::compare_and_swap("leader", None, "worker 1"), Ok(true));
/// assert_eq!(kv::compare_and_swap("leader", None, "worker 2"), Ok(false));
/// ```
pub fn compare_and_swap(
    key: &str,
    expected: Option<&[u8]>,
    value: impl AsRef<[u8]>,
) -> Result<bool, Error> {
    host::kv::compare_and_swap(key, expected, value.as_ref()).map_err(from_host)
}
