//! What a statement does beside what its kind says: what it locks, changes, leaves behind, or
//! depends on. For who must decide whether it may run on another server, or another connection.
//!
//! Read off the tokens, and on the safe side: a word that might do harm counts as doing it.

mod postgres;

use std::ops::BitOr;

use crate::functions::{self, FunctionClass};
use crate::{Dialect, Token, TokenKind, tokens};

/// A set of effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effects(u32);

impl Effects {
    /// `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`: locks the rows that it reads.
    pub const LOCKS: Self = Self(1);
    /// Holds a verb that changes rows somewhere, also inside a `WITH` or behind `EXPLAIN ANALYZE`.
    pub const WRITES: Self = Self(1 << 1);
    /// `SELECT … INTO` a variable or a file; in PostgreSQL a table.
    pub const INTO: Self = Self(1 << 2);
    /// Reads or sets a variable of the session: `@name`, `:=`. With [`Self::SETS_VARIABLE`] if it may
    /// set one.
    pub const USER_VARIABLE: Self = Self(1 << 3);
    /// `GET_LOCK()`, `pg_advisory_lock()` and their kin: locks that belong to the connection.
    pub const NAMED_LOCK: Self = Self(1 << 4);
    /// `LOCK TABLES`, `UNLOCK TABLES`, `FLUSH TABLES WITH READ LOCK`, `HANDLER`.
    pub const TABLE_LOCK: Self = Self(1 << 5);
    /// Creates or drops a table that only this connection sees.
    pub const TEMPORARY_TABLE: Self = Self(1 << 6);
    /// `PREPARE`, `EXECUTE`, `DEALLOCATE`: statements that have a name on the connection.
    pub const SQL_PREPARE: Self = Self(1 << 7);
    /// `SET` or `USE`, as the statement or as one of several; in PostgreSQL also `RESET` and `DISCARD`.
    pub const SESSION_STATE: Self = Self(1 << 8);
    /// `FOUND_ROWS()`, `@@warning_count`, `SHOW WARNINGS`: depends on the statement before it on the
    /// same connection, or is about to be asked for.
    pub const DIAGNOSTICS: Self = Self(1 << 9);
    /// Calls a function that is known to do something: `SLEEP()`, `NEXTVAL()`, `UUID_SHORT()`,
    /// `pg_notify()`; or that tells of this very connection: `CONNECTION_ID()`, `pg_backend_pid()`.
    pub const FUNCTION_ACTS: Self = Self(1 << 10);
    /// Calls a function that is not known, such as a stored one, which may do anything. In PostgreSQL
    /// also what the server itself calls volatile, such as `random()`.
    pub const FUNCTION_UNKNOWN: Self = Self(1 << 11);
    /// Reads a system variable, which may differ between servers and connections.
    pub const SYSTEM_VARIABLE: Self = Self(1 << 12);

    /// `LAST_INSERT_ID()`, `@@identity`, `currval()`, `lastval()`: depends on the last insertion on the
    /// same connection.
    pub const LAST_INSERT_ID: Self = Self(1 << 13);

    /// Sets a variable of the session, for all that can be seen: `:=`, `INTO @name`, `CALL p(@name)`.
    pub const SETS_VARIABLE: Self = Self(1 << 14);
    /// `XA`: a transaction that is not ended by `COMMIT`. In PostgreSQL `PREPARE TRANSACTION`, and what
    /// settles one that is prepared.
    pub const XA: Self = Self(1 << 15);

    // What only PostgreSQL has.

    /// `LOCK`, `pg_advisory_xact_lock()` and its kin: locks that the end of the transaction lets go.
    pub const TRANSACTION_LOCK: Self = Self(1 << 16);
    /// `LISTEN`, `UNLISTEN`: what the connection is told of.
    pub const LISTEN: Self = Self(1 << 17);
    /// `DECLARE`, `FETCH`, `MOVE`, `CLOSE`: a cursor, which lasts as long as its transaction.
    pub const CURSOR: Self = Self(1 << 18);
    /// `DECLARE … WITH HOLD`: a cursor that outlives its transaction. With [`Self::CURSOR`].
    pub const HELD_CURSOR: Self = Self(1 << 19);
    /// `COPY`, in either direction: rows travel in messages of their own, or the server reads or
    /// writes a file.
    pub const COPY: Self = Self(1 << 20);
    /// `LOAD`: code that is loaded into the process of this connection.
    pub const LOADS_LIBRARY: Self = Self(1 << 21);
    /// `set_config()`, `setseed()`: changes the session by a function, so that no `SET` tells of it. A
    /// `set_config()` whose last argument is the word `true` lasts for the transaction and is not meant.
    pub const SESSION_FUNCTION: Self = Self(1 << 22);

