//! What a statement names on its connection: prepared statements, cursors, channels, temporary tables.

use std::ops::Range;

use super::name;
use crate::lexer::{Lexeme, Lexer, Postgres, TokenKind};

/// A name in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As the server knows it: in lower case unless it is quoted, without quotes.
    pub name: Box<[u8]>,
    /// Where it stands in the text.
    pub at: Range<usize>,
}

/// One or all of a sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    One(Name),
}

/// What a statement does with something that has a name on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// `PREPARE name … AS …`
    Prepare(Name),
    /// `EXECUTE name`. Behind `EXPLAIN` and in `CREATE TABLE … AS` it is not seen here, but among the
    /// [effects](crate::effects::Effects::SQL_PREPARE).
    Execute(Name),
    Deallocate(Which),
    /// `DECLARE name CURSOR`
    Declare {
        cursor: Name,
        /// `WITH HOLD`: it outlives its transaction.
        held: bool,
    },
    /// `CLOSE` of a cursor.
    Close(Which),
    Listen(Name),
    Unlisten(Which),
    /// A temporary table, view or sequence, also by `SELECT … INTO TEMP`.
    CreateTemporary {
        name: Name,
        /// `ON COMMIT DROP`: it does not outlive its transaction.
        until_commit: bool,
    },
    /// Tables, views or sequences, without those that are qualified by any schema but `pg_temp`.
    Drop(Vec<Name>),
}

/// Reads a text that is one statement. `None`: it does none of these, or not in a way that is
/// understood (a name with escapes, `U&"…"`).
///
/// ```
/// use tidegate_sql::postgres::{Object, object};
///
/// let Some(Object::Prepare(name)) = object(b"PREPARE Q (int) AS SELECT $1") else { panic!() };
/// assert_eq!((&*name.name, name.at), (&b"q"[..], 8..9));
/// ```
#[must_use]
pub fn object(text: &[u8]) -> Option<Object> {
    let mut reader = Reader { lexer: Lexer::new(text) };
    let verb = reader.word()?;
    let is = |word: &str| verb.eq_ignore_ascii_case(word.as_bytes());
    match () {
        () if is("prepare") => prepare(reader),
        () if is("execute") => reader.name().map(Object::Execute),
        () if is("deallocate") => {
            // The word is not reserved: it may be the name.
            let mut ahead = reader.clone();
            if ahead.skip("prepare") && !ahead.is_at_end() {
                reader = ahead;
            }
            reader.which("all").map(Object::Deallocate)
        }
        () if is("declare") => declare(reader),
        () if is("close") => reader.which("all").map(Object::Close),
        () if is("listen") => reader.name().map(Object::Listen),
        () if is("unlisten") => reader.which("*").map(Object::Unlisten),
        () if is("create") => create(reader),
        () if is("drop") => drop(reader),
        () if is("select") || is("with") || is("values") || is("table") => into(reader),
        () => None,
    }
}

/// The tokens of a statement, comments left out.
#[derive(Clone)]
struct Reader<'a> {
    lexer: Lexer<'a, Postgres>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Lexeme> {
        self.lexer.next_code().filter(|lexeme| lexeme.packed != u64::from(b';'))
    }

    fn peek(&self) -> Option<Lexeme> {
        self.clone().next()
    }

    fn is_at_end(&self) -> bool {
        self.peek().is_none()
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        let lexeme = self.next()?;
        (lexeme.kind == TokenKind::Word).then(|| self.lexer.bytes(&lexeme))
    }

    /// Passes over this word, or sign, if it comes next.
    fn skip(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead.next().is_some_and(|lexeme| {
            matches!(lexeme.kind, TokenKind::Word | TokenKind::Punctuation)
                && ahead.lexer.bytes(&lexeme).eq_ignore_ascii_case(word.as_bytes())
        });
        if found {
            *self = ahead;
        }
        found
    }

    /// Passes over these words if they come next, all of them.
    fn skip_all(&mut self, words: &[&str]) -> bool {
        let mut ahead = self.clone();
        let found = words.iter().all(|word| ahead.skip(word));
        if found {
            *self = ahead;
        }
        found
    }

    fn name(&mut self) -> Option<Name> {
        let lexeme = self.next()?;
        let name = name(lexeme.kind, self.lexer.bytes(&lexeme))?;
        Some(Name { name, at: lexeme.start..lexeme.end })
    }

    fn which(&mut self, all: &str) -> Option<Which> {
        if self.skip(all) { Some(Which::All) } else { self.name().map(Which::One) }
    }

    /// A name that may be qualified: its last part, and the schema before it.
    fn qualified(&mut self) -> Option<(Option<Name>, Name)> {
        let mut schema = None;
        let mut name = self.name()?;
        while self.skip(".") {
            schema = Some(std::mem::replace(&mut name, self.name()?));
        }
        Some((schema, name))
    }

    /// Moves behind these words, wherever they stand.
    fn find(&mut self, words: &[&str]) -> bool {
        loop {
            if self.skip_all(words) {
                return true;
            }
            if self.next().is_none() {
                return false;
            }
        }
    }
}

