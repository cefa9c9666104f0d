use super::*;
use crate::{Dialect, analyze};

/// Each kind with statements of it.
const STATEMENTS: [(Kind, &[&str]); 10] = [
    (
        Kind::Read,
        &[
            "SELECT 1",
            "select\n1",
            "SELECT",
            " /* /* c */ */ -- c\n SeLeCT 1",
            "; SELECT 1",
            "SELECT \"a\" FROM t FOR UPDATE",
            "SELECT 1; DELETE FROM t",
            "SELECT 1; SELECT 2 INTO t",
            "SELECT a AS into, t.into FROM t",
            "SELECT 'INTO', \"into\", $$ INTO $$ FROM t -- INTO",
            "((SELECT 1) UNION (SELECT 2)) LIMIT 1",
            "WITH a AS (SELECT 1), b (c) AS (SELECT 2) SELECT * FROM a, b",
            "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT n + 1 FROM a) TABLE a",
            "WITH a AS (SELECT * FROM t FOR NO KEY UPDATE) SELECT * FROM a",
            "WITH update AS (SELECT 1), delete AS (SELECT 2) SELECT * FROM update",
            "WITH a AS (SELECT delete, insert, p.merge FROM p) VALUES (1)",
            "WITH a AS (SELECT 1 AS insert FROM update) (SELECT 2) LIMIT 1",
            "TABLE t",
            "VALUES (1, 2)",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN ANALYSE VERBOSE SELECT 1",
            "EXPLAIN (ANALYZE) (SELECT 1)",
            "EXPLAIN (VERBOSE, ANALYZE on, FORMAT json) SELECT 1",
            "EXPLAIN (\"analyze\") SELECT 1",
            "COPY t TO STDOUT",
            "COPY t (a, b) TO STDOUT WITH (FORMAT csv)",
            "COPY (SELECT a FROM t) TO STDOUT",
        ],
    ),
    (
        Kind::Write,
        &[
            "INSERT INTO t VALUES (1)",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
            "NOTIFY a",
            "NOTIFY a, 'b'",
            "WITH a AS (SELECT 1) DELETE FROM t WHERE id IN (SELECT * FROM a)",
            "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
            "WITH values AS (DELETE FROM t RETURNING *) SELECT * FROM values",
            "WITH a AS (SELECT 1), b AS (UPDATE t SET a = 1) SELECT 1",
            "WITH a AS (WITH b AS (SELECT 1) INSERT INTO t TABLE b RETURNING *) SELECT 1",
            "WITH RECURSIVE a AS (SELECT 1) SEARCH DEPTH FIRST BY b SET c DELETE FROM t",
            "EXPLAIN ANALYZE DELETE FROM t",
            "EXPLAIN ANALYSE UPDATE t SET a = 1",
            "EXPLAIN (ANALYZE) INSERT INTO t VALUES (1)",
            "EXPLAIN (COSTS off, ANALYZE true) MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE",
            "EXPLAIN (ANALYZE, BUFFERS) WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
            "COPY t FROM STDIN",
            "COPY t (a, b) FROM '/x'",
            "COPY (DELETE FROM t RETURNING *) TO STDOUT",
            "COPY (WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a) TO STDOUT",
            "COMMIT PREPARED 'a'",
            "ROLLBACK PREPARED 'a'",
        ],
    ),
    (
        Kind::Ddl,
        &[
            "CREATE TABLE t (a int)",
            "CREATE TEMP TABLE t AS SELECT 1",
            "SELECT a INTO t FROM u",
            "SELECT a INTO TEMP t FROM u",
            "(SELECT a INTO t FROM u)",
            "WITH a AS (SELECT 1) SELECT * INTO t FROM a",
            "EXPLAIN ANALYZE SELECT * INTO t FROM a",
            "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
            "ALTER TABLE t ADD b int",
            "DROP TABLE t",
            "TRUNCATE t",
            "COMMENT ON TABLE t IS 'a'",
            "GRANT SELECT ON t TO a",
            "REVOKE ALL ON t FROM a",
            "REINDEX TABLE t",
            "VACUUM t",
            "VACUUM",
            "ANALYZE t",
            "ANALYZE",
            "CLUSTER t",
            "REFRESH MATERIALIZED VIEW v",
            "SECURITY LABEL ON TABLE t IS 'a'",
            "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c",
            "REASSIGN OWNED BY a TO b",
        ],
    ),
    (
        Kind::Begin,
        &[
            "BEGIN",
            "begin work",
            "BEGIN;",
            "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
            "START TRANSACTION",
            "START /* c */ TRANSACTION READ ONLY",
        ],
    ),
    (
        Kind::Commit,
        &[
            "COMMIT",
            "COMMIT WORK",
            "commit and chain",
            "END",
            "END WORK",
            "PREPARE TRANSACTION 'a'",
        ],
    ),
    (
        Kind::Rollback,
        &["ROLLBACK", "ROLLBACK WORK", "rollback and no chain", "ABORT", "ABORT WORK"],
    ),
    (
        Kind::SessionState,
        &[
            "SET search_path = a",
            "SET LOCAL a.b = 'c'",
            "RESET ALL",
            "DISCARD ALL",
            "PREPARE s AS SELECT 1",
            "PREPARE transaction AS SELECT 1",
            "DEALLOCATE s",
            "LISTEN a",
            "UNLISTEN *",
            "LOAD 'a'",
            "LOCK TABLE t",
            "DECLARE c CURSOR FOR SELECT 1",
            "FETCH 1 FROM c",
            "MOVE c",
            "CLOSE c",
            "SAVEPOINT a",
            "RELEASE SAVEPOINT a",
            "RELEASE a",
            "ROLLBACK TO a",
            "ROLLBACK TO SAVEPOINT a",
            "ROLLBACK WORK TO SAVEPOINT a",
            "ROLLBACK TRANSACTION TO a",
            "EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT 1",
        ],
    ),
    (Kind::Call, &["CALL p(1)", "DO $$BEGIN END$$"]),
    (
        Kind::Admin,
        &[
            "SHOW search_path",
            "EXPLAIN SELECT 1",
            "EXPLAIN (SELECT 1)",
            "EXPLAIN ((SELECT 1) UNION SELECT 2)",
            "EXPLAIN VERBOSE DELETE FROM t",
            "EXPLAIN (ANALYZE false) DELETE FROM t",
            "EXPLAIN (ANALYZE off, VERBOSE) DELETE FROM t",
            "EXPLAIN (ANALYZE 0) DELETE FROM t",
            "EXPLAIN (COSTS off) DELETE FROM t",
            "CHECKPOINT",
        ],
    ),
    (
        Kind::Unknown,
        &[
            "",
            "  -- nothing",
            ";",
            "SELECTED",
            "\"SELECT\" 1",
            "'SELECT' 1",
            "EXECUTE s",
            "EXPLAIN ANALYZE EXECUTE s",
            "EXPLAIN",
            "EXPLAIN ANALYZE",
            "START",
            "WITH a AS (SELECT 1)",
            "WITH a AS (SELECT 1); DELETE FROM t",
            "COPY t",
            "/*!40001 SELECT 1 */",
            "# c\nSELECT 1",
            "`SELECT` 1",
            "@a",
            "$1",
        ],
    ),
];

fn kind(text: &str) -> Kind {
    analyze(text.as_bytes(), Dialect::Postgres).kind
}

#[test]
fn statements_are_of_their_kind() {
    for (expected, texts) in STATEMENTS {
        for text in texts {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}

#[test]
fn case_space_and_comments_do_not_matter() {
    for (expected, texts) in STATEMENTS {
        for text in texts.iter().filter(|text| !text.contains(['-', '\'', '"', '#', '/', '$'])) {
            for variant in [
                text.to_lowercase(),
                text.to_uppercase(),
                text.replace(' ', "\n\t"),
                text.replace(' ', "/* /* c */ */"),
                format!("/* SELECT */{text}"),
                format!("--DELETE\r{text}"),
            ] {
                assert_eq!(kind(&variant), expected, "{variant}");
            }
        }
    }
}