    /// No effect at all.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Some of `other` are among these.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These and those.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitOr for Effects {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

/// The effects of a whole text, which may be several statements.
///
/// ```
/// use tidegate_sql::Dialect;
/// use tidegate_sql::effects::{Effects, effects};
///
/// assert!(effects(b"SELECT a FROM t WHERE b = 1", Dialect::Mysql).is_empty());
/// assert_eq!(effects(b"SELECT a FROM t FOR UPDATE", Dialect::Mysql), Effects::LOCKS);
/// ```
#[must_use]
pub fn effects(text: &[u8], dialect: Dialect) -> Effects {
    match dialect {
        Dialect::Mysql => mysql(text),
        Dialect::Postgres => postgres::effects(text),
    }
}

fn mysql(text: &[u8]) -> Effects {
    let mut found = Effects::default();
    let mut reader = Reader::default();
    for token in tokens(text, Dialect::Mysql) {
        if token.kind != TokenKind::Comment {
            found.insert(reader.read(token));
        }
    }
    found
}

/// The words before the one at hand, as far as they matter.
#[derive(Default)]
struct Reader<'a> {
    /// The first word of the statement at hand.
    verb: &'a [u8],
    /// The last three words or signs, the latest first.
    before: [&'a [u8]; 3],
    before_kind: Option<TokenKind>,
    started: bool,
    /// `INTO` came, which a list of variables may follow.
    into: bool,
    /// `INSERT` or `REPLACE` came, which is a function if an opening parenthesis follows.
    maybe_write: bool,
}

impl<'a> Reader<'a> {
    fn read(&mut self, token: Token<'a>) -> Effects {
        let mut effect = match token.kind {
            TokenKind::Word if !self.started => self.verb(token.bytes),
            TokenKind::Word => self.word(token.bytes),
            TokenKind::Punctuation if token.bytes == b"(" => self.call(),
            TokenKind::UserVariable => self.user_variable(),
            TokenKind::SystemVariable => Effects::SYSTEM_VARIABLE | system_variable(token.bytes),
            TokenKind::Punctuation if token.bytes == b"=" && self.before[0] == b":" => {
                Effects::USER_VARIABLE | Effects::SETS_VARIABLE
            }
            _ => Effects::default(),
        };
        if std::mem::take(&mut self.maybe_write) && token.bytes != b"(" {
            effect.insert(Effects::WRITES);
        }
        self.maybe_write = token.kind == TokenKind::Word
            && (token.bytes.eq_ignore_ascii_case(b"INSERT")
                || token.bytes.eq_ignore_ascii_case(b"REPLACE"));
        if token.bytes == b";" && token.kind == TokenKind::Punctuation {
            *self = Self::default();
            return effect;
        }
        self.into |= effect.contains(Effects::INTO);
        self.before = [token.bytes, self.before[0], self.before[1]];
        self.before_kind = Some(token.kind);
        effect
    }

    /// A variable is read where a value may stand; elsewhere it may be set.
    fn user_variable(&self) -> Effects {
        const READING: [&[u8]; 11] = [
            b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"REPLACE", b"WITH", b"VALUES", b"DO",
            b"EXECUTE", b"EXPLAIN", b"SHOW",
        ];
        let reads = READING.iter().any(|verb| verb.eq_ignore_ascii_case(self.verb));
        if reads && !self.into {
            return Effects::USER_VARIABLE;
        }
        Effects::USER_VARIABLE | Effects::SETS_VARIABLE
    }

    /// An opening parenthesis: what stands before it may be the name of a function.
    fn call(&self) -> Effects {
        let [name, before, _] = self.before;
        match self.before_kind {
            Some(TokenKind::Word) if before != b"." => function(name, before),
            // A qualified or quoted name is none of the server's own functions.
            Some(TokenKind::Word | TokenKind::QuotedName) => Effects::FUNCTION_UNKNOWN,
            _ => Effects::default(),
        }
    }