fn prepare(mut reader: Reader<'_>) -> Option<Object> {
    let name = reader.name()?;
    // Not `PREPARE TRANSACTION 'a'`.
    let transaction = reader.peek().is_some_and(|next| next.kind == TokenKind::String);
    (!transaction).then_some(Object::Prepare(name))
}

fn declare(mut reader: Reader<'_>) -> Option<Object> {
    let cursor = reader.name()?;
    reader
        .find(&["cursor"])
        .then(|| Object::Declare { cursor, held: reader.skip_all(&["with", "hold"]) })
}

fn create(mut reader: Reader<'_>) -> Option<Object> {
    reader.skip_all(&["or", "replace"]);
    let temporary = skip_temporary(&mut reader);
    reader.skip("recursive");
    if !(reader.skip("table") || reader.skip("view") || reader.skip("sequence")) {
        return None;
    }
    reader.skip_all(&["if", "not", "exists"]);
    let (schema, name) = reader.qualified()?;
    let temporary = temporary || schema.is_some_and(|schema| is_temporary(&schema));
    let until_commit = reader.find(&["on", "commit", "drop"]);
    temporary.then_some(Object::CreateTemporary { name, until_commit })
}

/// `SELECT … INTO TEMP name`
fn into(mut reader: Reader<'_>) -> Option<Object> {
    while reader.find(&["into"]) {
        let temporary = skip_temporary(&mut reader);
        reader.skip("table");
        let mut ahead = reader.clone();
        let Some((schema, name)) = ahead.qualified() else { continue };
        if temporary || schema.is_some_and(|schema| is_temporary(&schema)) {
            return Some(Object::CreateTemporary { name, until_commit: false });
        }
    }
    None
}

fn skip_temporary(reader: &mut Reader<'_>) -> bool {
    let mut ahead = reader.clone();
    let _ = ahead.skip("local") || ahead.skip("global");
    let temporary = ahead.skip("temp") || ahead.skip("temporary");
    if temporary {
        *reader = ahead;
    }
    temporary
}

fn is_temporary(schema: &Name) -> bool {
    schema.name.starts_with(b"pg_temp")
}

