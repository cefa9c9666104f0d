//! What a session has said about itself, in a form that can be compared with what a connection has
//! heard, and said again where it has not.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

/// More than this is not kept; the session then stays on its connection.
const ENTRIES_MAX: usize = 256;
const BYTES_MAX: usize = 64 << 10;

/// Keyed by chance: clients choose what is hashed.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What is set before anything else: it undoes the other.
const FIRST: &str = "session_authorization";

/// They are as many as they may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SettingsFull;

/// The statement that each name was set by, where it is not what the login gave it. A clone costs
/// nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(Option<Arc<Said>>);

#[derive(Clone, Debug, Default)]
struct Said {
    statements: BTreeMap<Box<str>, Arc<str>>,
    fingerprint: u64,
}

impl Settings {
    /// Equal for equal settings; different ones are equal as seldom as chance allows. 0 for none.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.0.as_ref().map_or(0, |said| said.fingerprint)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }

    /// Notes a statement that sets this name.
    pub(crate) fn set(&mut self, name: &str, statement: &str) -> Result<(), SettingsFull> {
        let said = Arc::make_mut(self.0.get_or_insert_default());
        let bytes: usize = said.statements.values().map(|statement| statement.len()).sum();
        if said.statements.len() >= ENTRIES_MAX || bytes + statement.len() > BYTES_MAX {
            return Err(SettingsFull);
        }
        said.statements.insert(name.into(), statement.into());
        said.summarise();
        Ok(())
    }

    /// The name has again what the login gave it.
    pub(crate) fn reset(&mut self, name: &str) {
        if let Some(said) = &mut self.0
            && said.statements.contains_key(name)
        {
            let said = Arc::make_mut(said);
            said.statements.remove(name);
            said.summarise();
        }
    }

    /// All have, but the two that say who the user is.
    pub(crate) fn reset_all(&mut self) {
        if let Some(said) = &mut self.0 {
            let said = Arc::make_mut(said);
            said.statements.retain(|name, _| matches!(&**name, FIRST | "role"));
            said.summarise();
        }
    }

    /// Sets what these set.
    pub(crate) fn add(&mut self, others: &Self) {
        for (name, statement) in others.0.iter().flat_map(|said| &said.statements) {
            // They are no more than a login can say.
            let _ = self.set(name, statement);
        }
    }

    /// As [`Self::add`], of one name.
    pub(crate) fn add_one(&mut self, others: &Self, name: &str) {
        let statement = others.0.as_ref().and_then(|said| said.statements.get(name));
        if let Some(statement) = statement {
            let _ = self.set(name, statement);
        }
    }

    /// What a connection that has heard `heard` needs to hear, as one text; `None` for nothing.
    pub(crate) fn missed_by(&self, heard: &Self) -> Option<String> {
        if self.is_same(heard) {
            return None;
        }
        let none = BTreeMap::new();
        let of = |settings: &'_ Self| settings.0.as_ref().map(|said| said.statements.clone());
        let (wanted, heard) = (of(self), of(heard));
        let (wanted, heard) = (wanted.as_ref().unwrap_or(&none), heard.as_ref().unwrap_or(&none));
        let gone = heard.keys().filter(|name| !wanted.contains_key(*name));
        let resets = gone.map(|name| (name, format!("RESET {}", quoted(name))));
        let news = wanted.iter().filter(|(name, statement)| heard.get(*name) != Some(*statement));
        let sets = news.map(|(name, statement)| (name, statement.to_string()));
        let mut all: Vec<_> = resets.chain(sets).collect();
        all.sort_by_key(|(name, _)| ***name != *FIRST);
        let all: Vec<String> = all.into_iter().map(|(_, statement)| statement).collect();
        Some(all.join("; "))
    }
}

impl Said {
    fn summarise(&mut self) {
        let all = self.statements.iter();
        self.fingerprint = all.fold(0, |sum, entry| sum ^ HASHER.hash_one(entry));
    }
}

/// A name as `RESET` takes it: one or more words with points between them.
fn quoted(name: &str) -> String {
    match name {
        FIRST => "SESSION AUTHORIZATION".to_owned(),
        name => {
            let parts: Vec<String> =
                name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
            parts.join(".")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(entries: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, statement) in entries {
            settings.set(name, statement).unwrap();
        }
        settings
    }

    #[test]
    fn a_connection_hears_what_it_has_missed() {
        let wanted = settings(&[("a", "SET a = 1"), ("b.c", "SET b.c = 2")]);
        assert_eq!(wanted.missed_by(&wanted.clone()), None);
        assert_eq!(wanted.missed_by(&Settings::default()).unwrap(), "SET a = 1; SET b.c = 2");
        let heard = settings(&[("a", "SET a = 1"), ("b.c", "SET b.c = 3"), ("d.e", "SET d.e = 4")]);
        assert_eq!(wanted.missed_by(&heard).unwrap(), "RESET \"d\".\"e\"; SET b.c = 2");
        assert_eq!(
            Settings::default().missed_by(&wanted).unwrap(),
            "RESET \"a\"; RESET \"b\".\"c\""
        );
    }

    #[test]
    fn who_the_user_is_comes_first() {
        let wanted = settings(&[("role", "SET ROLE x"), (FIRST, "SET SESSION AUTHORIZATION y")]);
        let missed = wanted.missed_by(&Settings::default()).unwrap();
        assert_eq!(missed, "SET SESSION AUTHORIZATION y; SET ROLE x");
        let mut reset = wanted.clone();
        reset.set("a", "SET a = 1").unwrap();
        reset.reset_all();
        assert!(reset.is_same(&wanted));
    }

    #[test]
    fn what_is_reset_is_as_if_it_had_not_been_said() {
        let mut settings = settings(&[("a", "SET a = 1")]);
        settings.reset("b");
        settings.reset("a");
        assert_eq!(settings.fingerprint(), 0);
    }

    #[test]
    fn there_is_a_limit() {
        let mut settings = Settings::default();
        for n in 0..ENTRIES_MAX {
            settings.set(&format!("x.n{n}"), "SET").unwrap();
        }
        assert_eq!(settings.set("x.more", "SET"), Err(SettingsFull));
        let mut settings = Settings::default();
        assert_eq!(settings.set("x", &"x".repeat(BYTES_MAX + 1)), Err(SettingsFull));
    }
}
