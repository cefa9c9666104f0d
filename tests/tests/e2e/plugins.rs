//! What plugins can do to a statement, and what becomes of it when they fail.

use std::time::{Duration, Instant};

use mysql_async::Row;
use mysql_async::prelude::Queryable as _;
use tidegate_tests::clients::Login;
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID};
use tidegate_tests::setup::UPSTREAM;
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use crate::support::{
    answered_by, assert_unharmed, connect, run, server_error, try_connect, value,
};

/// In front of the shared pair, with one plugin and its sidecar.
fn with_plugin(source: &str, sidecar: &str) -> Tidegate {
    let setup = Setup::pair(MariaDbPair::shared()).sidecar(source, sidecar);
    Tidegate::start_with_plugins(setup, &[(source, source)])
}

fn route_all(target: &str) -> String {
    format!("[config]\ntarget = \"{target}\"\n")
}

#[tokio::test]
async fn a_plugin_routes_by_role_and_by_address() {
    let pair = MariaDbPair::shared();
    let replica = format!("{UPSTREAM}@{}", pair.replica.address());
    for (target, server) in [
        (format!("{UPSTREAM}/replica"), REPLICA_ID),
        (format!("{UPSTREAM}/primary"), PRIMARY_ID),
        (UPSTREAM.to_owned(), PRIMARY_ID),
        (replica, REPLICA_ID),
    ] {
        let tidegate = with_plugin("route-all", &route_all(&target));
        let mut connection = connect(&tidegate, "").await;
        assert_eq!(answered_by(&mut connection).await, server, "{target}");
        let statement = connection.prep("select @@server_id").await.unwrap();
        let prepared: Option<u32> = connection.exec_first(&statement, ()).await.unwrap();
        assert_eq!(prepared, Some(server), "{target}, prepared");
    }
}

#[tokio::test]
async fn a_plugin_rewrites_texts_and_prepared_statements() {
    let pair = MariaDbPair::shared();
    let database = pair.database("plugins_rewrite");
    pair.primary.execute("create table plugins_rewrite.new_orders (a int); insert into plugins_rewrite.new_orders values (5)");
    let tidegate = with_plugin("rewrite", "");
    let mut connection = connect(&tidegate, database).await;
    assert_eq!(value::<u8>(&mut connection, "select a from old_orders").await, 5);
    let prepared = connection.prep("select a from old_orders where a > ?").await.unwrap();
    assert_eq!(connection.exec_first::<u8, _, _>(&prepared, (1,)).await.unwrap(), Some(5));
    assert_eq!(value::<u8>(&mut connection, "select 9").await, 9);
}

#[tokio::test]
async fn a_plugin_rewrites_and_routes_in_one_verdict() {
    let pair = MariaDbPair::shared();
    let database = pair.database("plugins_rewrite_route");
    pair.primary.execute("create table plugins_rewrite_route.new_orders (a int); insert into plugins_rewrite_route.new_orders values (1)");
    pair.wait_for_replica();
    let tidegate = with_plugin("rewrite", &route_all(&format!("{UPSTREAM}/replica")));
    let mut connection = connect(&tidegate, database).await;
    let server: u32 = value(&mut connection, "select @@server_id from old_orders").await;
    assert_eq!(server, REPLICA_ID);
}

