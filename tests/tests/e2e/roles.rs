//! Roles that change, replicas that fall behind: where statements go, and what clients notice.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tidegate_tests::server::{PRIMARY_ID, Pair, Programs, REPLICA_ID, users};
use tidegate_tests::setup::UPSTREAM;
use tidegate_tests::{MariaDbPair, PATIENCE, Setup, Tidegate, wait_for};

use crate::clients::with_plugins;
use crate::load::{Load, Work};
use crate::routing::split_config;
use crate::support::{answered_by, assert_unharmed, connect, run, server_error, value};

/// Has every statement sent to a replica.
fn read_replicas(setup: Setup) -> Tidegate {
    let sidecar = format!("[config]\ntarget = \"{UPSTREAM}/replica\"\n");
    let setup = setup.sidecar("route-all", &sidecar);
    Tidegate::start_with_plugins(setup, &[("route-all", "route-all")])
}

fn label(address: &str) -> String {
    format!("server=\"{address}\"")
}

fn wait_for_promotion(tidegate: &Tidegate, address: &str) {
    let primary = "tidegate_server_primary";
    tidegate.admin().wait_for_metric(primary, &[&label(address)], |primary| primary > 0.5);
}

/// Asks in one session until a server answers.
async fn until_answered_by(connection: &mut Conn, server: u32) {
    let started = Instant::now();
    while answered_by(connection).await != server {
        assert!(started.elapsed() < PATIENCE, "server {server} never answers");
    }
}

