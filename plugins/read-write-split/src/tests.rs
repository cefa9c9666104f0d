mod postgres;

use tidegate_sdk::mock;
use tidegate_sdk::mock::{Host, MockSession};

use super::*;

/// The file that is shipped.
const SAMPLE: &str = include_str!("../read-write-split.toml");

/// Without stickiness, so that statements do not disturb each other.
const PLAIN: &str = "[config]\nupstream = 'orders'\nsticky = '0s'";

const TARGETS: [&str; 3] = ["orders", "orders/primary", "orders/replica"];

fn splitter(sidecar: &str) -> Result<Splitter, String> {
    Splitter::from_config(&mock::sidecar(sidecar)).map_err(|error| error.to_string())
}

/// Where it goes: `primary`, `replica`, or `next`.
fn ask(splitter: &Splitter, session: &MockSession, sql: &str) -> String {
    let verdict = splitter.on_statement(session, &mock::statement_in(session.dialect(), sql));
    match (verdict.action, verdict.target) {
        (Action::Next, None) => "next".to_owned(),
        (Action::Route, Some(target)) => target.name().replace("orders/", ""),
        other => panic!("{sql}: {other:?}"),
    }
}

fn all_go_to(place: &str, sidecar: &str, statements: &[&str]) {
    let splitter = splitter(sidecar).unwrap();
    for sql in statements {
        assert_eq!(ask(&splitter, &mock::session("app"), sql), place, "{sql}");
    }
}

#[test]
fn safe_reads_go_to_a_replica() {
    all_go_to(
        "replica",
        PLAIN,
        &[
            "SELECT 1",
            "select * from orders where id = 7",
            "SELECT @@server_id",
            "SELECT a, COUNT(*), MAX(b) FROM t WHERE c IN (1, 2) GROUP BY a HAVING COUNT(*) > 1",
            "(SELECT a FROM t) UNION ALL (SELECT b FROM u) ORDER BY 1 LIMIT 5",
            "WITH x AS (SELECT 1) SELECT * FROM x",
            "SELECT NOW(), UUID(), RAND(), DATABASE(), VERSION()",
            "SELECT REPLACE(a, 'x', 'y'), INSERT(a, 1, 2, 'z') FROM t",
            "SELECT 'FOR UPDATE', 'get_lock(1)', '@a := 1'",
            "SELECT `for`, `update`, `get_lock` FROM t",
            "/* of the shop */ SELECT 1 -- FOR UPDATE",
            "SELECT /*+ MAX_EXECUTION_TIME(100) */ 1",
            "SELECT 1 # FOR UPDATE",
            "SELECT 1;",
            "VALUES (1, 2), (3, 4)",
            "SELECT t.a FROM shop.t AS t JOIN `u` USING (a) WHERE t.b IN (SELECT b FROM v)",
            "SELECT a FROM t USE INDEX (`a`) WHERE `b` IN (1, 2) AND `c` NOT IN (3)",
            "SELECT updated_at, deleted, for_update FROM t",
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
            "SELECT a FROM t FOR UPDATE SKIP LOCKED",
            "select a from t for share",
            "SELECT a FROM t LOCK IN SHARE MODE",
            "SELECT a FROM t FOR /* no comment */ UPDATE",
            "SELECT a FROM t /*!50100 FOR UPDATE */",
            "SELECT a FROM t LOCK IN /*! SHARE */ MODE",
            "SELECT a INTO @b FROM t",
            "SELECT a INTO OUTFILE '/tmp/a' FROM t",
            "SELECT @a",
            "SELECT @a := @a + 1 FROM t",
            "SELECT GET_LOCK('l', 1)",
            "SELECT release_lock ('l')",
            "SELECT IS_FREE_LOCK('l')",
            "SELECT LAST_INSERT_ID()",
            "SELECT SLEEP(1)",
            "SELECT UUID_SHORT()",
            "SELECT CONNECTION_ID()",
            "SELECT NEXT VALUE FOR s",
            "SELECT NEXTVAL(s)",
            "SELECT place_order(1)",
            "SELECT shop.place_order(1)",
            "SELECT `place_order`(1)",
            "SELECT shop.`now`()",
            "SELECT shop . left ('a', 1)",
            "SELECT place_order /* and more */ (1)",
            "SELECT \"place_order\"(1)",
            "SELECT a FROM t WHERE b = (SELECT price(c) FROM u)",
            "WITH x AS (SELECT 1) SELECT * FROM x FOR UPDATE",
            "SELECT 1; SELECT 2",
            "SELECT 1; DELETE FROM t",
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
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "REPLACE INTO t VALUES (1)",
            "WITH x AS (SELECT 1) DELETE FROM t",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
            "CREATE TABLE t (a INT)",
            "CREATE TEMPORARY TABLE t (a INT)",
            "DROP TABLE t",
            "TRUNCATE t",
            "CALL place_order(1)",
            "DO SLEEP(1)",
            "BEGIN",
            "START TRANSACTION",
            "START TRANSACTION READ WRITE",
            "START TRANSACTION READ ONLY",
            "COMMIT",
            "ROLLBACK",
            "XA START 'x'",
            "LOCK TABLES t WRITE",
            "PREPARE s FROM 'SELECT 1'",
            "EXECUTE s",
            "HANDLER t OPEN",
            "SAVEPOINT a",
            "SET @a = 1",
            "SET autocommit = 0",
            "SET SESSION autocommit = 0",
            "SET @@session.AutoCommit = 0",
            "SET NAMES utf8mb4, `autocommit` = 0",
            "SET GLOBAL max_connections = 100",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "SET NAMES utf8mb4; SELECT 1",
            "SHOW TABLES",
            "SHOW PROCESSLIST",
            "EXPLAIN SELECT 1",
            "KILL 1",
            "ANALYZE TABLE t",
            "/*!40101 SELECT */ 1",
            "nonsense",
            "",
        ],
    );
}