#[tokio::test]
async fn a_plugin_answers_with_rows_and_with_counts() {
    let tidegate = with_plugin("reply", "");
    let mut connection = connect(&tidegate, "").await;
    let rows: Vec<Row> = connection.query("SELECT 'who'").await.unwrap();
    assert_eq!(rows.len(), 2);
    let first: (String, i64, f64, Vec<u8>) = mysql_async::from_row(rows[0].clone());
    assert_eq!(first, ("app".to_owned(), 42, 0.5, vec![0, 255]));
    let second: (String, Option<i64>, Option<f64>, Option<String>) =
        mysql_async::from_row(rows[1].clone());
    assert_eq!(second, ("nobody".to_owned(), None, None, None));
    assert!(connection.query::<Row, _>("SELECT 'nobody'").await.unwrap().is_empty());
    run(&mut connection, "DELETE FROM reply").await;
    assert_eq!((connection.affected_rows(), connection.last_insert_id()), (3, Some(7)));
    assert_eq!(connection.info(), "as you wish");
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[tokio::test]
async fn a_plugin_rejects_statements_and_sessions() {
    let pair = MariaDbPair::shared();
    pair.primary.execute("create or replace user banned@'%' identified by 'pw'");
    let users =
        "[{ name = \"app\", password = \"apppw\" }, { name = \"banned\", password = \"pw\" }]";
    let setup = Setup::pair(pair).auth(&format!("{{ source = \"config\", users = {users} }}"));
    let tidegate = Tidegate::start_with_plugins(setup, &[("reject", "reject")]);
    let mut connection = connect(&tidegate, "").await;
    let forbidden = connection.query_drop("select 'forbidden'").await.unwrap_err();
    assert_eq!(server_error(&forbidden), (1142, "this is forbidden"));
    let refused = connection.query_drop("select 'refused'").await.unwrap_err();
    assert_eq!(server_error(&refused).1, "this is refused");
    let prepared = connection.prep("select 'forbidden', ?").await;
    let prepared = match prepared {
        Err(error) => error,
        Ok(statement) => connection.exec_drop(&statement, (1,)).await.unwrap_err(),
    };
    assert_eq!(server_error(&prepared).0, 1142);
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    let login = Login { user: "banned", password: "pw", ..Login::app(tidegate.port(), "") };
    let banned = try_connect(login).await.unwrap_err();
    assert!(server_error(&banned).1.contains("you are banned"), "{banned}");
}

#[tokio::test]
async fn a_plugin_decides_statements_of_many_frames_by_their_beginning() {
    let tidegate = with_plugin("reject", "");
    let mut connection = connect(&tidegate, "").await;
    let long = "x".repeat(20 << 20);
    let rejected = connection.query_drop(format!("select 'forbidden', '{long}'")).await;
    assert_eq!(server_error(&rejected.unwrap_err()), (1142, "this is forbidden"));
    // Beyond what a plugin sees: it must not be taken for what it is not.
    let passed: usize = value(&mut connection, &format!("select length('{long} forbidden')")).await;
    assert_eq!(passed, long.len() + " forbidden".len());
}

#[tokio::test]
async fn a_trap_costs_its_statement_nothing_where_the_plugin_may_fail_open() {
    let tidegate = with_plugin("trap", "on_failure = \"open\"\n");
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(value::<String>(&mut connection, "select 'trap'").await, "trap");
    let line = tidegate.wait_for_log(&["asked to trap by app"]);
    assert!(line.contains("trap"), "{line}");
    tidegate.admin().wait_for_metric(
        "tidegate_plugin_failures_total",
        &["plugin=\"trap\"", "kind=\"trap\""],
        |n| n > 0.5,
    );
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[tokio::test]
async fn a_trap_refuses_its_statement_where_the_plugin_must_fail_closed() {
    let tidegate = with_plugin("trap", "on_failure = \"closed\"\n");
    let mut connection = connect(&tidegate, "").await;
    let refusal = connection.query_drop("select 'trap'").await.unwrap_err();
    let (code, message) = server_error(&refusal);
    assert!(code > 0 && message.contains("trap"), "{code}: {message}");
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[tokio::test]
async fn a_trap_in_a_transaction_leaves_the_transaction_as_it_was() {
    let pair = MariaDbPair::shared();
    let database = pair.database("plugins_transaction");
    for (on_failure, rows) in [("open", 2), ("closed", 1)] {
        let tidegate = with_plugin("trap", &format!("on_failure = \"{on_failure}\"\n"));
        let mut connection = connect(&tidegate, database).await;
        run(&mut connection, "create or replace table t (a varchar(10))").await;
        run(&mut connection, "begin").await;
        run(&mut connection, "insert into t values ('before')").await;
        let trapped = connection.query_drop("insert into t values ('trap')").await;
        assert_eq!(trapped.is_ok(), on_failure == "open");
        assert_eq!(value::<u8>(&mut connection, "select @@in_transaction").await, 1);
        run(&mut connection, "commit").await;
        assert_eq!(value::<u32>(&mut connection, "select count(*) from t").await, rows);
    }
}

#[tokio::test]
async fn a_plugin_that_never_returns_is_stopped_at_its_deadline() {
    for (on_failure, passes) in [("open", true), ("closed", false)] {
        let sidecar = format!("on_failure = \"{on_failure}\"\ndeadline = \"20ms\"\n");
        let tidegate = with_plugin("looper", &sidecar);
        let mut connection = connect(&tidegate, "").await;
        let started = Instant::now();
        let result = connection.query_drop("select 'loop'").await;
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!(result.is_ok(), passes, "{result:?}");
        assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
        tidegate.admin().wait_for_metric(
            "tidegate_plugin_failures_total",
            &["kind=\"deadline\""],
            |n| n > 0.5,
        );
    }
}

#[tokio::test]
async fn a_plugin_that_wants_too_much_memory_is_stopped_at_its_cap() {
    let tidegate =
        with_plugin("grower", "memory = \"8MiB\"\ndeadline = \"2s\"\non_failure = \"closed\"\n");
    let mut connection = connect(&tidegate, "").await;
    let refusal = connection.query_drop("select 'grow'").await.unwrap_err();
    assert!(server_error(&refusal).0 > 0);
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    tidegate
        .admin()
        .wait_for_metric("tidegate_plugin_failures_total", &["kind=\"memory\""], |n| n > 0.5);
}

#[tokio::test]
async fn a_plugin_that_keeps_trapping_is_left_alone_and_the_proxy_serves() {
    let tidegate = with_plugin("trap", "on_failure = \"open\"\n");
    let mut connection = connect(&tidegate, "").await;
    for _ in 0..200 {
        assert_eq!(value::<String>(&mut connection, "select 'trap'").await, "trap");
    }
    tidegate.admin().wait_for_metric("tidegate_plugin_degraded", &["plugin=\"trap\""], |n| n > 0.5);
    assert_unharmed_by_plugins(&tidegate).await;
}

/// The guest's own panic is in the log, so only the service is asked.
async fn assert_unharmed_by_plugins(tidegate: &Tidegate) {
    let mut connection = connect(tidegate, "").await;
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[tokio::test]
async fn what_a_plugin_prints_is_in_the_log_and_the_sandbox_is_shut() {
    let setup =
        Setup::pair(MariaDbPair::shared()).listener("query_log = { path = \"queries.log\" }");
    let tidegate = Tidegate::start_with_plugins(setup, &[("printer", "printer")]);
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    for line in ["out: app says", "out: in pieces", "err: select 1", "err: second line"] {
        tidegate.wait_for_log(&["printer", line]);
    }
    let log = tidegate.folder().join("queries.log");
    let line = tidegate_tests::wait_for("a line of the query log", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.lines().find(|line| line.contains("\"std\"")).map(str::to_owned)
    });
    assert!(
        line.contains("clock") && !line.contains("files") && !line.contains("environment"),
        "{line}"
    );
}

#[tokio::test]
async fn a_chain_runs_in_the_order_of_the_names_and_sees_rewritten_text() {
    let pair = MariaDbPair::shared();
    let database = pair.database("plugins_chain");
    pair.primary.execute("create table plugins_chain.new_orders (a int); insert into plugins_chain.new_orders values (3)");
    pair.wait_for_replica();
    let setup =
        Setup::pair(pair).sidecar("20-route-all", &route_all(&format!("{UPSTREAM}/replica")));
    let tidegate = Tidegate::start_with_plugins(
        setup,
        &[("10-rewrite", "rewrite"), ("20-route-all", "route-all"), ("30-reject", "reject")],
    );
    let mut connection = connect(&tidegate, database).await;
    let (number, server): (u8, u32) =
        connection.query_first("select a, @@server_id from old_orders").await.unwrap().unwrap();
    assert_eq!((number, server), (3, REPLICA_ID));
}

#[tokio::test]
async fn plugins_keep_state_tick_and_observe() {
    let setup = Setup::pair(MariaDbPair::shared());
    let installed = [("kv", "kv"), ("ticker", "ticker"), ("observer", "observer")];
    let tidegate = Tidegate::start_with_plugins(setup, &installed);
    let mut connection = connect(&tidegate, "").await;
    for count in 1..=5_u32 {
        assert_eq!(value::<u32>(&mut connection, "SELECT 'count'").await, count);
    }
    let mut last = 0_u32;
    for _ in 0..1000 {
        last = value(&mut connection, "select 'ticks'").await;
        if last > 3 {
            break;
        }
        run(&mut connection, "do sleep(0.02)").await;
    }
    assert!(last > 3, "{last} ticks");
    connection.disconnect().await.unwrap();
    let good = ["plugin=\"observer\"", "outcome=\"good\""];
    let admin = tidegate.admin();
    let name = admin
        .metrics()
        .lines()
        .find(|line| line.contains("observer") && line.contains("good"))
        .and_then(|line| line.split('{').next().map(str::to_owned))
        .unwrap_or_else(|| panic!("no metric of the observer in\n{}", admin.metrics()));
    admin.wait_for_metric(&name, &good, |count| count > 5.5);
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_plugin_limits_the_time_of_a_statement_and_the_session_goes_on() {
    let tidegate = with_plugin("annotate", "");
    let mut connection = connect(&tidegate, "").await;
    let slow = "select count(*), sleep(60) /* slow */ from information_schema.collations";
    let error = connection.query_drop(slow).await.unwrap_err();
    assert_eq!(server_error(&error).0, 1317, "{error:?}");
    assert_eq!(value::<u8>(&mut connection, "select 7 /* slow */").await, 7);
    let timed_out = ["outcome=\"timed_out\""];
    assert!(tidegate.admin().metric("tidegate_statements_total", &timed_out) > 0.0);
    assert_unharmed(&tidegate).await;
}
