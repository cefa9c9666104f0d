//! MariaDB: the last transaction of each replication domain, as `domain-server-sequence`.
//!
//! <https://mariadb.com/kb/en/gtid/>

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use super::number;

/// The last transaction of each domain; all before it in the domain are meant too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<u32, Last>);

/// The server that wrote a transaction says nothing about the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    server: u32,
    sequence: u64,
}

/// A domain may be named twice, as servers do in `@@gtid_binlog_state`: the later position counts.
pub(super) fn parse(text: &str) -> Option<Positions> {
    let mut positions = Positions::default();
    if text.is_empty() {
        return Some(positions);
    }
    for gtid in text.split(',') {
        let mut parts = gtid.trim().split('-');
        let domain = number(parts.next()?)?.try_into().ok()?;
        let server = number(parts.next()?)?.try_into().ok()?;
        let sequence = number(parts.next()?)?;
        if parts.next().is_some() {
            return None;
        }
        positions.add(domain, Last { server, sequence });
    }
    Some(positions)
}

impl Positions {
    pub(super) fn contains(&self, other: &Self) -> bool {
        let has = |(domain, last): (&u32, &Last)| {
            self.0.get(domain).is_some_and(|own| own.sequence >= last.sequence)
        };
        other.0.iter().all(has)
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (domain, last) in other.0 {
            self.add(domain, last);
        }
    }

    pub(super) fn remove(&mut self, other: &Self) {
        self.0.retain(|domain, last| {
            other.0.get(domain).is_none_or(|theirs| theirs.sequence < last.sequence)
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn add(&mut self, domain: u32, last: Last) {
        match self.0.entry(domain) {
            Entry::Vacant(entry) => {
                entry.insert(last);
            }
            Entry::Occupied(mut entry) if entry.get().sequence < last.sequence => {
                entry.insert(last);
            }
            Entry::Occupied(_) => {}
        }
    }
}

impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (domain, last)) in self.0.iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            write!(f, "{comma}{domain}-{}-{}", last.server, last.sequence)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(text: &str) -> Positions {
        parse(text).unwrap()
    }

    #[test]
    fn comes_back_as_it_was() {
        for text in ["", "0-1-270", "0-1-270,1-2-5,4294967295-3-18446744073709551615"] {
            assert_eq!(positions(text).to_string(), text);
        }
        assert_eq!(positions("1-2-5, 0-1-7,0-3-6").to_string(), "0-1-7,1-2-5");
    }

    #[test]
    fn a_later_position_contains_an_earlier_one_whoever_wrote_it() {
        let executed = positions("0-2-270,1-1-5");
        for some in ["", "0-1-270", "0-9-1,1-7-5"] {
            assert!(executed.contains(&positions(some)), "{some}");
        }
        for more in ["0-2-271", "0-2-270,2-1-1"] {
            assert!(!executed.contains(&positions(more)), "{more}");
        }
    }

    #[test]
    fn positions_add_up_and_go_where_they_are_known() {
        let mut written = positions("0-1-7,1-1-1");
        written.merge(positions("0-2-6,1-2-3"));
        assert_eq!(written.to_string(), "0-1-7,1-2-3");
        written.remove(&positions("0-2-6,1-2-4,5-1-1"));
        assert_eq!(written.to_string(), "0-1-7");
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in [
            ",",
            "0-1",
            "0-1-",
            "0-1-2-3",
            "-1-2",
            "0-1-+2",
            "0-1-18446744073709551616",
            "4294967296-1-1",
            "0-1-1,",
            "x",
            "0_1_1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