    /// The first word of a statement.
    fn verb(&mut self, word: &'a [u8]) -> Effects {
        (self.verb, self.started) = (word, true);
        match upper(word).as_slice() {
            b"SET" | b"USE" => Effects::SESSION_STATE,
            b"PREPARE" | b"EXECUTE" | b"DEALLOCATE" => Effects::SQL_PREPARE,
            b"LOCK" | b"UNLOCK" | b"HANDLER" | b"BACKUP" => Effects::TABLE_LOCK,
            b"INSERT" | b"UPDATE" | b"DELETE" | b"REPLACE" | b"LOAD" => Effects::WRITES,
            b"XA" => Effects::XA,
            _ => Effects::default(),
        }
    }

    fn word(&self, word: &[u8]) -> Effects {
        let [last, before_last, _] = self.before;
        let after = |expected: &[u8]| last.eq_ignore_ascii_case(expected);
        let verb = |expected: &[u8]| self.verb.eq_ignore_ascii_case(expected);
        match upper(word).as_slice() {
            b"UPDATE" if after(b"FOR") => Effects::LOCKS,
            b"SHARE" if after(b"FOR") || after(b"IN") => Effects::LOCKS,
            // `ON UPDATE`, `KEY UPDATE` belong to statements that are no reads anyway.
            b"UPDATE" | b"DELETE" => Effects::WRITES,
            b"INTO" if !verb(b"INSERT") && !verb(b"REPLACE") && !verb(b"LOAD") => Effects::INTO,
            b"TEMPORARY" if after(b"CREATE") || after(b"DROP") || after(b"REPLACE") => {
                Effects::TEMPORARY_TABLE
            }
            b"TABLES" if verb(b"FLUSH") => Effects::TABLE_LOCK,
            b"WARNINGS" | b"ERRORS" if verb(b"SHOW") => Effects::DIAGNOSTICS,
            b"DIAGNOSTICS" if verb(b"GET") => Effects::DIAGNOSTICS,
            b"SQL_CALC_FOUND_ROWS" => Effects::DIAGNOSTICS,
            b"VALUE" if after(b"NEXT") || after(b"PREVIOUS") => Effects::FUNCTION_ACTS,
            // `s.NEXTVAL`, in the Oracle mode of MariaDB.
            b"NEXTVAL" | b"CURRVAL" if last == b"." => Effects::FUNCTION_ACTS,
            b"FOR" if after(b"VALUE") && before_last.eq_ignore_ascii_case(b"NEXT") => {
                Effects::FUNCTION_ACTS
            }
            _ => Effects::default(),
        }
    }
}

/// What reading a system variable means that tells of the statement before, as some functions do.
fn system_variable(variable: &[u8]) -> Effects {
    let name = variable.rsplit(|byte| matches!(byte, b'.' | b'@')).next().unwrap_or_default();
    let name = name.strip_prefix(b"`").unwrap_or(name);
    match upper(name.strip_suffix(b"`").unwrap_or(name)).as_slice() {
        b"IDENTITY" | b"INSERT_ID" | b"LAST_INSERT_ID" | b"LAST_GTID" => Effects::LAST_INSERT_ID,
        b"WARNING_COUNT" | b"ERROR_COUNT" => Effects::DIAGNOSTICS,
        _ => Effects::default(),
    }
}

/// The effect of calling `name`. `before` tells a call from a table's or a column's list.
fn function(name: &[u8], before: &[u8]) -> Effects {
    if before.eq_ignore_ascii_case(b"INTO") || before.eq_ignore_ascii_case(b"TABLE") {
        return Effects::default();
    }
    match functions::mysql::class(upper(name).as_slice()) {
        FunctionClass::Harmless => Effects::default(),
        FunctionClass::NamedLock => Effects::NAMED_LOCK,
        FunctionClass::Diagnostics => Effects::DIAGNOSTICS,
        FunctionClass::LastInsertId => Effects::LAST_INSERT_ID,
        FunctionClass::Acts => Effects::FUNCTION_ACTS,
        FunctionClass::Unknown => Effects::FUNCTION_UNKNOWN,
    }
}

/// Upper case, for words of up to 32 bytes; a longer one is nothing that is known.
fn upper(word: &[u8]) -> Upper {
    let mut upper = Upper { bytes: [0; 32], len: 0 };
    if let Some(room) = upper.bytes.get_mut(..word.len()) {
        room.copy_from_slice(word);
        room.make_ascii_uppercase();
        upper.len = word.len();
    }
    upper
}

struct Upper {
    bytes: [u8; 32],
    len: usize,
}

impl Upper {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Effects {
        effects(text.as_bytes(), Dialect::Mysql)
    }

