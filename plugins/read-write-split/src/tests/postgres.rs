//! The same on PostgreSQL.

use tidegate_sdk::sql_text::Dialect;

use super::*;

fn app() -> MockSession {
    mock::session("app").with_dialect(Dialect::Postgres)
}

fn all_go_to(place: &str, sidecar: &str, statements: &[&str]) {
    let splitter = splitter(sidecar).unwrap();
    for sql in statements {
        assert_eq!(ask(&splitter, &app(), sql), place, "{sql}");
    }
}

#[test]
fn safe_reads_go_to_a_replica() {
    all_go_to(
        "replica",
        PLAIN,
        &[
            "SELECT 1",
            "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
            "SELECT a, count(*), max(b)::numeric(10, 2) FROM t WHERE c = ANY ($1) GROUP BY a",
            "WITH RECURSIVE x(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM x) SELECT sum(n) FROM x",
            "SELECT now(), current_date, pg_catalog.version(), coalesce(a, 'x') FROM t",
            "SELECT jsonb_agg(t) -> 0 ->> 'a' FROM t WHERE b @> '{}' AND c ? 'd'",
            "SELECT 'FOR UPDATE', $$ nextval('s') $$, E'\\' INTO ' FROM t -- FOR UPDATE",
            "SELECT \"for\", \"update\", delete FROM t",
            "SELECT current_setting('search_path')",
            "SELECT 1;",
            "SELECT 1; SELECT count(*) FROM t",
            "TABLE t",
            "VALUES (1, 2), (3, 4)",
        ],
    );
}

#[test]
fn reads_that_are_more_than_reads_go_to_the_primary() {
    all_go_to(
        "primary",
        PLAIN,
        &[
            "SELECT a FROM t FOR UPDATE",
            "SELECT a FROM t FOR NO KEY UPDATE SKIP LOCKED",
            "SELECT a FROM t FOR SHARE",
            "SELECT a FROM t FOR KEY SHARE",
            "SELECT a FROM t FOR /* no comment /* */ */ UPDATE",
            "SELECT a INTO u FROM t",
            "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
            "WITH x AS (SELECT 1) INSERT INTO t TABLE x",
            "SELECT nextval('s')",
            "SELECT currval('s')",
            "SELECT lastval()",
            "SELECT setval('s', 1)",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_try_advisory_xact_lock(1)",
            "SELECT set_config('a.b', 'c', false)",
            "SELECT pg_notify('a', 'b')",
            "SELECT pg_sleep(1)",
            "SELECT pg_backend_pid()",
            "SELECT random()",
            "SELECT gen_random_uuid()",
            "SELECT place_order(1)",
            "SELECT shop.place_order(1)",
            "SELECT \"now\"()",
            "SELECT * FROM place_order(1) AS o (id)",
            "SELECT lo_create(0)",
            "SELECT * FROM pg_temp.t",
            "COPY t TO STDOUT",
            "COPY (SELECT * FROM t) TO STDOUT",
            "EXPLAIN ANALYZE DELETE FROM t",
            "SELECT 1; DELETE FROM t",
            "SELECT 1; SELECT 2 FOR UPDATE",
            "SELECT 1; COMMIT",
        ],
    );
}

#[test]
fn whatever_is_no_read_goes_to_the_primary() {
    all_go_to(
        "primary",
        PLAIN,
        &[
            "INSERT INTO t VALUES (1)",
            "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
            "COPY t FROM STDIN",
            "CREATE TEMP TABLE t (a int)",
            "TRUNCATE t",
            "VACUUM t",
            "CALL place_order(1)",
            "DO $$ BEGIN END $$",
            "NOTIFY a",
            "LISTEN a",
            "UNLISTEN *",
            "BEGIN",
            "START TRANSACTION READ WRITE",
            "BEGIN READ ONLY; SELECT 1; COMMIT",
            "COMMIT",
            "ROLLBACK PREPARED 'a'",
            "LOCK t",
            "PREPARE s AS SELECT 1",
            "EXECUTE s",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "SAVEPOINT a",
            "SET a.b FROM CURRENT",
            "SET search_path TO pg_temp",
            "SHOW search_path",
            "EXPLAIN SELECT 1",
            "nonsense",
            "",
        ],
    );
}

#[test]
fn settings_are_left_to_tidegate() {
    all_go_to(
        "next",
        PLAIN,
        &[
            "SET search_path = a, b",
            "SET SESSION app.user_id TO '7'",
            "SET TIME ZONE 'UTC'",
            "SET LOCAL app.user_id = '7'",
            "SET ROLE reader",
            "RESET ALL",
            "RESET search_path",
            "DISCARD ALL",
        ],
    );
}

#[test]
fn a_read_only_transaction_goes_to_a_replica_unless_it_is_configured_otherwise() {
    all_go_to(
        "replica",
        PLAIN,
        &[
            "BEGIN READ ONLY",
            "begin transaction isolation level repeatable read, read only",
            "START TRANSACTION READ ONLY",
            "BEGIN READ WRITE, READ ONLY",
        ],
    );
    let serializable = "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY";
    let others = ["BEGIN", "BEGIN READ ONLY, READ WRITE", "START TRANSACTION", serializable];
    all_go_to("primary", PLAIN, &others);
    let config = "[config]\nupstream = 'orders'\nread_only_transactions = 'primary'";
    all_go_to("primary", config, &["BEGIN READ ONLY"]);
}

#[test]
fn what_a_comment_is_and_a_string_is_told_by_the_protocol() {
    let splitter = splitter(PLAIN).unwrap();
    let session = app();
    for (sql, place) in [
        ("SELECT 1 --tidegate: route=primary", "primary"),
        ("SELECT $$ /* tidegate: route=primary */ $$", "replica"),
        ("SELECT 1 # tidegate: route=primary", "replica"),
    ] {
        assert_eq!(ask(&splitter, &session, sql), place, "{sql}");
    }
    for sql in ["SELECT 1", "SET a = 1", "COMMIT"] {
        assert_eq!(ask(&splitter, &app().begin(), sql), "next", "{sql}");
    }
}

#[test]
fn listed_functions_go_where_the_list_says() {
    let lists = "[config]\nupstream = 'orders'\nsticky = '0s'\n\
        replica_functions = ['price', 'shop.tax', 'random']\nprimary_functions = ['MD5']";
    all_go_to(
        "replica",
        lists,
        &[
            "SELECT price(1), random()",
            "SELECT \"Price\"(1), pg_catalog.now()",
            "SELECT shop.tax(1)",
        ],
    );
    all_go_to(
        "primary",
        lists,
        &["SELECT tax(1)", "SELECT price(clock_timestamp())", "SELECT md5('a')"],
    );
    let refused = |name: &str| {
        splitter(&format!("[config]\nupstream = 'orders'\nreplica_functions = ['{name}']")).is_err()
    };
    assert!(refused("nextval") && refused("pg_sleep") && !refused("lo_price"));
}

#[test]
fn a_session_reads_its_own_writes() {
    for write in
        ["COPY t FROM STDIN", "SELECT place_order(1)", "NOTIFY a", "SELECT a INTO u FROM t"]
    {
        let host = Host::new();
        let splitter = splitter(SAMPLE).unwrap();
        let writer = app();
        ask(&splitter, &writer, write);
        assert_eq!(ask(&splitter, &writer, "SELECT 1"), "primary", "{write}");
        host.advance(Duration::from_millis(1001));
        assert_eq!(ask(&splitter, &writer, "SELECT 1"), "replica", "{write}");
    }
}