pub(crate) async fn switch_over_under_load<P: Programs>(pair: &mut Pair<P>, setup: Setup) {
    let tidegate = Tidegate::start(setup);
    let load = Load::start(&tidegate, &[Work::Insert; 4]).await;
    load.progress(25);
    let started = Instant::now();
    pair.switch_over();
    wait_for_promotion(&tidegate, &pair.replica.address());
    load.progress(25);
    let took = started.elapsed();
    let report = load.stop().await;
    eprintln!("switched over in {took:?}\n{report}");
    // Until the probe, the old primary refuses by itself; between the two, there is none.
    report.assert_only(Work::Insert, &["1290", "2003"]);
    let rows: u32 = pair.replica.query("select count(*) from app.written").trim().parse().unwrap();
    assert_eq!(
        rows,
        report.done(Work::Insert),
        "acknowledged rows are where they are read from now on"
    );
    let changes = tidegate.admin().metric("tidegate_server_role_changes_total", &[]);
    assert!(changes > 1.5, "{changes} roles have changed");
    assert_unharmed(&tidegate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_under_load_loses_nothing_and_ends_no_session() {
    let mut pair = MariaDbPair::start();
    let setup = Setup::discovering(&pair);
    switch_over_under_load(&mut pair, setup).await;
}

/// Transaction pooling, with every plugin that there is for MySQL.
pub(crate) fn with_all_plugins(setup: Setup) -> Tidegate {
    let setup = setup
        .pool("{ mode = \"transaction\", max = 6, wait = \"5s\" }")
        .listener("query_log = { path = \"queries.log\" }");
    with_plugins(setup, "0s")
}

/// The primary is killed under sessions that do all sorts of work, and the replica takes over.
pub(crate) async fn promote_for_a_dead_primary<P: Programs>(mut pair: Pair<P>, tidegate: Tidegate) {
    let works = [Work::Insert, Work::Execute, Work::Transaction, Work::Read];
    let works = works.repeat(3);
    let load = Load::start(&tidegate, &works).await;
    load.progress(25);
    pair.primary.kill();
    let killed = Instant::now();
    // What was acknowledged and has not arrived is lost with the primary, whoever stands before it.
    pair.promote();
    wait_for_promotion(&tidegate, &pair.replica.address());
    load.progress(25);
    let took = killed.elapsed();
    let report = load.stop().await;
    eprintln!("everybody works again after {took:?}\n{report}");
    // What was on its way when the primary died may have been carried out or not. Its sockets die one
    // after the other, so a session may come upon two of them.
    for work in [Work::Insert, Work::Execute] {
        report.assert_only(work, &["2003", "2013"]);
    }
    // A session whose transaction is lost ends, so that it cannot go on as if nothing were.
    report.assert_only(Work::Transaction, &["2003", "2013", "ended"]);
    let of_transactions = &report.0[&Work::Transaction].errors;
    assert!(of_transactions.get("ended") <= of_transactions.get("2013"), "{report}");
    // Where nothing is written, nobody needs a primary.
    report.assert_only(Work::Read, &[]);
    let lost = report.errors().get("2013").copied().unwrap_or_default();
    assert!(lost <= 18, "{report}");
    let halves = "select count(*) from (select writer, n from app.written where part > 0 \
                  group by writer, n having count(*) <> 2) as halves";
    assert_eq!(pair.replica.query(halves).trim(), "0", "transactions are stored whole");
    let twice = "select count(*) from (select writer, n, part from app.written \
                 group by writer, n, part having count(*) > 1) as twice";
    assert_eq!(pair.replica.query(twice).trim(), "0", "nothing is carried out twice");
    // Nor does it take over when it comes back as it was.
    pair.primary.start_again();
    tidegate.wait_for_log(&["a second server can be written to", &pair.primary.address()]);
    let mut connection = connect(&tidegate, "app").await;
    run(&mut connection, "insert into written values (99, 0, 0)").await;
    assert_eq!(pair.replica.query("select n from app.written where writer = 99").trim(), "0");
    assert_unharmed(&tidegate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_promoted_for_a_dead_primary_takes_the_writes() {
    let pair = MariaDbPair::start();
    let setup = Setup::discovering(&pair);
    promote_for_a_dead_primary(pair, with_all_plugins(setup)).await;
}

pub(crate) async fn move_between_transactions<P: Programs>(pair: &mut Pair<P>, setup: Setup) {
    let tidegate = Tidegate::start(setup);
    let mut free = connect(&tidegate, "app").await;
    run(&mut free, "create table t (a int) engine=InnoDB").await;
    let mut bound = connect(&tidegate, "app").await;
    run(&mut bound, "begin").await;
    run(&mut bound, "insert into t values (1)").await;
    pair.switch_over();
    wait_for_promotion(&tidegate, &pair.replica.address());
    assert_eq!(answered_by(&mut free).await, REPLICA_ID);
    assert_eq!(answered_by(&mut bound).await, PRIMARY_ID);
    let refused = bound.query_drop("insert into t values (2)").await.unwrap_err();
    assert_eq!(server_error(&refused).0, 1290, "{refused}");
    run(&mut bound, "rollback").await;
    assert_eq!(answered_by(&mut bound).await, REPLICA_ID);
    run(&mut bound, "insert into t values (3)").await;
    assert_eq!(value::<u32>(&mut free, "select sum(a) from t").await, 3);
}

#[tokio::test]
async fn sessions_move_to_the_new_primary_but_not_in_the_middle_of_a_transaction() {
    let mut pair = MariaDbPair::start();
    let setup = Setup::discovering(&pair);
    move_between_transactions(&mut pair, setup).await;
}

pub(crate) async fn leave_out_who_lags<P: Programs>(pair: &Pair<P>, setup: Setup) {
    let tidegate = read_replicas(setup.upstream("max_lag = \"1s\""));
    let mut connection = connect(&tidegate, "").await;
    until_answered_by(&mut connection, REPLICA_ID).await;
    pair.delay(600);
    pair.primary.execute("create table app.late (a int)");
    until_answered_by(&mut connection, PRIMARY_ID).await;
    tidegate.wait_for_log(&["left out of reads", "behind", &pair.replica.address()]);
    let replica = label(&pair.replica.address());
    let lag = tidegate.admin().metric("tidegate_server_replication_lag_seconds", &[&replica]);
    assert!(lag > 1.5, "{lag}");
    assert!(tidegate.admin().metric("tidegate_server_fit", &[&replica]) < 0.5);
    pair.delay(0);
    until_answered_by(&mut connection, REPLICA_ID).await;
    tidegate.wait_for_log(&["takes reads again", &pair.replica.address()]);
}

#[tokio::test]
async fn a_replica_that_lags_serves_no_reads_until_it_has_caught_up() {
    let pair = MariaDbPair::start();
    leave_out_who_lags(&pair, Setup::discovering(&pair)).await;
}

pub(crate) async fn read_after_write<P: Programs>(pair: &Pair<P>, setup: Setup) {
    let wait = "read_after_write_wait = \"200ms\"";
    let setup = setup.upstream("read_after_write = \"gtid\"").upstream(wait);
    let sidecar = split_config("0s");
    let setup = setup.sidecar("read-write-split", &sidecar);
    let plugins = [("read-write-split", "read-write-split")];
    let tidegate = Tidegate::start_with_plugins(setup, &plugins);
    pair.primary.execute("create table app.mine (a int)");
    pair.wait_for_replica();
    let mut writer = connect(&tidegate, "app").await;
    let mut reader = connect(&tidegate, "app").await;
    until_answered_by(&mut reader, REPLICA_ID).await;
    pair.delay(600);
    // For a moment it did not replicate at all.
    until_answered_by(&mut reader, REPLICA_ID).await;
    run(&mut writer, "insert into mine values (1)").await;
    assert_eq!(value::<u32>(&mut writer, "select count(*) from mine").await, 1);
    assert_eq!(answered_by(&mut writer).await, PRIMARY_ID);
    assert_eq!(value::<u32>(&mut reader, "select count(*) from mine").await, 0);
    assert_eq!(answered_by(&mut reader).await, REPLICA_ID);
    pair.delay(0);
    until_answered_by(&mut writer, REPLICA_ID).await;
    assert_eq!(value::<u32>(&mut writer, "select count(*) from mine").await, 1);
}

#[tokio::test]
async fn a_session_reads_what_it_has_written_where_it_has_arrived() {
    let pair = MariaDbPair::start();
    read_after_write(&pair, Setup::discovering(&pair)).await;
}

pub(crate) async fn leave_out_who_does_not_follow<P: Programs>(mut pair: Pair<P>, setup: Setup) {
    let tidegate = read_replicas(setup);
    let mut connection = connect(&tidegate, "app").await;
    until_answered_by(&mut connection, REPLICA_ID).await;
    pair.replica.execute("stop replica sql_thread");
    until_answered_by(&mut connection, PRIMARY_ID).await;
    tidegate.wait_for_log(&["left out of reads", "replication is stopped"]);
    pair.replica.execute("start replica sql_thread");
    until_answered_by(&mut connection, REPLICA_ID).await;

    pair.primary.execute("create table app.t (a int primary key)");
    pair.wait_for_replica();
    pair.replica.execute("set sql_log_bin = 0; insert into app.t values (1)");
    pair.primary.execute("insert into app.t values (1)");
    until_answered_by(&mut connection, PRIMARY_ID).await;
    tidegate.wait_for_log(&["left out of reads", "broken by error 1062"]);

    pair.primary.kill();
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID, "better than nobody");
    let mut newcomer = connect(&tidegate, "app").await;
    assert_eq!(answered_by(&mut newcomer).await, REPLICA_ID);
}

#[tokio::test]
async fn a_replica_that_does_not_replicate_is_the_last_to_be_read_from() {
    let pair = MariaDbPair::start();
    let setup = Setup::discovering(&pair);
    leave_out_who_does_not_follow(pair, setup).await;
}

#[tokio::test]
async fn of_two_servers_that_can_be_written_to_the_primary_stays_it() {
    let mut pair = MariaDbPair::start();
    let tidegate = Tidegate::start(Setup::discovering(&pair));
    let mut connection = connect(&tidegate, "app").await;
    assert_eq!(answered_by(&mut connection).await, PRIMARY_ID);
    pair.replica.execute("set global read_only = 0");
    tidegate.wait_for_log(&["a second server can be written to", &pair.replica.address()]);
    for _ in 0..10 {
        let mut newcomer = connect(&tidegate, "app").await;
        assert_eq!(answered_by(&mut newcomer).await, PRIMARY_ID);
    }
    let replica = label(&pair.replica.address());
    assert!(tidegate.admin().metric("tidegate_server_primary", &[&replica]) < 0.5);
    // It still follows the primary, so its `read_only` may only have been forgotten.
    pair.primary.kill();
    let up = "tidegate_server_up";
    tidegate.admin().wait_for_metric(up, &[&label(&pair.primary.address())], |up| up < 0.5);
    let mut newcomer = connect(&tidegate, "app").await;
    let refused = newcomer.query_drop("create table forked (a int)").await.unwrap_err();
    assert_eq!(server_error(&refused).0, 2003, "{refused}");
    pair.replica.execute("stop slave");
    wait_for_promotion(&tidegate, &pair.replica.address());
    assert_eq!(answered_by(&mut newcomer).await, REPLICA_ID);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_primary_statements_wait_a_little_and_fail_clearly() {
    let pair = MariaDbPair::start();
    let setup = Setup::discovering(&pair).pool("{ max = 5, wait = \"700ms\" }");
    let tidegate = Tidegate::start(setup);
    let mut connection = connect(&tidegate, "app").await;
    run(&mut connection, "create table t (a int)").await;
    pair.primary.execute("set global read_only = 1");
    tidegate.wait_for_log(&["can no longer be written to", &pair.primary.address()]);
    let started = Instant::now();
    let refused = connection.query_drop("insert into t values (1)").await.unwrap_err();
    assert_eq!(server_error(&refused).0, 2003, "{refused}");
    assert!(server_error(&refused).1.contains("has no primary"), "{refused}");
    let waited = started.elapsed();
    assert!((Duration::from_millis(700)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
    // The session goes on, and what waits is served as soon as there is a primary again.
    let mut writing = tokio::spawn(async move {
        let started = Instant::now();
        while let Err(error) = connection.query_drop("insert into t values (2)").await {
            assert_eq!(server_error(&error).0, 2003, "{error}");
            assert!(started.elapsed() < PATIENCE, "{error}");
        }
        value::<u32>(&mut connection, "select a from t").await
    });
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut writing).await.is_err());
    pair.primary.execute("set global read_only = 0");
    assert_eq!(writing.await.unwrap(), 2);
}

#[tokio::test]
async fn an_account_that_may_not_see_the_replication_is_told_once() {
    let pair = MariaDbPair::start();
    let (user, password) = users::READER;
    let setup =
        Setup::new(&[(pair.primary.address(), "discover"), (pair.replica.address(), "discover")])
            .quick_probes()
            .upstream(&format!("account = {{ user = {user:?}, password = {password:?} }}"))
            .upstream("max_lag = \"1s\"")
            .sidecar("route-all", &format!("[config]\ntarget = \"{UPSTREAM}/replica\"\n"));
    let tidegate = Tidegate::start_with_plugins(setup, &[("route-all", "route-all")]);
    let mut connection = connect(&tidegate, "").await;
    pair.replica.execute("stop slave");
    for _ in 0..20 {
        assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
    }
    let connections = "tidegate_server_statements_total";
    wait_for("some probes", || (tidegate.admin().metric(connections, &[]) > 19.0).then_some(()));
    let told = tidegate.log().iter().filter(|line| line.contains("lag is not known")).count();
    assert_eq!(told, 2, "once for each server");
}
