//! What a session has said about itself, in a form that can be compared with what a connection has
//! heard, and said again where it has not.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

use tidegate_mysql_wire::command::Command;

/// More than this is not kept; the session then stays on its connection.
const ENTRIES_MAX: usize = 256;
const BYTES_MAX: usize = 64 << 10;

/// Keyed by chance: clients choose what is hashed.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Settings that shape how a statement is understood when it is prepared.
const SHAPING: [&[u8]; 4] = [DATABASE, b"names", b"sql_mode", b"sql_auto_is_null"];

/// The name of the current database among the settings.
pub(crate) const DATABASE: &[u8] = b"database";

/// A command that changed the state of the session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) command: Command,
    pub(crate) argument: Box<[u8]>,
    /// What it sets. Entries that set the same to a constant replace each other.
    pub(crate) names: Vec<Box<[u8]>>,
    /// What it sets depends on nothing that was said before.
    pub(crate) constant: bool,
}

impl Entry {
    fn hash(&self) -> u64 {
        HASHER.hash_one((self.command as u8, &self.argument))
    }

    fn sets(&self, name: &[u8]) -> bool {
        self.names.iter().any(|set| **set == *name)
    }

    /// It changes what a statement means that is prepared after it.
    pub(crate) fn shapes_statements(&self) -> bool {
        !self.constant
            || self.names.iter().any(|name| {
                SHAPING.contains(&&**name)
                    || name.starts_with(b"character_set")
                    || name.starts_with(b"collation")
            })
    }

    /// What this one sets is all set by the other.
    fn is_replaced_by(&self, other: &Self) -> bool {
        other.constant && self.names.iter().all(|name| other.sets(name))
    }
}

/// The commands in their order. A clone costs nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(Option<Arc<Said>>);

#[derive(Clone, Debug)]
struct Said {
    entries: Vec<Arc<Entry>>,
    bytes: usize,
    /// All are constant, and none sets what another sets: their order does not matter.
    orderless: bool,
    fingerprint: u64,
    shape: u64,
}

/// They are as many as they may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SettingsFull;

/// What a connection needs to hear to be where a session is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missed<'a> {
    Nothing,
    /// These, and then it is there.
    Entries(Vec<&'a Entry>),
    /// It has heard what the session has not said: a reset, and then everything.
    StartOver,
}

impl Settings {
    /// Equal for equal settings; different ones are equal as seldom as chance allows.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.0.as_ref().map_or(0, |said| said.fingerprint)
    }

    /// As [`Self::fingerprint`], of the settings that shape how statements are understood.
    pub(crate) fn shape(&self) -> u64 {
        self.0.as_ref().map_or(0, |said| said.shape)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.as_slice().iter().map(|entry| &**entry)
    }

    fn as_slice(&self) -> &[Arc<Entry>] {
        self.0.as_ref().map_or(&[], |said| &said.entries)
    }

    /// The same commands in the same order, or in another that comes to the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }

    /// What a connection that has heard `heard` needs to hear.
    pub(crate) fn missed_by(&self, heard: &Self) -> Missed<'_> {
        if self.is_same(heard) {
            return Missed::Nothing;
        }
        let (wanted, heard_entries) = (self.as_slice(), heard.as_slice());
        if let Some(rest) = wanted.strip_prefix(heard_entries) {
            return Missed::Entries(rest.iter().map(|entry| &**entry).collect());
        }
        let orderless = |settings: &Self| settings.0.as_ref().is_none_or(|said| said.orderless);
        if !orderless(self) || !orderless(heard) {
            return Missed::StartOver;
        }
        let missed: Vec<&Entry> = wanted
            .iter()
            .filter(|entry| !heard_entries.contains(entry))
            .map(|entry| &**entry)
            .collect();
        let replaced =
            |old: &Entry| old.names.iter().all(|name| missed.iter().any(|new| new.sets(name)));
        let gone = heard_entries.iter().filter(|entry| !wanted.contains(entry));
        if gone.into_iter().all(|old| replaced(old)) {
            Missed::Entries(missed)
        } else {
            Missed::StartOver
        }
    }

    /// Notes a command that the server has accepted.
    pub(crate) fn push(&mut self, entry: Arc<Entry>) -> Result<(), SettingsFull> {
        let said = Arc::make_mut(self.0.get_or_insert_with(|| Arc::new(Said::new())));
        said.push(entry)
    }
}

impl Said {
    fn new() -> Self {
        Self { entries: Vec::new(), bytes: 0, orderless: true, fingerprint: 0, shape: 0 }
    }

    fn push(&mut self, entry: Arc<Entry>) -> Result<(), SettingsFull> {
        // Where something depends on what came before, nothing that came before may go.
        if entry.constant && self.entries.iter().all(|before| before.constant) {
            self.entries.retain(|before| !before.is_replaced_by(&entry));
        } else if self.entries.last().is_some_and(|last| *last == entry && entry.constant) {
            return Ok(());
        }
        self.bytes = self.entries.iter().map(|entry| entry.argument.len()).sum();
        if self.entries.len() == ENTRIES_MAX || self.bytes + entry.argument.len() > BYTES_MAX {
            return Err(SettingsFull);
        }
        self.bytes += entry.argument.len();
        self.entries.push(entry);
        self.summarise();
        Ok(())
    }