#[test]
fn settings_and_questions_about_the_last_statement_are_left_to_tidegate() {
    all_go_to(
        "next",
        PLAIN,
        &[
            "SET NAMES utf8mb4",
            "SET SESSION sql_mode = 'ANSI'",
            "SET sql_mode = @@global.sql_mode",
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "/*!40101 SET NAMES utf8 */",
            "USE shop",
            "SHOW WARNINGS",
            "SHOW COUNT(*) ERRORS",
            "SELECT FOUND_ROWS()",
            "SELECT ROW_COUNT()",
            "SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 1",
        ],
    );
}

#[test]
fn in_a_transaction_nothing_is_split() {
    for sidecar in [PLAIN, SAMPLE] {
        let splitter = splitter(sidecar).unwrap();
        for session in [mock::session("app").begin(), mock::session("app").begin_read_only()] {
            for sql in [
                "SELECT 1",
                "INSERT INTO t VALUES (1)",
                "SET NAMES utf8mb4",
                "/* tidegate: route=replica */ SELECT 1",
                "COMMIT",
            ] {
                assert_eq!(ask(&splitter, &session, sql), "next", "{sql}");
            }
        }
    }
}

#[test]
fn a_hint_decides_outside_a_transaction() {
    let _host = Host::new();
    let splitter = splitter(SAMPLE).unwrap();
    for (sql, place) in [
        ("/* tidegate: route=primary */ SELECT 1", "primary"),
        ("SELECT 1 -- tidegate: route=primary", "primary"),
        ("/*tidegate:route=replica*/ SELECT place_order(1)", "replica"),
        ("/* tidegate: route=replica */ SELECT a FROM t FOR UPDATE", "replica"),
        ("/* tidegate: route=replica */ START TRANSACTION", "replica"),
        ("/* tidegate: route=replica */ SHOW TABLES", "replica"),
        ("/* tidegate: route=primary */ SET NAMES utf8mb4", "primary"),
        ("SELECT '/* tidegate: route=primary */'", "replica"),
        ("/* tidegate: team=web */ SELECT 1", "replica"),
    ] {
        assert_eq!(ask(&splitter, &mock::session("app"), sql), place, "{sql}");
    }
    let session = mock::session("app");
    ask(&splitter, &session, "DELETE FROM t");
    let hinted = "/* tidegate: route=replica */ SELECT 1";
    assert_eq!(ask(&splitter, &session, hinted), "replica", "also right after a write");
}

