//! Servers that die, freeze and come back: each time a defined outcome that the client understands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use tidegate_tests::clients::Login;
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID};
use tidegate_tests::setup::UPSTREAM;
use tidegate_tests::tap::Tap;
use tidegate_tests::{MariaDb, MariaDbPair, PATIENCE, Setup, Tidegate, wait_for};

use crate::support::{
    answered_by, assert_unharmed, connect, run, server_error, try_connect, value,
};

fn to_replicas(pair: &MariaDbPair) -> Tidegate {
    let setup = Setup::pair(pair)
        .account()
        .quick_probes()
        .sidecar("route-all", &format!("[config]\ntarget = \"{UPSTREAM}/replica\"\n"));
    Tidegate::start_with_plugins(setup, &[("route-all", "route-all")])
}

/// Reads in a session of its own.
async fn read(port: u16) -> Result<u32, Error> {
    let mut connection = try_connect(Login::app(port, "")).await?;
    let server: Option<u32> = connection.query_first("select @@server_id").await?;
    connection.disconnect().await?;
    Ok(server.expect("a row"))
}

async fn until_read_from(port: u16, server: u32) {
    let started = Instant::now();
    while read(port).await.ok() != Some(server) {
        assert!(started.elapsed() < PATIENCE, "server {server} never answers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_the_replica_is_killed_and_comes_back() {
    let mut pair = MariaDbPair::start();
    let tidegate = to_replicas(&pair);
    let port = tidegate.port();
    until_read_from(port, REPLICA_ID).await;
    let stop = Arc::new(AtomicBool::new(false));
    let failures = Arc::new(AtomicU32::new(0));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (stop, failures) = (Arc::clone(&stop), Arc::clone(&failures));
            tokio::spawn(async move {
                let mut good = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    match read(port).await {
                        Ok(_) => good += 1,
                        Err(_) => drop(failures.fetch_add(1, Ordering::Relaxed)),
                    }
                }
                good
            })
        })
        .collect();
    pair.replica.kill();
    until_read_from(port, PRIMARY_ID).await;
    pair.replica.start_again();
    until_read_from(port, REPLICA_ID).await;
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0, "a reader has read nothing");
    }
    // What was on its way to the replica when it died may fail, once for each reader; nothing else.
    let failures = failures.load(Ordering::Relaxed);
    assert!(failures <= 4, "{failures} reads failed");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn with_all_replicas_down_the_primary_answers() {
    let mut pair = MariaDbPair::start();
    let tidegate = to_replicas(&pair);
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
    pair.replica.stop();
    until_read_from(tidegate.port(), PRIMARY_ID).await;
    let up =
        tidegate
            .admin()
            .wait_for_metric("tidegate_server_up", &[&pair.replica.address()], |up| up < 0.5);
    assert!(up < 0.5);
}

#[tokio::test]
async fn a_primary_that_dies_in_a_transaction_is_an_error_and_ends_the_session() {
    let mut server = MariaDb::start();
    let tidegate = Tidegate::start(Setup::single(&server).quick_probes());
    let mut connection = connect(&tidegate, "app").await;
    run(&mut connection, "create table t (a int) engine=InnoDB").await;
    run(&mut connection, "begin").await;
    run(&mut connection, "insert into t values (1)").await;
    server.kill();
    let failure = connection.query_drop("insert into t values (2)").await.unwrap_err();
    let (code, message) = server_error(&failure);
    assert!(code > 0 && !message.is_empty(), "{code}: {message}");
    let after = connection.query_drop("commit").await.unwrap_err();
    assert!(
        !matches!(after, Error::Server(_)),
        "the session goes on without its transaction: {after}"
    );
    tidegate.wait_for_log(&[&server.address()]);
    server.start_again();
    wait_for_service(&tidegate).await;
    let mut connection = connect(&tidegate, "app").await;
    assert_eq!(value::<u32>(&mut connection, "select count(*) from t").await, 0);
}

