//! MySQL: intervals of transaction numbers for each source, as `uuid[:tag]:first[-last]…`.
//!
//! <https://dev.mysql.com/doc/refman/en/replication-gtids-concepts.html>

use std::collections::BTreeMap;
use std::fmt;

use super::number;

/// The numbers of a source end before this one.
const NUMBER_END: u64 = i64::MAX as u64;

/// The length of an identifier with its hyphens.
const UUID_LEN: usize = 36;

/// Where its hyphens are.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

const TAG_MAX: usize = 32;

/// For each source the intervals of its transactions: in order, apart from each other, never none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(BTreeMap<Source, Vec<Interval>>);

/// Who has numbered a transaction: a server, or a group, and for MySQL 8.3 or newer a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    uuid: u128,
    tag: String,
}

/// Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Interval {
    first: u64,
    last: u64,
}

pub(super) fn parse(text: &str) -> Option<Intervals> {
    let mut intervals: BTreeMap<Source, Vec<Interval>> = BTreeMap::new();
    for of_one_server in text.split(',') {
        let mut parts = of_one_server.trim().split(':').map(str::trim);
        let mut source = Source { uuid: parse_uuid(parts.next()?)?, tag: String::new() };
        let mut lacks_numbers = true;
        for part in parts {
            if let Some(interval) = Interval::parse(part) {
                intervals.entry(source.clone()).or_default().push(interval);
                lacks_numbers = false;
            } else if lacks_numbers && !source.tag.is_empty() {
                return None;
            } else {
                source.tag = parse_tag(part)?;
                lacks_numbers = true;
            }
        }
        if lacks_numbers {
            return None;
        }
    }
    intervals.values_mut().for_each(normalise);
    Some(Intervals(intervals))
}

fn parse_uuid(text: &str) -> Option<u128> {
    let is_grouped =
        text.len() == UUID_LEN && HYPHENS.iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    let digits = text.replace('-', "");
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_grouped && is_hexadecimal && digits.len() == UUID_LEN - HYPHENS.len())
        .then(|| u128::from_str_radix(&digits, 16).ok())?
}

/// A tag is a word, and its letters have no case.
fn parse_tag(text: &str) -> Option<String> {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let starts_with_digit = text.starts_with(|first: char| first.is_ascii_digit());
    (is_word && !starts_with_digit && (1..=TAG_MAX).contains(&text.len()))
        .then(|| text.to_ascii_lowercase())
}

/// Sorts intervals, and joins those that touch.
fn normalise(intervals: &mut Vec<Interval>) {
    intervals.sort_unstable();
    intervals.dedup_by(|next, before| {
        let touches = next.first <= before.last + 1;
        if touches {
            before.last = before.last.max(next.last);
        }
        touches
    });
}

impl Interval {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let interval = Self { first: number(first.trim())?, last: number(last.trim())? };
        (1 <= interval.first && interval.first <= interval.last && interval.last < NUMBER_END)
            .then_some(interval)
    }
}

/// What is left of `own` without `theirs`; both are in order.
fn difference(own: &[Interval], theirs: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::new();
    for interval in own {
        let mut first = interval.first;
        let nearest = theirs.partition_point(|gone| gone.last < first);
        let reaching = theirs.iter().skip(nearest).take_while(|gone| gone.first <= interval.last);
        for gone in reaching {
            if first < gone.first {
                left.push(Interval { first, last: gone.first - 1 });
            }
            first = gone.last + 1;
        }
        if first <= interval.last {
            left.push(Interval { first, last: interval.last });
        }
    }
    left
}