fn drop(mut reader: Reader<'_>) -> Option<Object> {
    if !(reader.skip("table") || reader.skip("view") || reader.skip("sequence")) {
        return None;
    }
    reader.skip_all(&["if", "exists"]);
    let mut names = Vec::new();
    loop {
        let (schema, name) = reader.qualified()?;
        if schema.is_none_or(|schema| is_temporary(&schema)) {
            names.push(name);
        }
        if !reader.skip(",") {
            return Some(Object::Drop(names));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read, with names for names and without their places.
    fn of(text: &str) -> Option<String> {
        let show = |name: &Name| {
            let quoted = text[name.at.clone()].starts_with('"');
            let shown = String::from_utf8(name.name.to_vec()).unwrap();
            assert!(quoted || text[name.at.clone()].eq_ignore_ascii_case(&shown), "{text}");
            shown
        };
        let which = |which: &Which| match which {
            Which::All => "*".to_owned(),
            Which::One(name) => show(name),
        };
        Some(match object(text.as_bytes())? {
            Object::Prepare(name) => format!("prepare {}", show(&name)),
            Object::Execute(name) => format!("execute {}", show(&name)),
            Object::Deallocate(name) => format!("deallocate {}", which(&name)),
            Object::Declare { cursor, held: false } => format!("declare {}", show(&cursor)),
            Object::Declare { cursor, held: true } => format!("hold {}", show(&cursor)),
            Object::Close(name) => format!("close {}", which(&name)),
            Object::Listen(name) => format!("listen {}", show(&name)),
            Object::Unlisten(name) => format!("unlisten {}", which(&name)),
            Object::CreateTemporary { name, until_commit: false } => {
                format!("create {}", show(&name))
            }
            Object::CreateTemporary { name, until_commit: true } => {
                format!("until {}", show(&name))
            }
            Object::Drop(names) => {
                format!("drop {}", names.iter().map(show).collect::<Vec<_>>().join(","))
            }
        })
    }

    #[test]
    fn names_are_read() {
        for (text, expected) in [
            ("PREPARE S AS SELECT 1", "prepare s"),
            ("prepare \"S\" (int) AS SELECT $1", "prepare S"),
            ("PREPARE transaction AS SELECT 1", "prepare transaction"),
            ("/* c */ EXECUTE s(1)", "execute s"),
            ("EXECUTE /* c */ s;", "execute s"),
            ("DEALLOCATE s", "deallocate s"),
            ("DEALLOCATE PREPARE \"s\"\"s\"", "deallocate s\"s"),
            ("DEALLOCATE prepare", "deallocate prepare"),
            ("DEALLOCATE \"all\"", "deallocate all"),
            ("DEALLOCATE ALL", "deallocate *"),
            ("DEALLOCATE PREPARE all", "deallocate *"),
            ("DECLARE C CURSOR FOR SELECT 1", "declare c"),
            ("DECLARE c BINARY NO SCROLL CURSOR WITH HOLD FOR SELECT 1", "hold c"),
            ("DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", "declare c"),
            ("DECLARE c CURSOR FOR SELECT 'a' WITH HOLD", "declare c"),
            ("CLOSE c", "close c"),
            ("CLOSE ALL", "close *"),
            ("LISTEN Ab", "listen ab"),
            ("UNLISTEN \"Ab\"", "unlisten Ab"),
            ("UNLISTEN *", "unlisten *"),
            ("CREATE TEMP TABLE T (a int)", "create t"),
            ("CREATE LOCAL TEMPORARY TABLE IF NOT EXISTS t AS SELECT 1", "create t"),
            ("CREATE TEMP TABLE t (a int) ON COMMIT DROP", "until t"),
            ("CREATE TEMP TABLE t ON COMMIT DELETE ROWS AS SELECT 1", "create t"),
            ("CREATE TABLE pg_temp.\"T\" (a int)", "create T"),
            ("CREATE OR REPLACE TEMP RECURSIVE VIEW v (a) AS SELECT 1", "create v"),
            ("CREATE TEMPORARY SEQUENCE s", "create s"),
            ("SELECT 1 INTO TEMP t", "create t"),
            ("WITH a AS (SELECT 1) SELECT * INTO LOCAL TEMPORARY TABLE t FROM a", "create t"),
            ("DROP TABLE T, public.u, pg_temp.v CASCADE", "drop t,v"),
            ("DROP VIEW IF EXISTS v;", "drop v"),
        ] {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn all_else_is_none() {
        for text in [
            "",
            "SELECT 1",
            "SELECT a INTO t FROM u",
            "PREPARE",
            "PREPARE TRANSACTION 'a'",
            "PREPARE U&\"a\" AS SELECT 1",
            "EXECUTE 's'",
            "EXECUTE;",
            "DEALLOCATE",
            "DECLARE c",
            "CREATE TABLE t (a int) ON COMMIT DROP",
            "CREATE UNLOGGED TABLE t (a int)",
            "CREATE TABLE public.pg_temp (a int)",
            "CREATE FUNCTION pg_temp.f() RETURNS int AS $$ $$",
            "DROP INDEX t",
            "DROP TABLE",
            "INSERT INTO temp t VALUES (1)",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