/// Asks in new sessions until one is answered.
async fn wait_for_service(tidegate: &Tidegate) {
    let started = Instant::now();
    while read(tidegate.port()).await.is_err() {
        assert!(started.elapsed() < PATIENCE, "the proxy does not find the server again");
    }
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_of_a_result_never_makes_it_look_complete() {
    let mut server = MariaDb::start();
    let tidegate = Tidegate::start(Setup::single(&server).quick_probes());
    let mut connection = connect(&tidegate, "").await;
    let mut result = connection
        .query_iter("select seq, repeat('x', 1000) from app.seq_1_to_10000000")
        .await
        .unwrap();
    let mut rows = 0_u64;
    let ending = loop {
        match result.next().await {
            Ok(Some(_)) => rows += 1,
            ending => break ending,
        }
        if rows == 1000 {
            server.kill();
        }
    };
    assert!(rows >= 1000, "{rows} rows");
    assert!(ending.is_err(), "the result ended as if it were complete, after {rows} rows");
    drop(result);
    server.start_again();
    wait_for_service(&tidegate).await;
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn with_every_server_down_clients_are_told_so_in_time() {
    let mut server = MariaDb::start();
    let setup =
        Setup::single(&server).quick_probes().pool("{ max = 5, wait = \"1s\", connect = \"1s\" }");
    let tidegate = Tidegate::start(setup);
    assert_eq!(read(tidegate.port()).await.unwrap(), PRIMARY_ID);
    server.kill();
    let started = Instant::now();
    let failure = read(tidegate.port()).await.unwrap_err();
    assert!(server_error(&failure).1.contains(&server.address()), "{failure}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    server.start_again();
    wait_for_service(&tidegate).await;
}

#[tokio::test]
async fn a_server_that_freezes_does_not_freeze_its_clients() {
    let mut pair = MariaDbPair::start();
    let setup = Setup::pair(&pair)
        .account()
        .upstream("probe = { interval = \"200ms\", timeout = \"500ms\", failures = 2 }")
        .pool("{ max = 5, wait = \"1s\", connect = \"1s\" }")
        .sidecar("route-all", &format!("[config]\ntarget = \"{UPSTREAM}/replica\"\n"));
    let tidegate = Tidegate::start_with_plugins(setup, &[("route-all", "route-all")]);
    until_read_from(tidegate.port(), REPLICA_ID).await;
    pair.replica.freeze();
    tidegate
        .admin()
        .wait_for_metric("tidegate_server_up", &[&pair.replica.address()], |up| up < 0.5);
    assert_eq!(read(tidegate.port()).await.unwrap(), PRIMARY_ID);
    pair.replica.thaw();
    until_read_from(tidegate.port(), REPLICA_ID).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_result_costs_nobody_else() {
    let server = MariaDb::start();
    let tidegate = Tidegate::start(Setup::single(&server).pool("{ max = 2, wait = \"10s\" }"));
    for _ in 0..10 {
        abandon(&tidegate).await;
    }
    for _ in 0..3 {
        assert_eq!(read(tidegate.port()).await.unwrap(), PRIMARY_ID);
    }
    wait_for("the server to be rid of abandoned statements", || {
        let busy = server.query(
            "select count(*) from information_schema.processlist where info like 'select seq%'",
        );
        (busy.trim() == "0").then_some(())
    });
}

async fn abandon(tidegate: &Tidegate) {
    let mut client = tidegate_tests::raw::RawClient::login(tidegate.port(), "nopw").unwrap();
    client.command(3, b"select seq, repeat('x', 1000) from app.seq_1_to_10000000").unwrap();
    client.read().unwrap();
    drop(client);
}

/// The shutdown finishes what runs and then ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_statements_finish_and_turns_newcomers_away() {
    let mut tidegate = Tidegate::start(Setup::single(&MariaDbPair::shared().primary));
    let mut connection: Conn = connect(&tidegate, "").await;
    let port = tidegate.port();
    let running = tokio::spawn(async move {
        let answer: Result<Option<u8>, Error> = connection.query_first("select 1 + sleep(1)").await;
        answer
    });
    let primary = &MariaDbPair::shared().primary;
    wait_for("the statement to run", || {
        let seen = primary.query("select count(*) from information_schema.processlist where info like 'select 1 + sleep(1)'");
        (seen.trim() == "1").then_some(())
    });
    let started = Instant::now();
    let status = tokio::task::spawn_blocking(move || (tidegate.stop(), tidegate)).await.unwrap();
    assert!(status.0.success(), "{}", status.0);
    assert_eq!(running.await.unwrap().unwrap(), Some(1), "the statement was cut off");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(try_connect(Login::app(port, "")).await.is_err());
}

/// A transaction that is open when the shutdown begins may still be committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_open_transactions() {
    let mut tidegate = Tidegate::start(Setup::single(&MariaDbPair::shared().primary));
    let mut connection: Conn = connect(&tidegate, "").await;
    let port = tidegate.port();
    connection.query_drop("start transaction").await.unwrap();
    let stopping = tokio::task::spawn_blocking(move || (tidegate.stop(), tidegate));
    while try_connect(Login::app(port, "")).await.is_ok() {}
    assert_eq!(connection.query_first::<u8, _>("select 7").await.unwrap(), Some(7));
    connection.query_drop("commit").await.unwrap();
    let (status, _) = stopping.await.unwrap();
    assert!(status.success(), "{status}");
    assert!(connection.query_drop("select 8").await.is_err(), "the session outlived its worker");
}

#[tokio::test]
async fn what_was_not_sent_is_sent_elsewhere_and_what_was_is_not_repeated() {
    let primary = &MariaDbPair::shared().primary;
    primary.execute("create or replace database cut; create table cut.t (a int)");
    let wire = Tap::before(primary.port());
    let server = (format!("127.0.0.1:{}", wire.port()), "primary");
    let pool = "{ mode = \"transaction\", max = 1, wait = \"2s\" }";
    let tidegate = Tidegate::start(Setup::new(&[server]).pool(pool));
    let mut one = connect(&tidegate, "cut").await;
    let mut other = connect(&tidegate, "cut").await;
    run(&mut other, "set @mine = 'other'").await;
    let prepared = other.prep("insert into t values (?)").await.unwrap();

    // The connection has heard nothing of the session yet, and dies when it is told.
    run(&mut one, "select 1").await;
    wire.cut();
    run(&mut other, "insert into t values (1)").await;
    assert_eq!(value::<String>(&mut other, "select @mine").await, "other");
    // It has heard what another session has said, and dies when it is reset and prepares.
    run(&mut one, "set @mine = 'one'").await;
    wire.cut();
    other.exec_drop(&prepared, (2,)).await.unwrap();
    assert_eq!(primary.query("select group_concat(a order by a) from cut.t").trim(), "1,2");

    // The statement itself was sent, and nobody knows what became of it.
    wire.cut();
    let error = other.query_drop("insert into t values (3)").await.unwrap_err();
    assert_eq!(server_error(&error).0, 2013);
    run(&mut other, "begin").await;
    wire.cut();
    let error = other.query_drop("insert into t values (4)").await.unwrap_err();
    assert_eq!(server_error(&error).0, 2013);
    assert!(other.ping().await.is_err(), "its transaction is lost, and it must know");
    assert_eq!(primary.query("select count(*) from cut.t").trim(), "2");
    assert_unharmed(&tidegate).await;
}