impl Intervals {
    pub(super) fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(|(source, some)| {
            let all = self.0.get(source).map_or(&[][..], Vec::as_slice);
            some.iter().all(|interval| {
                let nearest = all.partition_point(|own| own.last < interval.first);
                let own = all.get(nearest);
                own.is_some_and(|own| own.first <= interval.first && interval.last <= own.last)
            })
        })
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (source, more) in other.0 {
            let intervals = self.0.entry(source).or_default();
            intervals.extend(more);
            normalise(intervals);
        }
    }

    pub(super) fn remove(&mut self, other: &Self) {
        self.0.retain(|source, intervals| {
            if let Some(gone) = other.0.get(source) {
                *intervals = difference(intervals, gone);
            }
            !intervals.is_empty()
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

impl fmt::Display for Intervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (source, intervals)) in self.0.iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            write!(f, "{comma}{source}")?;
            for interval in intervals {
                write!(f, ":{}", interval.first)?;
                if interval.first < interval.last {
                    write!(f, "-{}", interval.last)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.uuid);
        let mut start = 0;
        for (group, end) in [8, 12, 16, 20, 32].into_iter().enumerate() {
            let hyphen = if group > 0 { "-" } else { "" };
            write!(f, "{hyphen}{}", digits.get(start..end).unwrap_or_default())?;
            start = end;
        }
        match self.tag.as_str() {
            "" => Ok(()),
            tag => write!(f, ":{tag}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "4350f323-7565-4e59-8763-4b1b83a0ce0e";

    /// `a` and `b` stand for the identifiers of two servers.
    fn intervals(text: &str) -> Intervals {
        parse(&text.replace('a', A).replace('b', B)).unwrap()
    }

    fn shown(intervals: &Intervals) -> String {
        intervals.to_string().replace(A, "a").replace(B, "b")
    }

    #[test]
    fn comes_back_in_order() {
        for text in ["a:1", "a:1-5", "a:1-5:7:11-18", "a:1-5,b:2", "a:3,a:t_1:1-3:7"] {
            assert_eq!(shown(&intervals(text)), text);
        }
        assert_eq!(shown(&intervals("b:7,\na:5:1-2: 3 - 4 :4,b:1-3")), "a:1-5,b:1-3:7");
        assert_eq!(shown(&intervals("a:T:1:U:5-6")), "a:t:1,a:u:5-6");
        let upper = format!("{}:1", A.to_uppercase());
        assert_eq!(shown(&parse(&upper).unwrap()), "a:1");
    }

    #[test]
    fn an_interval_contains_what_lies_inside() {
        let executed = intervals("a:1-5:7-9,a:t:1-3,b:4");
        for some in ["a:1", "a:2-4:8-9", "a:1-5:7-9", "b:4,a:t:2"] {
            assert!(executed.contains(&intervals(some)), "{some}");
        }
        for more in ["a:6", "a:5-7", "a:10", "b:3", "a:t:4", "b:t:4"] {
            assert!(!executed.contains(&intervals(more)), "{more}");
        }
    }

    #[test]
    fn sets_add_up() {
        let mut written = intervals("a:1-2:7");
        written.merge(intervals("a:3-6,b:1"));
        assert_eq!((shown(&written).as_str(), written.len()), ("a:1-7,b:1", 2));
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest() {
        for (from, out, left) in [
            ("a:1-9", "a:3-4", "a:1-2:5-9"),
            ("a:1-9", "a:1-2:9", "a:3-8"),
            ("a:3-5", "a:1-9", ""),
            ("a:1-3:5-7", "a:2-6", "a:1:7"),
            ("a:5", "a:1-4:6-9", "a:5"),
            ("a:1,b:1", "b:1-7", "a:1"),
            ("a:t:1", "a:1", "a:t:1"),
        ] {
            let mut set = intervals(from);
            set.remove(&intervals(out));
            assert_eq!(shown(&set), left, "{from} without {out}");
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in [
            ":",
            "a",
            "a:",
            "a:0",
            "a:2-1",
            "a:1-",
            "a:-1",
            "a:1-2-3",
            "a:9223372036854775807",
            "a:t",
            "a:t:u:1",
            "a:1:t",
            "a:1,",
            "a:1x",
            "a:t-u:1",
            "1:1",
        ] {
            let text = text.replace('a', A);
            assert_eq!(parse(&text), None, "{text}");
        }
        assert_eq!(parse(&format!("{}:1", A.replace('-', "x"))), None);
        assert_eq!(parse(&format!("{A}:{}:1", "t".repeat(33))), None);
        assert_eq!(parse(&format!("{}:1", "é".repeat(18))), None);
    }
}