    #[test]
    fn ordinary_statements_have_none() {
        for text in [
            "SELECT a, COUNT(*) FROM t WHERE b IN (1, 2) AND c = NOW() GROUP BY a",
            "select replace(a, 'x', 'y'), insert(a, 1, 2, 'z') from t",
            "SELECT 'FOR UPDATE', \"@a\", `get_lock` FROM t -- FOR UPDATE",
            "SELECT * FROM t WHERE a = 'it''s; SET x = 1'",
            "SELECT nextval, identity FROM last_insert_id",
        ] {
            assert!(of(text).is_empty(), "{text}: {:?}", of(text));
        }
    }

    #[test]
    fn variables_that_are_only_read_are_told_from_those_that_are_set() {
        for text in
            ["SELECT @a + 1", "INSERT INTO t VALUES (@a)", "UPDATE t SET a = @b WHERE c = @d"]
        {
            assert!(!of(text).intersects(Effects::SETS_VARIABLE), "{text}");
            assert!(of(text).contains(Effects::USER_VARIABLE), "{text}");
        }
    }

    #[test]
    fn what_must_not_go_elsewhere_is_seen() {
        for (text, effect) in [
            ("SELECT a FROM t FOR UPDATE", Effects::LOCKS),
            ("select a from t lock in share mode", Effects::LOCKS),
            ("SELECT a FROM t FOR SHARE SKIP LOCKED", Effects::LOCKS),
            ("SELECT a INTO @b FROM t", Effects::INTO | Effects::USER_VARIABLE),
            ("SELECT a INTO OUTFILE '/x' FROM t", Effects::INTO),
            ("SELECT @a := 1", Effects::USER_VARIABLE | Effects::SETS_VARIABLE),
            ("SELECT 1 INTO @a", Effects::SETS_VARIABLE),
            ("SELECT a, b FROM t INTO @a, @b", Effects::SETS_VARIABLE),
            ("CALL p(1, @out)", Effects::SETS_VARIABLE),
            ("LOAD DATA INFILE 'x' INTO TABLE t (a, @b)", Effects::SETS_VARIABLE),
            ("XA START 'x'", Effects::XA),
            ("SELECT GET_LOCK('a', 1)", Effects::NAMED_LOCK),
            ("SELECT get_lock ('a', 1)", Effects::NAMED_LOCK),
            ("SELECT LAST_INSERT_ID()", Effects::LAST_INSERT_ID),
            ("SELECT @@identity", Effects::LAST_INSERT_ID),
            ("SELECT @@session.Last_Insert_Id", Effects::LAST_INSERT_ID),
            ("SELECT @@`last_insert_id`", Effects::LAST_INSERT_ID),
            ("SELECT @@warning_count", Effects::DIAGNOSTICS),
            ("SELECT s.NextVal FROM dual", Effects::FUNCTION_ACTS),
            ("SELECT FOUND_ROWS()", Effects::DIAGNOSTICS),
            ("SHOW WARNINGS", Effects::DIAGNOSTICS),
            ("SELECT SLEEP(1)", Effects::FUNCTION_ACTS),
            ("SELECT NEXT VALUE FOR s", Effects::FUNCTION_ACTS),
            ("SELECT my_function(a) FROM t", Effects::FUNCTION_UNKNOWN),
            ("SELECT `my_function`(a) FROM t", Effects::FUNCTION_UNKNOWN),
            ("SELECT db.now() FROM t", Effects::FUNCTION_UNKNOWN),
            ("CREATE TEMPORARY TABLE t SELECT 1", Effects::TEMPORARY_TABLE),
            ("CREATE OR REPLACE TEMPORARY TABLE t SELECT 1", Effects::TEMPORARY_TABLE),
            ("LOCK TABLES t READ", Effects::TABLE_LOCK),
            ("PREPARE s FROM 'SELECT 1'", Effects::SQL_PREPARE),
            ("SELECT 1; SET NAMES latin1", Effects::SESSION_STATE),
            ("WITH c AS (SELECT 1) DELETE FROM t", Effects::WRITES),
            ("SELECT @@server_id", Effects::SYSTEM_VARIABLE),
        ] {
            assert!(of(text).contains(effect), "{text}: {:?}", of(text));
        }
    }
}
