//! The effects of PostgreSQL's statements.

use super::Effects;
use crate::chunk::key;
use crate::functions;
use crate::lexer::{Lexeme, Lexer, Postgres, TokenKind};

/// The effects of a whole text, which may be several statements.
pub(super) fn effects(text: &[u8]) -> Effects {
    let mut lexer = Lexer::<Postgres>::new(text);
    let mut reader = Reader::default();
    let mut found = Effects::default();
    while let Some(lexeme) = lexer.next_code() {
        let bytes = lexer.bytes(&lexeme);
        found.insert(reader.read(&lexeme, bytes));
    }
    // A call that is not closed may be anything.
    if reader.set_config.is_some() { found | Effects::SESSION_FUNCTION } else { found }
}

macro_rules! keys {
    ($($name:ident = $word:literal),+ $(,)?) => {
        $(const $name: u64 = key($word);)+
    };
}

keys! {
    AND = "and", AS = "as", BY = "by", CALL = "call", CLOSE = "close", COMMIT = "commit", COPY = "copy",
    CREATE = "create", CUBE = "cube", DECLARE = "declare", DELETE = "delete", DISCARD = "discard", DO = "do",
    EXECUTE = "execute", EXPLAIN = "explain", FETCH = "fetch", FILTER = "filter", FOR = "for", FROM = "from", GLOBAL = "global", GROUP = "group",
    HOLD = "hold", INSERT = "insert", INTO = "into", JOIN = "join", KEY = "key", LISTEN = "listen", LOAD = "load",
    LOCAL = "local", LOCK = "lock", MERGE = "merge", MOVE = "move", NOT = "not", NOTIFY = "notify",
    OR = "or", ORDER = "order", OVER = "over", PG_TEMP = "pg_temp", PREPARE = "prepare", REPLACE = "replace", RESET = "reset", ROLLUP = "rollup",
    SELECT = "select", SET = "set", SETS = "sets", SHARE = "share", SHOW = "show", TABLE = "table", TEMP = "temp",
    TRUE = "true", UPDATE = "update", WHERE = "where", WITH = "with",
}

// A punctuation is packed as its byte, which is no word.
const OPEN: u64 = b'(' as u64;
const CLOSING: u64 = b')' as u64;
const COMMA: u64 = b',' as u64;
const COLON: u64 = b':' as u64;
const DOT: u64 = b'.' as u64;
const SEMICOLON: u64 = b';' as u64;

/// A token that was read before.
#[derive(Clone, Copy, Default)]
struct Before<'a> {
    kind: Option<TokenKind>,
    packed: u64,
    bytes: &'a [u8],
}

impl Before<'_> {
    fn is(&self, word: &str) -> bool {
        self.kind == Some(TokenKind::Word) && self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }
}

