//! Which functions a statement calls, and which of them the operator has put on a list.

use tidegate_sdk::sql_text::effects::{Effects, effects};
use tidegate_sdk::sql_text::{Dialect, Token, TokenKind};
use tidegate_sdk::{Config, ConfigError};

use crate::class::code;

/// The lists of the operator: `name`, or `database.name`; in PostgreSQL `schema.name`.
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
    pub(crate) fn may_write(&self, text: &[u8], found: Effects, dialect: Dialect) -> bool {
        let strangers = found.contains(Effects::FUNCTION_UNKNOWN);
        calls(text, dialect).any(|call| {
            let stored = || call.is_stored(strangers, dialect);
            call.is_in(&self.primary) || (stored() && !call.is_in(&self.replica))
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

/// What is known to act must not be sent to a replica by mistake. The lists are for whichever servers
/// the upstream has.
fn replica_problem(name: &str) -> Option<String> {
    let found = [Dialect::Mysql, Dialect::Postgres]
        .map(|dialect| effect_of_call(name.as_bytes(), dialect))
        .into_iter()
        .fold(Effects::default(), Effects::union);
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
    /// May it be a stored function? `strangers`: the statement calls one that is not known.
    fn is_stored(&self, strangers: bool, dialect: Dialect) -> bool {
        let plain = self.name.kind == TokenKind::Word;
        let unknown =
            || effect_of_call(self.name.bytes, dialect).contains(Effects::FUNCTION_UNKNOWN);
        match dialect {
            // No built-in one needs quotes or a database.
            Dialect::Mysql => self.database.is_some() || !plain || (strangers && unknown()),
            // Those have a schema: `pg_catalog.now()`.
            Dialect::Postgres => {
                let own = self.database.is_none_or(|schema| is(schema, b"pg_catalog"));
                strangers && (!plain || !own || unknown())
            }
        }
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

fn is(token: Token<'_>, word: &[u8]) -> bool {
    token.kind == TokenKind::Word && token.bytes.eq_ignore_ascii_case(word)
}

/// Whatever looks like a call: a name before an opening parenthesis.
fn calls(text: &[u8], dialect: Dialect) -> impl Iterator<Item = Call<'_>> {
    let mut before = [None::<Token<'_>>; 3];
    code(text, dialect).filter_map(move |token| {
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

fn effect_of_call(name: &[u8], dialect: Dialect) -> Effects {
    effects(&[b"SELECT ", name, b"("].concat(), dialect)
}