#[test]
fn a_hint_that_means_nothing_is_named_in_the_log() {
    let host = Host::new();
    let splitter = splitter(PLAIN).unwrap();
    let sql = "/* tidegate: route=master */ SELECT 1";
    assert_eq!(ask(&splitter, &mock::session("app"), sql), "replica");
    assert_eq!(host.logged(), [(log::Level::Warn, "a hint is ignored: route=master".to_owned())]);
}

#[test]
fn what_is_not_seen_to_its_end_goes_to_the_primary() {
    let splitter = splitter(PLAIN).unwrap();
    let long = format!("SELECT '{}'", "x".repeat(20_000));
    assert_eq!(ask(&splitter, &mock::session("app"), &long), "primary");
}

#[test]
fn listed_functions_go_where_the_list_says() {
    let lists = "[config]\nupstream = 'orders'\nsticky = '0s'\n\
        replica_functions = ['price', 'shop.tax']\nprimary_functions = ['MD5', 'audit.seen']";
    all_go_to(
        "replica",
        lists,
        &[
            "SELECT price(1)",
            "SELECT `Price`(1), NOW()",
            "SELECT any_shop.price(1)",
            "SELECT shop.tax(1), `shop`.`tax`(2)",
        ],
    );
    all_go_to(
        "primary",
        lists,
        &[
            "SELECT tax(1)",
            "SELECT other.tax(1)",
            "SELECT price(place_order(1))",
            "SELECT price(SLEEP(1))",
            "SELECT price(1) FROM t FOR UPDATE",
            "SELECT md5('a')",
            "SELECT audit.seen(1), price(1)",
        ],
    );
}

#[test]
fn read_only_transactions_may_be_sent_to_a_replica() {
    all_go_to("primary", PLAIN, &["START TRANSACTION READ ONLY"]);
    let config = "[config]\nupstream = 'orders'\nread_only_transactions = 'replica'";
    all_go_to(
        "replica",
        config,
        &["START TRANSACTION READ ONLY", "start transaction with consistent snapshot, read only"],
    );
    all_go_to("primary", config, &["BEGIN", "START TRANSACTION", "START TRANSACTION READ WRITE"]);
    let splitter = splitter(config).unwrap();
    let session = mock::session("app");
    ask(&splitter, &session, "DELETE FROM t");
    let begin = "START TRANSACTION READ ONLY";
    assert_eq!(ask(&splitter, &session, begin), "primary", "right after a write");
}

#[test]
fn a_session_reads_its_own_writes() {
    for write in [
        "INSERT INTO t VALUES (1)",
        "CREATE TABLE t (a INT)",
        "CALL place_order(1)",
        "SELECT place_order(1)",
        "SELECT 1; DELETE FROM t",
        "EXECUTE s",
        "/* tidegate: route=primary */ DELETE FROM t",
    ] {
        let host = Host::new();
        let splitter = splitter(SAMPLE).unwrap();
        let (writer, other) = (mock::session("app"), mock::session("app"));
        ask(&splitter, &writer, write);
        assert_eq!(ask(&splitter, &writer, "SELECT 1"), "primary", "{write}");
        assert_eq!(ask(&splitter, &other, "SELECT 1"), "replica", "{write}");
        host.advance(Duration::from_millis(999));
        assert_eq!(ask(&splitter, &writer, "SELECT 1"), "primary", "{write}");
        host.advance(Duration::from_millis(2));
        assert_eq!(ask(&splitter, &writer, "SELECT 1"), "replica", "{write}");
    }
}

#[test]
fn what_writes_nothing_keeps_no_session_on_the_primary() {
    let _host = Host::new();
    let splitter = splitter(SAMPLE).unwrap();
    let session = mock::session("app");
    for sql in ["SELECT a FROM t FOR UPDATE", "SHOW TABLES", "SET NAMES utf8", "BEGIN", "COMMIT"] {
        ask(&splitter, &session, sql);
        assert_eq!(ask(&splitter, &session, "SELECT 1"), "replica", "{sql}");
    }
}

/// The session after a statement in a transaction that began long ago.
fn after(session: MockSession, splitter: &Splitter, host: &Host, sql: &str) -> MockSession {
    host.advance(Duration::from_secs(5));
    ask(splitter, &session, sql);
    session
}