/// The tokens before the one at hand, as far as they matter.
#[derive(Default)]
struct Reader<'a> {
    /// The first word of the statement at hand, packed.
    verb: u64,
    started: bool,
    /// The verb was the last token.
    verb_is_last: bool,
    /// The last token was the verb of a write, here or in a part of the statement.
    verb_writes: bool,
    /// The latest first.
    before: [Before<'a>; 4],
    depth: u32,
    /// The depth inside the parentheses of a `set_config` that is under way.
    set_config: Option<u32>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, lexeme: &Lexeme, bytes: &'a [u8]) -> Effects {
        let starts = !self.started && lexeme.kind == TokenKind::Word;
        let effects = match (lexeme.kind, lexeme.packed) {
            (TokenKind::Word, packed) if starts => self.verb(packed, bytes),
            (TokenKind::Word, packed) => self.word(packed, bytes),
            (TokenKind::QuotedName, _) => quoted_name(bytes),
            (TokenKind::String, _) if self.verb == SET => path(bytes),
            (TokenKind::Punctuation, OPEN) => self.open(),
            (TokenKind::Punctuation, CLOSING) => self.close(),
            (TokenKind::Punctuation, SEMICOLON) => {
                (self.started, self.verb) = (false, 0);
                Effects::default()
            }
            _ => Effects::default(),
        };
        self.verb_is_last = starts;
        self.verb_writes = effects == Effects::WRITES;
        let [one, two, three, _] = self.before;
        let token = Before { kind: Some(lexeme.kind), packed: lexeme.packed, bytes };
        self.before = [token, one, two, three];
        effects
    }

    /// The first word of a statement.
    fn verb(&mut self, packed: u64, bytes: &[u8]) -> Effects {
        (self.verb, self.started) = (packed, true);
        let is = |name: &str| bytes.eq_ignore_ascii_case(name.as_bytes());
        match packed {
            SET | RESET | DISCARD => Effects::SESSION_STATE,
            EXECUTE => Effects::SQL_PREPARE,
            INSERT | UPDATE | DELETE | MERGE => Effects::WRITES,
            LOCK => Effects::TRANSACTION_LOCK,
            LISTEN => Effects::LISTEN,
            DECLARE | FETCH | MOVE | CLOSE => Effects::CURSOR,
            COPY => Effects::COPY,
            LOAD => Effects::LOADS_LIBRARY,
            SHOW => Effects::SYSTEM_VARIABLE,
            NOTIFY => Effects::FUNCTION_ACTS,
            CALL | DO => Effects::FUNCTION_UNKNOWN,
            0 if is("deallocate") => Effects::SQL_PREPARE,
            0 if is("unlisten") => Effects::LISTEN,
            _ => Effects::default(),
        }
    }

    fn word(&self, packed: u64, bytes: &[u8]) -> Effects {
        let last = self.before[0].packed;
        let is = |name: &str| bytes.eq_ignore_ascii_case(name.as_bytes());
        match packed {
            UPDATE | SHARE if matches!(last, FOR | KEY) => Effects::LOCKS,
            INSERT | UPDATE | DELETE | MERGE if !self.names(last) => Effects::WRITES,
            INTO if !self.verb_writes && !matches!(last, AS | DOT) => Effects::INTO,
            HOLD if self.verb == DECLARE && last == WITH => Effects::HELD_CURSOR,
            AS if self.verb == PREPARE => Effects::SQL_PREPARE,
            EXECUTE if self.verb == EXPLAIN || last == AS => Effects::SQL_PREPARE,
            TEMP if makes(last) => Effects::TEMPORARY_TABLE,
            PG_TEMP => Effects::TEMPORARY_TABLE,
            0 if is("temporary") && makes(last) => Effects::TEMPORARY_TABLE,
            0 if is_temporary_schema(bytes) => Effects::TEMPORARY_TABLE,
            0 if self.verb_is_last && self.settles(is) => Effects::XA,
            _ => Effects::default(),
        }
    }

    /// Behind this token a verb is only the name of something.
    fn names(&self, last: u64) -> bool {
        match last {
            WITH | SELECT | FROM | INTO | TABLE | JOIN | WHERE | AND | OR | NOT | FOR | KEY
            | COMMA | DOT => true,
            AS => !matches!(self.verb, PREPARE | CREATE),
            _ => false,
        }
    }

    /// Is the word behind the verb that of a prepared transaction?
    fn settles(&self, is: impl Fn(&str) -> bool) -> bool {
        match self.verb {
            PREPARE => is("transaction"),
            COMMIT => is("prepared"),
            _ => self.before[0].is("rollback") && is("prepared"),
        }
    }

    /// An opening parenthesis: what stands before it may be the name of a function.
    fn open(&mut self) -> Effects {
        self.depth += 1;
        let effects = self.call();
        let set_config = self.before[0].is("set_config");
        if set_config && effects == Effects::SESSION_FUNCTION && self.set_config.is_none() {
            self.set_config = Some(self.depth);
            return Effects::default();
        }
        effects
    }

    fn call(&self) -> Effects {
        let [name, before, schema, outer] = self.before;
        match name.kind {
            Some(TokenKind::Word | TokenKind::QuotedName) => {}
            _ => return Effects::default(),
        }
        let (qualified, front) = if before.packed == DOT { (true, outer) } else { (false, before) };
        if precedes_columns(&front) || (!qualified && is_keyword(&name, &before)) {
            return Effects::default();
        }
        let own = !qualified || (schema.is("pg_catalog") && outer.packed != DOT);
        if name.kind == Some(TokenKind::QuotedName) || !own {
            return Effects::FUNCTION_UNKNOWN;
        }
        functions::postgres::effects(Lower::new(name.bytes).as_slice())
    }

    fn close(&mut self) -> Effects {
        let depth = self.depth;
        self.depth = depth.saturating_sub(1);
        if self.set_config != Some(depth) {
            return Effects::default();
        }
        self.set_config = None;
        let [last, before, ..] = self.before;
        if last.packed == TRUE && before.packed == COMMA {
            return Effects::SYSTEM_VARIABLE;
        }
        Effects::SESSION_FUNCTION
    }
}