    fn summarise(&mut self) {
        self.orderless = is_orderless(&self.entries);
        self.fingerprint = combined(&self.entries);
        // By themselves, or what shapes nothing would change the shape by its order.
        let shaping = self.entries.iter().filter(|entry| entry.shapes_statements());
        self.shape = combined(&shaping.cloned().collect::<Vec<_>>());
    }
}

/// All are constant, and none sets what another sets.
fn is_orderless(entries: &[Arc<Entry>]) -> bool {
    let mut names: Vec<&[u8]> =
        entries.iter().flat_map(|entry| &entry.names).map(|name| &**name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    names.len() == count && entries.iter().all(|entry| entry.constant)
}

/// No entries are 0; some are not, but by chance.
fn combined(entries: &[Arc<Entry>]) -> u64 {
    let orderless = is_orderless(entries);
    entries.iter().fold(0, |sum: u64, entry| match orderless {
        true => sum ^ entry.hash(),
        false => sum.rotate_left(7).wrapping_add(entry.hash()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(argument: &str, names: &[&str], constant: bool) -> Arc<Entry> {
        Arc::new(Entry {
            command: Command::Query,
            argument: argument.as_bytes().into(),
            names: names.iter().map(|name| name.as_bytes().into()).collect(),
            constant,
        })
    }

    fn settings(entries: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (argument, name) in entries {
            settings.push(entry(argument, &[name], true)).unwrap();
        }
        settings
    }

    fn missed(wanted: &Settings, heard: &Settings) -> Option<Vec<String>> {
        match wanted.missed_by(heard) {
            Missed::Nothing => Some(Vec::new()),
            Missed::StartOver => None,
            Missed::Entries(entries) => Some(
                entries
                    .iter()
                    .map(|entry| String::from_utf8_lossy(&entry.argument).into_owned())
                    .collect(),
            ),
        }
    }

    #[test]
    fn constants_replace_each_other_and_their_order_does_not_matter() {
        let one = settings(&[("SET a = 1", "a"), ("SET b = 1", "b"), ("SET a = 2", "a")]);
        let other = settings(&[("SET a = 2", "a"), ("SET b = 1", "b")]);
        assert_eq!(one.entries().count(), 2);
        assert!(one.is_same(&other) && one.fingerprint() == other.fingerprint());
        assert_eq!(one.missed_by(&other), Missed::Nothing);
    }

    #[test]
    fn a_connection_hears_what_it_has_missed() {
        let short = settings(&[("SET a = 1", "a")]);
        let long = settings(&[("SET a = 1", "a"), ("SET b = 1", "b")]);
        assert_eq!(missed(&long, &short).unwrap(), ["SET b = 1"]);
        assert_eq!(missed(&short, &long), None);
        let off = settings(&[("SET a = 0", "a"), ("SET b = 1", "b")]);
        assert_eq!(missed(&off, &long).unwrap(), ["SET a = 0"]);
        assert_eq!(missed(&long, &Settings::default()).unwrap(), ["SET a = 1", "SET b = 1"]);
    }

    #[test]
    fn what_depends_on_the_past_keeps_it() {
        let mut one = settings(&[("SET m = 'a'", "m")]);
        one.push(entry("SET m = CONCAT(@@m, 'b')", &["m"], false)).unwrap();
        one.push(entry("SET m = 'c'", &["m"], true)).unwrap();
        assert_eq!(one.entries().count(), 3);
        assert_eq!(missed(&one, &settings(&[("SET x = 1", "x")])), None);
        assert_eq!(missed(&one, &settings(&[("SET m = 'a'", "m")])).unwrap().len(), 2);
    }

    #[test]
    fn only_what_shapes_statements_counts_for_prepared_ones() {
        let one = settings(&[("SET autocommit = 0", "autocommit")]);
        let other = settings(&[("SET sql_mode = ''", "sql_mode")]);
        assert_eq!(one.shape(), Settings::default().shape());
        assert_ne!(other.shape(), Settings::default().shape());
        let mut both =
            settings(&[("SET NAMES latin1", "names"), ("SET sql_mode = ''", "sql_mode")]);
        let shape = both.shape();
        // These two have an order.
        both.push(entry("SET @a = 1, @b = 1", &["@a", "@b"], true)).unwrap();
        both.push(entry("SET @b = 2", &["@b"], true)).unwrap();
        assert_eq!(both.shape(), shape);
    }

    #[test]
    fn settings_are_bounded() {
        let mut settings = Settings::default();
        for n in 0..ENTRIES_MAX {
            settings.push(entry("SET", &[&format!("@{n}")], true)).unwrap();
        }
        assert_eq!(settings.push(entry("SET", &["@x"], true)), Err(SettingsFull));
        settings.push(entry("SET", &["@1"], true)).unwrap();
        assert_eq!(
            Settings::default().push(entry(&"x".repeat(BYTES_MAX + 1), &["a"], true)),
            Err(SettingsFull)
        );
    }
}
