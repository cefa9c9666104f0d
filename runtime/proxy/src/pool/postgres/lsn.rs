//! How far a server has come in what is written: positions in the write-ahead log.
//!
//! <https://www.postgresql.org/docs/current/datatype-pg-lsn.html>

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::debug;

use super::ServerConn;
use crate::pool::ServerLost;
use crate::protocol::Position;

/// A replica is asked again after so long.
const PAUSE: Duration = Duration::from_millis(5);

/// A position; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lsn(u64);

/// It is no position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoLsn;

impl FromStr for Lsn {
    type Err = NoLsn;

    /// Reads `16/B374D848`.
    fn from_str(text: &str) -> Result<Self, NoLsn> {
        let (high, low) = text.split_once('/').ok_or(NoLsn)?;
        let half = |digits: &str| match digits.len() {
            1..=8 => u32::from_str_radix(digits, 16).map_err(|_| NoLsn),
            _ => Err(NoLsn),
        };
        Ok(Self(u64::from(half(high)?) << 32 | u64::from(half(low)?)))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & u64::from(u32::MAX))
    }
}

impl Position for Lsn {
    fn contains(&self, written: &Self) -> bool {
        self >= written
    }

    fn merge(&mut self, other: Self) {
        *self = (*self).max(other);
    }

    fn without(&self, known: &Self) -> Self {
        if known >= self { Self::default() } else { *self }
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

/// Whether the server has executed everything up to here, or does so in time.
///
/// # Errors
/// The connection is of no more use.
pub(super) async fn catch_up(
    connection: &mut ServerConn,
    written: Lsn,
    limit: Duration,
) -> Result<bool, ServerLost> {
    let deadline = Instant::now() + limit;
    let question = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    loop {
        match connection.query(&question).await? {
            Ok(rows) if rows.first().and_then(|row| row.first()?.as_deref()) == Some(b"t") => {
                return Ok(true);
            }
            Ok(_) if Instant::now() >= deadline => return Ok(false),
            Ok(_) => sleep(PAUSE).await,
            Err(refusal) => {
                debug!("cannot ask for the position: {refusal}");
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_and_compared() {
        let lsn = |text: &str| text.parse::<Lsn>();
        assert_eq!(lsn("16/B374D848").unwrap().to_string(), "16/B374D848");
        assert!(lsn("1/0").unwrap() > lsn("0/FFFFFFFF").unwrap());
        for bad in ["", "1", "/", "1/", "x/1", "123456789/0", "0/-1"] {
            assert_eq!(lsn(bad), Err(NoLsn), "{bad}");
        }
    }

    #[test]
    fn what_a_server_has_is_not_missing() {
        let lsn = |text: &str| text.parse::<Lsn>().unwrap();
        assert!(lsn("0/5").without(&lsn("0/5")).is_empty());
        assert_eq!(lsn("0/5").without(&lsn("0/4")), lsn("0/5"));
        let mut merged = lsn("0/5");
        merged.merge(lsn("0/3"));
        assert_eq!(merged, lsn("0/5"));
        assert!(merged.contains(&lsn("0/5")) && !merged.contains(&lsn("0/6")));
    }
}