/// Is a name behind this that of a type, of a statement, or of what has columns?
fn precedes_columns(front: &Before<'_>) -> bool {
    matches!(front.packed, AS | COLON | INTO | TABLE | COPY | WITH | PREPARE | EXECUTE)
        || front.is("references")
        || front.is("tablesample")
        || front.is("recursive")
}

/// Words that are keywords in their place, and may be names of functions elsewhere.
fn is_keyword(word: &Before<'_>, before: &Before<'_>) -> bool {
    match word.packed {
        OVER | FILTER => before.packed == CLOSING,
        BY => matches!(before.packed, ORDER | GROUP) || before.is("partition"),
        CUBE | ROLLUP => before.packed == BY,
        SETS => before.is("grouping"),
        EXPLAIN => matches!(before.packed, 0 | SEMICOLON) && before.kind != Some(TokenKind::Word),
        _ => matches!(before.packed, NOT) && word.is("materialized"),
    }
}

/// Behind this word stands `TEMPORARY`, if it does, of something to be made.
fn makes(last: u64) -> bool {
    matches!(last, CREATE | REPLACE | LOCAL | GLOBAL | INTO)
}

fn is_temporary_schema(name: &[u8]) -> bool {
    const SCHEMA: &[u8] = b"pg_temp";
    name.get(..SCHEMA.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEMA))
}

/// A name in quotes; one with escapes may be any.
fn quoted_name(bytes: &[u8]) -> Effects {
    let temporary = bytes.strip_prefix(b"\"").is_none_or(is_temporary_schema);
    if temporary { Effects::TEMPORARY_TABLE } else { Effects::default() }
}

/// A setting such as `search_path`, which may lead to the schema of temporary tables.
fn path(string: &[u8]) -> Effects {
    let temporary = string.windows(b"pg_temp".len()).any(is_temporary_schema);
    if temporary { Effects::TEMPORARY_TABLE } else { Effects::default() }
}

/// A name in lower case. No function of the server's own has a longer one than this has room for.
struct Lower {
    bytes: [u8; 63],
    len: usize,
}

