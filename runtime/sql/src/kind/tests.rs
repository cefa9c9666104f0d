use super::*;

/// Each kind with statements of it.
const STATEMENTS: [(Kind, &[&str]); 10] = [
    (
        Kind::Read,
        &[
            "SELECT 1",
            "select\n1",
            "SELECT",
            "SELECT/**/1",
            " /* c */ -- c\n# c\n SeLeCT 1",
            "SELECT `a` FROM t FOR UPDATE",
            "SELECT 1; DELETE FROM t",
            "((SELECT 1) UNION (SELECT 2)) LIMIT 1",
            "WITH a AS (SELECT 1), b (c) AS (SELECT 2) SELECT * FROM a, b",
            "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT n + 1 FROM a) TABLE a",
            "(WITH a AS (DELETE FROM t) SELECT 1)",
            "TABLE t",
            "VALUES ROW(1, 2)",
            "EXPLAIN ANALYZE SELECT 1",
            "DESCRIBE ANALYZE FORMAT=TREE SELECT 1",
            "ANALYZE FORMAT=JSON SELECT 1",
            "/*!40001 SELECT 1 */",
            "/*!40001 SELECT 1 */;",
            "/*!40001 SELECT 1",
        ],
    ),
    (
        Kind::Write,
        &[
            "INSERT INTO t VALUES (1)",
            "insert t select * from u",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "REPLACE INTO t VALUES (1)",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
            "WITH a AS (SELECT 1) DELETE FROM t WHERE id IN (SELECT * FROM a)",
            "WITH a AS (SELECT 1) UPDATE t, a SET t.b = 1",
            "EXPLAIN ANALYZE DELETE FROM t",
            "ANALYZE UPDATE t SET a = 1",
            "EXPLAIN ANALYZE WITH a AS (SELECT 1) DELETE FROM t",
            "BINLOG 'abc'",
        ],
    ),
    (
        Kind::Ddl,
        &[
            "CREATE TABLE t (a INT)",
            "CREATE TEMPORARY TABLE t (a INT)",
            "ALTER TABLE t ADD b INT",
            "DROP TABLE t",
            "TRUNCATE t",
            "RENAME TABLE t TO u",
            "GRANT SELECT ON *.* TO a",
            "REVOKE ALL ON *.* FROM a",
            "ANALYZE TABLE t",
            "ANALYZE NO_WRITE_TO_BINLOG TABLE t",
            "OPTIMIZE TABLE t",
            "REPAIR TABLE t",
            "/*!50003 CREATE VIEW v AS SELECT 1 */",
        ],
    ),
    (
        Kind::Begin,
        &[
            "BEGIN",
            "begin work",
            "BEGIN;",
            "START TRANSACTION",
            "START /* c */ TRANSACTION READ ONLY",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE",
            "XA START 'a'",
            "XA BEGIN 'a'",
        ],
    ),
    (
        Kind::Commit,
        &["COMMIT", "COMMIT WORK", "commit and chain", "XA COMMIT 'a'", "XA COMMIT 'a' ONE PHASE"],
    ),
    (
        Kind::Rollback,
        &["ROLLBACK", "ROLLBACK WORK", "rollback and no chain release", "XA ROLLBACK 'a'"],
    ),
    (
        Kind::SessionState,
        &[
            "SET NAMES utf8mb4",
            "SET autocommit = 0",
            "SET SESSION sql_mode = ''",
            "SET @a = 1",
            "SET @@session.sql_mode = ''",
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET CHARACTER SET utf8",
            "SET `a` = 1",
            "USE shop",
            "PREPARE s FROM 'SELECT 1'",
            "DEALLOCATE PREPARE s",
            "DROP PREPARE s",
            "LOCK TABLES t WRITE",
            "UNLOCK TABLES",
            "FLUSH TABLES WITH READ LOCK",
            "HANDLER t OPEN",
            "SAVEPOINT a",
            "RELEASE SAVEPOINT a",
            "ROLLBACK TO a",
            "ROLLBACK TO SAVEPOINT a",
            "ROLLBACK WORK TO SAVEPOINT a",
            "XA END 'a'",
            "XA PREPARE 'a'",
            "/*!40101 SET NAMES utf8 */",
        ],
    ),
    (Kind::Call, &["CALL p(1)", "DO sleep(1)"]),
    (
        Kind::Admin,
        &[
            "SHOW TABLES",
            "SHOW WARNINGS",
            "DESCRIBE t",
            "DESC t",
            "EXPLAIN SELECT 1",
            "EXPLAIN FORMAT=JSON DELETE FROM t",
            "EXPLAIN FOR CONNECTION 5",
            "HELP 'x'",
            "KILL 5",
            "FLUSH PRIVILEGES",
            "SET GLOBAL a = 1",
            "SET PERSIST a = 1",
            "SET PERSIST_ONLY a = 1",
            "SET @@GLOBAL.a = 1",
            "SET PASSWORD = 'x'",
            "SET DEFAULT ROLE a TO b",
            "START SLAVE",
            "START REPLICA",
            "STOP SLAVE",
            "CHANGE MASTER TO MASTER_HOST = 'a'",
            "RESET MASTER",
            "CHECK TABLE t",
            "CHECKSUM TABLE t",
            "XA RECOVER",
            "GET DIAGNOSTICS @a = NUMBER",
        ],
    ),
    (
        Kind::Unknown,
        &[
            "",
            "  -- nothing",
            ";",
            "; SELECT 1",
            "SELECTED",
            "select_ 1",
            "`SELECT` 1",
            "'SELECT' 1",
            "EXECUTE s",
            "EXECUTE IMMEDIATE 'DELETE FROM t'",
            "BEGIN NOT ATOMIC DELETE FROM t; END",
            "SET STATEMENT a = 1 FOR DELETE FROM t",
            "SET",
            "START",
            "WITH a AS (SELECT 1)",
            "WITH a AS (SELECT 1); DELETE FROM t",
            "WITH a AS (SELECT 1) /*!99999 SELECT */ DELETE FROM t",
            "EXPLAIN ANALYZE CALL p()",
            "EXPLAIN ANALYZE",
            "{call p()}",
            "SIGNAL SQLSTATE '45000'",
            "VACUUM",
            "1",
            // Which of the two runs depends on the server's version.
            "/*!99999 SELECT 1, */ DELETE FROM t",
            "/*!99999 SELECT */ /*!40000 DELETE FROM t */",
        ],
    ),
];

#[test]
fn statements_are_of_their_kind() {
    for (kind, texts) in STATEMENTS {
        for text in texts {
            assert_eq!(classify(text.as_bytes()), kind, "{text}");
        }
    }
}

#[test]
fn case_space_and_comments_do_not_matter() {
    for (kind, texts) in STATEMENTS {
        for text in texts.iter().filter(|text| !text.contains(['-', '\'', '`', '#', '/'])) {
            for variant in [
                text.to_lowercase(),
                text.to_uppercase(),
                text.replace(' ', "\n\t"),
                text.replace(' ', "/* c */"),
                format!("/* SELECT */{text}"),
                format!("-- DELETE\n{text}"),
            ] {
                assert_eq!(classify(variant.as_bytes()), kind, "{variant}");
            }
        }
    }
}
