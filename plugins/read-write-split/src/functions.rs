//! Which functions a statement calls, and which of them the operator has put on a list.

use tidegate_sdk::sql_text::effects::{Effects, effects};
use tidegate_sdk::sql_text::{Dialect, Token, TokenKind};
use tidegate_sdk::{Config, ConfigError};

use crate::class::code;

/// The lists of the operator: `name`, or `database.name`.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    /// Stored functions that a replica may run.
    replica: Vec<String>,
    /// Functions, of any sort, that only the primary may run.
    primary: Vec<String>,
}

impl Functions {
    pub(crate) fn from_config(config: &Config) -> Result<Self, ConfigError> {
        let functions = Self {
            replica: list(config, "replica_functions", replica_problem)?,
            primary: list(config, "primary_functions", |_| None)?,
        };
        let on_both =
            |name: &&String| functions.primary.iter().any(|p| p.eq_ignore_ascii_case(name));
        match functions.replica.iter().find(on_both) {
            Some(name) => {
                let problem = format!("{name:?} is among the primary_functions too");
                Err(ConfigError::new(problem).inside("replica_functions"))
            }
            None => Ok(functions),
        }
    }

    /// Does it call a function that may change data, for all that is known? `found` are its effects.
    pub(crate) fn may_write(&self, text: &[u8], found: Effects) -> bool {
        let strangers = found.contains(Effects::FUNCTION_UNKNOWN);
        calls(text).any(|call| {
            call.is_in(&self.primary) || (call.is_stored(strangers) && !call.is_in(&self.replica))
        })
    }
}

fn list(
    config: &Config,
    key: &str,
    problem: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, ConfigError> {
    let names = config.get_or(key, Vec::<String>::new())?;
    for (position, name) in names.iter().enumerate() {
        let odd = |c: char| c.is_whitespace() || "()`'\"".contains(c);
        let wrong = match name.contains(odd) || name.is_empty() {
            true => Some(format!("want the name of a function, found {name:?}")),
            false => problem(name),
        };
        if let Some(problem) = wrong {
            return Err(ConfigError::new(problem).inside(&position.to_string()).inside(key));
        }
    }
    Ok(names)
}

/// What is known to act must not be sent to a replica by mistake.
fn replica_problem(name: &str) -> Option<String> {
    let found = effect_of_call(name.as_bytes());
    let harmless = Effects::FUNCTION_UNKNOWN.contains(found) || name.contains('.');
    (!harmless).then(|| format!("{name}() is known to depend on its server or connection"))
}

/// `name(`, by its tokens.
#[derive(Clone, Copy)]
struct Call<'a> {
    database: Option<Token<'a>>,
    name: Token<'a>,
}

impl Call<'_> {
    /// May it be a stored function? No built-in one needs quotes or a database. `strangers`: the
    /// statement calls an unknown function without either.
    fn is_stored(&self, strangers: bool) -> bool {
        self.database.is_some()
            || self.name.kind != TokenKind::Word
            || (strangers && effect_of_call(self.name.bytes).contains(Effects::FUNCTION_UNKNOWN))
    }

    fn is_in(&self, list: &[String]) -> bool {
        let same = |token: Token<'_>, name: &str| {
            unquoted(token.bytes).eq_ignore_ascii_case(name.as_bytes())
        };
        list.iter().any(|listed| match listed.split_once('.') {
            Some((database, name)) => {
                same(self.name, name) && self.database.is_some_and(|token| same(token, database))
            }
            None => same(self.name, listed),
        })
    }
}

/// Whatever looks like a call: a name before an opening parenthesis.
fn calls(text: &[u8]) -> impl Iterator<Item = Call<'_>> {
    let mut before = [None::<Token<'_>>; 3];
    code(text).filter_map(move |token| {
        let [name, dot, database] = before;
        before = [Some(token), name, dot];
        let name = name.filter(|name| token.bytes == b"(" && is_name(*name))?;
        let qualified = dot.is_some_and(|dot| dot.bytes == b".");
        Some(Call { database: database.filter(|_| qualified), name })
    })
}

/// With `ANSI_QUOTES`, a name may look like a string.
fn is_name(token: Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::QuotedName)
        || token.bytes.first() == Some(&b'"')
}

fn unquoted(name: &[u8]) -> &[u8] {
    match name {
        [b'`', name @ .., b'`'] | [b'"', name @ .., b'"'] => name,
        name => name,
    }
}

fn effect_of_call(name: &[u8]) -> Effects {
    effects(&[b"SELECT ", name, b"("].concat(), Dialect::Mysql)
}
