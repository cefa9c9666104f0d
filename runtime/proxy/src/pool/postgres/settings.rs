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

/// Who the session acts for. The first forgets the second.
const WHO: [&str; 2] = ["session_authorization", "role"];

/// What changes nothing about how a statement is understood.
const APPLICATION_NAME: &str = "application_name";

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
    shape: u64,
}

impl Settings {
    /// Equal for equal settings; different ones are equal as seldom as chance allows. 0 for none.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.0.as_ref().map_or(0, |said| said.fingerprint)
    }

    /// As [`Self::fingerprint`], of what may change how a statement is understood.
    pub(crate) fn shape(&self) -> u64 {
        self.0.as_ref().map_or(0, |said| said.shape)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }

    /// Whether this name is set.
    pub(crate) fn has(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.0.as_ref().is_some_and(|said| said.statements.contains_key(&*name))
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
            said.statements.retain(|name, _| WHO.contains(&&**name));
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
        // What is set is set as who has logged in, and then the session is whoever it wants to be.
        let is_who = |name: &str| WHO.contains(&name);
        let changes_who = heard.keys().chain(wanted.keys()).any(|name| is_who(name));
        let mut all: Vec<String> = Vec::new();
        if changes_who {
            all.push("RESET SESSION AUTHORIZATION".to_owned());
            all.push("RESET ROLE".to_owned());
        }
        let gone = heard.keys().filter(|name| !wanted.contains_key(*name) && !is_who(name));
        all.extend(gone.map(|name| format!("RESET {}", quoted(name))));
        let news = wanted.iter().filter(|(name, statement)| heard.get(*name) != Some(*statement));
        all.extend(
            news.filter(|(name, _)| !is_who(name)).map(|(_, statement)| statement.to_string()),
        );
        all.extend(WHO.iter().filter_map(|name| wanted.get(*name)).map(|said| said.to_string()));
        Some(all.join("; "))
    }
}

impl Said {
    fn summarise(&mut self) {
        let hash = |name: &str, statement: &str| HASHER.hash_one((name, statement));
        let all = self.statements.iter().map(|(name, statement)| hash(name, statement));
        self.fingerprint = all.fold(0, |sum, hash| sum ^ hash);
        let name = self.statements.get(APPLICATION_NAME);
        self.shape = self.fingerprint ^ name.map_or(0, |said| hash(APPLICATION_NAME, said));
    }
}

/// A name as `RESET` takes it: one or more words with points between them.
fn quoted(name: &str) -> String {
    let part = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Settings {
        fn statements(&self) -> impl Iterator<Item = &str> {
            self.0.iter().flat_map(|said| said.statements.values()).map(|said| &**said)
        }
    }

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
    fn who_the_session_acts_for_comes_last() {
        let wanted = settings(&[
            ("role", "SET ROLE x"),
            ("session_authorization", "SET SESSION AUTHORIZATION y"),
            ("session_replication_role", "SET session_replication_role = z"),
        ]);
        let missed = wanted.missed_by(&Settings::default()).unwrap();
        assert_eq!(
            missed,
            "RESET SESSION AUTHORIZATION; RESET ROLE; SET session_replication_role = z; \
             SET SESSION AUTHORIZATION y; SET ROLE x"
        );
        let back = Settings::default().missed_by(&wanted).unwrap();
        assert_eq!(
            back,
            "RESET SESSION AUTHORIZATION; RESET ROLE; RESET \"session_replication_role\""
        );
        let mut reset = wanted.clone();
        reset.set("a", "SET a = 1").unwrap();
        reset.reset_all();
        assert!(reset.statements().eq(["SET ROLE x", "SET SESSION AUTHORIZATION y"]));
    }

    #[test]
    fn the_name_of_an_application_shapes_nothing() {
        let named = settings(&[("application_name", "SET application_name = 'a'")]);
        assert_eq!(named.shape(), 0);
        let both = settings(&[("application_name", "SET application_name = 'b'"), ("a", "SET")]);
        assert_eq!(both.shape(), settings(&[("a", "SET")]).shape());
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