#[test]
fn a_transaction_that_has_written_counts_from_its_commit() {
    let host = Host::new();
    let splitter = splitter(SAMPLE).unwrap();
    for (inside, end, place) in [
        ("DELETE FROM t", "COMMIT", "primary"),
        ("DELETE FROM t", "SET autocommit = 1", "primary"),
        ("DELETE FROM t", "ROLLBACK", "replica"),
        ("SELECT 1", "COMMIT", "replica"),
    ] {
        let session = after(mock::session("app").begin(), &splitter, &host, inside);
        let session = after(session, &splitter, &host, end).commit();
        assert_eq!(ask(&splitter, &session, "SELECT 1"), place, "{inside}; {end}");
    }
}

#[test]
fn a_commit_is_done_with() {
    let host = Host::new();
    let splitter = splitter(SAMPLE).unwrap();
    let session = after(mock::session("app").begin(), &splitter, &host, "DELETE FROM t");
    let session = after(session, &splitter, &host, "COMMIT").commit();
    let session = after(session.begin(), &splitter, &host, "SELECT 1");
    let session = after(session, &splitter, &host, "COMMIT").commit();
    assert_eq!(ask(&splitter, &session, "SELECT 1"), "replica");
}

#[test]
fn a_verdict_is_reused_only_where_nothing_else_can_change_it() {
    let (plain, sticky) = (splitter(PLAIN).unwrap(), splitter(SAMPLE).unwrap());
    let session = mock::session("app");
    let (read, prepared) = (mock::statement("SELECT 1"), mock::prepared("SELECT ?"));
    let reuse = |splitter: &Splitter, session: &Session, statement: &Statement| {
        splitter.on_statement(session, statement).reuse.map(|(scope, _)| scope)
    };
    assert_eq!(reuse(&plain, &session, &read), None);
    // Comments may hold hints, and are no part of the digest.
    assert_eq!(reuse(&plain, &session, &prepared), Some(Reuse::UserAndText));
    assert_eq!(reuse(&sticky, &session, &prepared), None);
    let session = session.begin();
    assert_eq!(reuse(&plain, &session, &read), Some(Reuse::User));
    assert_eq!(reuse(&sticky, &session, &prepared), None);
}

#[test]
fn a_mistake_in_the_configuration_is_refused_by_name() {
    let _host = Host::new().with_targets(&TARGETS);
    assert!(splitter(SAMPLE).is_ok());
    for (config, wanted) in [
        ("", "\"upstream\": is missing; want a text"),
        ("upstream = 7", "\"upstream\": want a text, found 7"),
        (
            "upstream = 'order'",
            "\"upstream\": no target \"order/primary\"; \
             there are: orders, orders/primary, orders/replica",
        ),
        ("upstraem = 'orders'", "\"upstraem\": no such key; did you mean \"upstream\"?"),
        ("sticky_ms = 500", "\"sticky_ms\": no such key; did you mean \"sticky\"?"),
        (
            "upstream = 'orders'\nsticky = 500",
            "\"sticky\": want a duration such as \"500ms\", found 500",
        ),
        (
            "upstream = 'orders'\nread_only_transactions = 'replicas'",
            "\"read_only_transactions\": want \"primary\" or \"replica\", found \"replicas\"",
        ),
        (
            "upstream = 'orders'\nreplica_functions = 'price'",
            "\"replica_functions\": want a list, found \"price\"",
        ),
        (
            "upstream = 'orders'\nprimary_functions = ['price', 'tax()']",
            "\"primary_functions.1\": want the name of a function, found \"tax()\"",
        ),
        (
            "upstream = 'orders'\nreplica_functions = ['sleep']",
            "\"replica_functions.0\": sleep() is known to depend on its server or connection",
        ),
        (
            "upstream = 'orders'\nreplica_functions = ['tax']\nprimary_functions = ['TAX']",
            "\"replica_functions\": \"tax\" is among the primary_functions too",
        ),
    ] {
        let refused = splitter(&format!("[config]\n{config}")).err().unwrap_or_default();
        assert_eq!(refused, format!("[config] {wanted}"));
    }
}
