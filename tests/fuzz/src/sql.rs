//! Statements: what is read off a text, in each dialect.

use tidegate_sql::effects::effects;
use tidegate_sql::{
    Analysis, Dialect, Kind, analyze, comments, digest_text, postgres, set, tokens,
};

use crate::target::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "sql_mysql",
        run: mysql,
        seeds: &[
            b"SELECT a, 'it''s', \"b\" FROM `t` WHERE id IN (1, ?, -2.5e3) FOR UPDATE -- c",
            b"INSERT INTO t (a, b) VALUES (0x1f, _utf8 'a'), (NULL, @a := 2) # c",
            b"/* tidegate: route=primary */ WITH a AS (SELECT LAST_INSERT_ID()) DELETE FROM t",
            b"/*!40101 SET NAMES utf8, @@session.sql_mode = CONCAT(@@sql_mode, ',ANSI') */",
            b"SELECT 1; SET TRANSACTION READ ONLY; START TRANSACTION",
        ],
    },
    Target {
        name: "sql_postgres",
        run: postgresql,
        seeds: &[
            b"SELECT a[1]::int, E'it\\'s', U&'b' FROM \"t\" WHERE id IN (1, $1, -2.5e3) FOR SHARE --c",
            b"WITH a AS (DELETE FROM t RETURNING *) SELECT $tag$ $$ ' $tag$, nextval('s') INTO t",
            b"EXPLAIN (ANALYZE, COSTS off) SELECT set_config('a', 'b', true); COPY (SELECT 1) TO STDOUT",
            b"SET LOCAL app.user_id = '7'; RESET ALL; PREPARE s (int) AS SELECT $1; EXECUTE s (1)",
            b"BEGIN; DECLARE c CURSOR WITH HOLD FOR TABLE t; /* /* tidegate: a=b */ */ CLOSE ALL",
            b"CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; DROP TABLE t",
            b"CREATE TEMP TABLE IF NOT EXISTS pg_temp.\"T\" ON COMMIT DROP AS SELECT E'a'\n'b\\''",
        ],
    },
];

/// MySQL and MariaDB.
pub fn mysql(text: &[u8]) -> bool {
    let _ = set::set(text);
    read(text, Dialect::Mysql).kind != Kind::Unknown
}

/// PostgreSQL.
pub fn postgresql(text: &[u8]) -> bool {
    let whole = read(text, Dialect::Postgres);
    let mut end = 0;
    for (index, range) in postgres::statements(text).enumerate() {
        assert!(end <= range.start && range.start < range.end, "statements stand in order");
        end = range.end;
        let statement = text.get(range).expect("a statement stands in its text");
        if index == 0 {
            assert_eq!(analyze(statement, Dialect::Postgres).kind, whole.kind);
        }
        let _ = postgres::setting(statement);
        if let Some(postgres::Object::Prepare(name)) = postgres::object(statement) {
            assert!(statement.get(name.at).is_some_and(|name| !name.is_empty()));
        }
    }
    whole.kind != Kind::Unknown
}

/// What is read in both dialects.
fn read(text: &[u8], dialect: Dialect) -> Analysis {
    let mut end = 0;
    for token in tokens(text, dialect) {
        let start = token.bytes.as_ptr().addr() - text.as_ptr().addr();
        assert!(start >= end && !token.bytes.is_empty(), "tokens stand in order");
        assert!(text[end..start].iter().all(|&byte| is_space(byte)), "nothing is left out");
        end = start + token.bytes.len();
    }
    assert!(text[end..].iter().all(|&byte| is_space(byte)), "nothing is left out");
    let _ = effects(text, dialect);
    assert!(comments::hints(text, dialect).all(|(key, _)| !key.contains(' ')));
    assert!(digest_text(text, dialect).len() <= 4 * text.len() + 8, "the normal form is short");
    analyze(text, dialect)
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}
