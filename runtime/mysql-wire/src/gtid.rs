//! Sets of global transaction identifiers: what a session has written, what a server has executed.
//!
//! MariaDB counts the transactions of each replication domain, and a set is the last of each.
//! MySQL keeps intervals of numbers for each source. Their texts cannot be mistaken for each
//! other: only MySQL's have colons.

mod mariadb;
mod mysql;

use std::fmt;

use tidegate_wire::Violation;

use self::mariadb::Positions;
use self::mysql::Intervals;

/// No set of a server or of a session is longer, in bytes.
pub const TEXT_MAX: usize = 64 << 10;

const WHAT: &str = "a GTID set";

/// Transactions of one kind of server. The default is empty, and of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GtidSet {
    MariaDb(Positions),
    MySql(Intervals),
}

impl Default for GtidSet {
    fn default() -> Self {
        Self::MariaDb(Positions::default())
    }
}

impl GtidSet {
    /// Reads a set as servers write it: `0-1-270,1-2-5`, or
    /// `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7,…`.
    ///
    /// # Errors
    /// A violation if it is neither, or longer than [`TEXT_MAX`].
    pub fn parse(text: &str) -> Result<Self, Violation> {
        if text.len() > TEXT_MAX {
            let (len, max) = (text.len() as u64, TEXT_MAX as u64);
            return Err(Violation::TooLong { what: WHAT, len, max });
        }
        let set = match text.contains(':') {
            true => mysql::parse(text).map(Self::MySql),
            false => mariadb::parse(text).map(Self::MariaDb),
        };
        set.ok_or(Violation::Malformed { what: WHAT })
    }

    /// Whether everything in `other` is in this set.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::MariaDb(all), Self::MariaDb(some)) => all.contains(some),
            (Self::MySql(all), Self::MySql(some)) => all.contains(some),
            _ => other.is_empty(),
        }
    }

    /// Adds another set. One of the other kind of server replaces this one: it cannot be of the
    /// same servers.
    pub fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::MariaDb(all), Self::MariaDb(more)) => all.merge(more),
            (Self::MySql(all), Self::MySql(more)) => all.merge(more),
            (_, other) if other.is_empty() => {}
            (this, other) => *this = other,
        }
    }

    /// Takes out what is also in `other`.
    pub fn remove(&mut self, other: &Self) {
        match (self, other) {
            (Self::MariaDb(all), Self::MariaDb(some)) => all.remove(some),
            (Self::MySql(all), Self::MySql(some)) => all.remove(some),
            _ => {}
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The domains or intervals in it, which is what its memory depends on.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::MariaDb(positions) => positions.len(),
            Self::MySql(intervals) => intervals.len(),
        }
    }
}

/// As servers read and write it.
impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MariaDb(positions) => positions.fmt(f),
            Self::MySql(intervals) => intervals.fmt(f),
        }
    }
}

/// A number as it stands in either text: digits only, without sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> GtidSet {
        GtidSet::parse(text).unwrap()
    }

    #[test]
    fn the_kinds_do_not_mix() {
        let (mariadb, mysql) = (set("0-1-5"), set("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"));
        assert!(!mariadb.contains(&mysql) && !mysql.contains(&mariadb));
        assert!(mysql.contains(&set("")) && set("").is_empty());
        let mut merged = mariadb.clone();
        merged.merge(mysql.clone());
        assert_eq!(merged, mysql);
        merged.merge(GtidSet::default());
        assert_eq!(merged, mysql);
        merged.remove(&mariadb);
        assert_eq!(merged, mysql);
    }

    #[test]
    fn lengths_are_limited_before_anything_is_read() {
        let long = "0-1-5,".repeat(TEXT_MAX / 6 + 1);
        assert!(matches!(GtidSet::parse(&long), Err(Violation::TooLong { .. })));
    }
}