impl Lower {
    fn new(name: &[u8]) -> Self {
        let mut lower = Self { bytes: [0; 63], len: 0 };
        if let Some(room) = lower.bytes.get_mut(..name.len()) {
            room.copy_from_slice(name);
            room.make_ascii_lowercase();
            lower.len = name.len();
        }
        lower
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Effects {
        effects(text.as_bytes())
    }

    #[test]
    fn ordinary_statements_have_none() {
        for text in [
            "SELECT a, count(*) FROM t WHERE b IN (1, 2) AND c = now() GROUP BY a",
            "SELECT coalesce(a, 1)::numeric(10, 2), CAST(b AS varchar(3)), a[1] FROM t",
            "SELECT pg_catalog.upper(a), lower (b), row_number() OVER (PARTITION BY c) FROM t",
            "SELECT 'FOR UPDATE', \"into\", $$ nextval('s') $$, E'\\' INTO ' FROM t -- FOR UPDATE",
            "SELECT * FROM t WHERE a = 'it''s; SET x = 1'",
            "SELECT nextval, update, t.delete, a AS insert, x AS into FROM lastval AS t",
            "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT sum(n) FROM t",
            "SELECT * FROM (VALUES (1, 'a')) AS v (id, name) JOIN u USING (id)",
            "SELECT string_agg(a, ',' ORDER BY a) FILTER (WHERE b), grouping(a) FROM t GROUP BY CUBE (a)",
            "SELECT jsonb_build_object('a', to_jsonb(t)) -> 'a' @> '{}' FROM t",
            "SELECT date_trunc('day', a), extract(year FROM b), interval '1 day' FROM t LIMIT 1 OFFSET 2",
            "SELECT EXISTS (SELECT 1 FROM t WHERE a = ANY ($1)) AND NOT (a IS DISTINCT FROM ALL (ARRAY[1]))",
            "SELECT a FROM t TABLESAMPLE system (1) CROSS JOIN LATERAL unnest(b) AS x (c)",
            "EXPLAIN (COSTS off) SELECT 1",
            "WITH a (b) AS NOT MATERIALIZED (SELECT 1) SELECT a::s.ty(3) FROM update JOIN delete USING (b)",
            "SELECT count(*) FROM t GROUP BY GROUPING SETS ((a), (b)), (c) ORDER BY (a)",
            "SELECT a FROM t FETCH FIRST 5 ROWS ONLY",
            "BEGIN READ ONLY",
            "PREPARE",
        ] {
            assert!(of(text).is_empty(), "{text}: {:?}", of(text));
        }
    }

    #[test]
    fn each_effect_is_seen_and_no_other() {
        for (text, effect) in [
            ("SELECT a FROM t FOR UPDATE", Effects::LOCKS),
            ("SELECT a FROM t FOR NO KEY UPDATE OF t", Effects::LOCKS),
            ("SELECT a FROM t FOR SHARE SKIP LOCKED", Effects::LOCKS),
            ("SELECT a FROM t FOR KEY SHARE", Effects::LOCKS),
            ("SELECT a INTO u FROM t", Effects::INTO),
            ("SELECT a INTO TEMP u FROM t", Effects::INTO | Effects::TEMPORARY_TABLE),
            ("INSERT INTO t (a) VALUES (1)", Effects::WRITES),
            ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", Effects::WRITES),
            (
                "WITH a AS (SELECT 1) MERGE INTO t USING a ON true WHEN MATCHED THEN DELETE",
                Effects::WRITES,
            ),
            ("EXPLAIN (ANALYZE) UPDATE t SET a = 1", Effects::WRITES),
            ("SELECT 1; DELETE FROM t", Effects::WRITES),
            ("CREATE TEMP TABLE t AS SELECT 1", Effects::TEMPORARY_TABLE),
            ("CREATE LOCAL TEMPORARY SEQUENCE t", Effects::TEMPORARY_TABLE),
            ("CREATE OR REPLACE TEMP VIEW t AS SELECT 1", Effects::TEMPORARY_TABLE),
            ("CREATE TABLE pg_temp.t AS SELECT 1", Effects::TEMPORARY_TABLE),
            ("SELECT * FROM \"pg_temp_3\".t", Effects::TEMPORARY_TABLE),
            ("SELECT * FROM U&\"pg\\005ftemp\".t", Effects::TEMPORARY_TABLE),
            ("SET search_path TO 'a, pg_temp'", Effects::TEMPORARY_TABLE | Effects::SESSION_STATE),
            ("SELECT pg_advisory_lock(1)", Effects::NAMED_LOCK),
            ("SELECT pg_try_advisory_lock_shared(1)", Effects::NAMED_LOCK),
            ("SELECT pg_advisory_unlock_all()", Effects::NAMED_LOCK),
            ("SELECT pg_advisory_xact_lock(1)", Effects::TRANSACTION_LOCK),
            ("SELECT pg_try_advisory_xact_lock_shared(1)", Effects::TRANSACTION_LOCK),
            ("LOCK t IN SHARE MODE", Effects::TRANSACTION_LOCK),
            ("LISTEN a", Effects::LISTEN),
            ("UNLISTEN *", Effects::LISTEN),
            ("NOTIFY a", Effects::FUNCTION_ACTS),
            ("DECLARE c CURSOR FOR SELECT 1", Effects::CURSOR),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Effects::CURSOR | Effects::HELD_CURSOR),
            ("DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", Effects::CURSOR),
            ("FETCH 5 FROM c", Effects::CURSOR),
            ("MOVE c", Effects::CURSOR),
            ("CLOSE ALL", Effects::CURSOR),
            ("PREPARE s AS SELECT 1", Effects::SQL_PREPARE),
            ("PREPARE \"s\" (int) AS SELECT $1", Effects::SQL_PREPARE),
            ("EXECUTE s (1)", Effects::SQL_PREPARE),
            ("EXECUTE s (f())", Effects::SQL_PREPARE | Effects::FUNCTION_UNKNOWN),
            ("EXECUTE s", Effects::SQL_PREPARE),
            ("EXPLAIN EXECUTE s", Effects::SQL_PREPARE),
            ("CREATE TABLE t AS EXECUTE s", Effects::SQL_PREPARE),
            ("DEALLOCATE ALL", Effects::SQL_PREPARE),
            ("PREPARE TRANSACTION 'a'", Effects::XA),
            ("COMMIT PREPARED 'a'", Effects::XA),
            ("ROLLBACK PREPARED 'a'", Effects::XA),
            ("COPY t FROM STDIN", Effects::COPY),
            ("COPY t (a) TO '/x'", Effects::COPY),
            ("LOAD 'a'", Effects::LOADS_LIBRARY),
            ("SET a = 1", Effects::SESSION_STATE),
            ("RESET a", Effects::SESSION_STATE),
            ("DISCARD ALL", Effects::SESSION_STATE),
            ("SHOW a", Effects::SYSTEM_VARIABLE),
            ("SELECT current_setting('a')", Effects::SYSTEM_VARIABLE),
            ("SELECT set_config('a', 'b', false)", Effects::SESSION_FUNCTION),
            ("SELECT set_config('a', 'b', $1)", Effects::SESSION_FUNCTION),
            ("SELECT set_config('a', 'b', NOT true)", Effects::SESSION_FUNCTION),
            ("SELECT set_config('a', concat('b', 'c'), true)", Effects::SYSTEM_VARIABLE),
            (
                "SELECT set_config('a', set_config('b', 'c', false), true)",
                Effects::SYSTEM_VARIABLE | Effects::SESSION_FUNCTION,
            ),
            ("SELECT set_config('a', 'b', true", Effects::SESSION_FUNCTION),
            ("SELECT setseed(0.5)", Effects::SESSION_FUNCTION),
            ("SELECT nextval('s')", Effects::FUNCTION_ACTS),
            ("SELECT setval('s', 1)", Effects::FUNCTION_ACTS),
            ("SELECT currval('s')", Effects::LAST_INSERT_ID),
            ("SELECT LASTVAL ()", Effects::LAST_INSERT_ID),
            ("SELECT lo_create(0)", Effects::FUNCTION_ACTS),
            ("SELECT pg_sleep_for('1 s')", Effects::FUNCTION_ACTS),
            ("SELECT pg_notify('a', 'b')", Effects::FUNCTION_ACTS),
            ("SELECT pg_backend_pid()", Effects::FUNCTION_ACTS),
            ("SELECT txid_current()", Effects::FUNCTION_ACTS),
            ("SELECT my_function(a) FROM t", Effects::FUNCTION_UNKNOWN),
            ("SELECT random()", Effects::FUNCTION_UNKNOWN),
            ("SELECT \"count\"(a) FROM t", Effects::FUNCTION_UNKNOWN),
            ("SELECT s.count(a) FROM t", Effects::FUNCTION_UNKNOWN),
            ("SELECT x.pg_catalog.count(a) FROM t", Effects::FUNCTION_UNKNOWN),
            ("SELECT DISTINCT ON (a) f(b) FROM t", Effects::FUNCTION_UNKNOWN),
            ("SELECT over(a), by(b), rollup(c), explain(d) FROM t", Effects::FUNCTION_UNKNOWN),
            ("SELECT a AS insert INTO u FROM t", Effects::INTO),
            ("SELECT 1; CALL p", Effects::FUNCTION_UNKNOWN),
            ("DO $$ $$", Effects::FUNCTION_UNKNOWN),
        ] {
            assert_eq!(of(text), effect, "{text}");
        }
    }
}
