//! The sample plugins, in front of a primary and its replica: who answers what.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tidegate_tests::clients::Login;
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID, users};
use tidegate_tests::setup::UPSTREAM;
use tidegate_tests::{MariaDbPair, Setup, Tidegate, wait::becomes_true};

use crate::support::{answered_by, connect, run, server_error, try_connect, value};

/// `read-write-split`, with the time that a session stays on the primary after a write.
fn split(sticky: &str) -> Tidegate {
    let setup =
        Setup::pair(MariaDbPair::shared()).sidecar("read-write-split", &split_config(sticky));
    Tidegate::start_with_plugins(setup, &[("read-write-split", "read-write-split")])
}

pub(crate) fn split_config(sticky: &str) -> String {
    format!("[config]\nupstream = \"{UPSTREAM}\"\nsticky = \"{sticky}\"\n")
}

pub(crate) fn router_config() -> String {
    format!(
        "[config]\ndefault = \"{UPSTREAM}/replica\"\n[config.users]\napp = \"{UPSTREAM}/primary\"\n"
    )
}

#[tokio::test]
async fn reads_go_to_the_replica_and_writes_to_the_primary() {
    let pair = MariaDbPair::shared();
    let database = pair.database("routing_split");
    let tidegate = split("0s");
    let mut connection = connect(&tidegate, database).await;
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
    run(&mut connection, "create table t (id int auto_increment primary key, server int)").await;
    run(&mut connection, "insert into t (server) values (@@server_id)").await;
    pair.wait_for_replica();
    assert_eq!(value::<u32>(&mut connection, "select server from t").await, PRIMARY_ID);
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
}

#[tokio::test]
async fn everything_in_a_transaction_goes_to_the_primary() {
    let tidegate = split("0s");
    let mut connection = connect(&tidegate, "").await;
    for (begin, end) in [
        ("begin", "commit"),
        ("start transaction", "rollback"),
        ("set autocommit = 0", "set autocommit = 1"),
    ] {
        run(&mut connection, begin).await;
        assert_eq!(answered_by(&mut connection).await, PRIMARY_ID, "{begin}");
        run(&mut connection, end).await;
        assert_eq!(answered_by(&mut connection).await, REPLICA_ID, "{end}");
    }
}

/// The server that answers a statement whose first column is `@@server_id`.
async fn server_of(connection: &mut Conn, statement: &str) -> u32 {
    let row: Option<mysql_async::Row> = connection.query_first(statement).await.unwrap();
    row.and_then(|row| row.get(0)).unwrap()
}

#[tokio::test]
async fn reads_that_are_more_than_reads_go_to_the_primary() {
    let database = MariaDbPair::shared().database("routing_effects");
    let tidegate = split("0s");
    let mut connection = connect(&tidegate, database).await;
    run(&mut connection, "create table t (a int primary key); insert into t values (1)").await;
    MariaDbPair::shared().wait_for_replica();
    for statement in [
        "select @@server_id from t for update",
        "select @@server_id from t lock in share mode",
        "select @@server_id, get_lock('l', 0)",
        "select @@server_id, last_insert_id()",
        "select @@server_id, @a := 1",
        "/* tidegate: route=primary */ select @@server_id",
    ] {
        assert_eq!(server_of(&mut connection, statement).await, PRIMARY_ID, "{statement}");
    }
    // A session of its own: what came before must not keep it on the primary.
    let mut connection = connect(&tidegate, database).await;
    for statement in [
        "select @@server_id from t where a = 1",
        "with x as (select 1) select @@server_id from x",
        "(select @@server_id) union all (select 3)",
        "select @@server_id, 'for update', 'get_lock(1)'",
        "/* a comment */ select @@server_id -- for update",
    ] {
        assert_eq!(server_of(&mut connection, statement).await, REPLICA_ID, "{statement}");
    }
}

#[tokio::test]
async fn prepared_statements_are_split_too() {
    let database = MariaDbPair::shared().database("routing_prepared");
    let tidegate = split("0s");
    let mut connection = connect(&tidegate, database).await;
    run(&mut connection, "create table t (a int)").await;
    MariaDbPair::shared().wait_for_replica();
    let read = connection.prep("select @@server_id where ? > 0").await.unwrap();
    let write = connection.prep("insert into t values (@@server_id + ?)").await.unwrap();
    assert_eq!(connection.exec_first::<u32, _, _>(&read, (1,)).await.unwrap(), Some(REPLICA_ID));
    connection.exec_drop(&write, (0,)).await.unwrap();
    run(&mut connection, "begin").await;
    assert_eq!(value::<u32>(&mut connection, "select a from t").await, PRIMARY_ID);
    assert_eq!(connection.exec_first::<u32, _, _>(&read, (1,)).await.unwrap(), Some(PRIMARY_ID));
    run(&mut connection, "commit").await;
    assert_eq!(connection.exec_first::<u32, _, _>(&read, (1,)).await.unwrap(), Some(REPLICA_ID));
}

#[tokio::test]
async fn a_session_reads_its_own_writes_for_as_long_as_it_is_sticky() {
    let database = MariaDbPair::shared().database("routing_sticky");
    let tidegate = split("400ms");
    let mut connection = connect(&tidegate, database).await;
    run(&mut connection, "create table t (a int)").await;
    run(&mut connection, "insert into t values (1)").await;
    assert_eq!(answered_by(&mut connection).await, PRIMARY_ID, "right after a write");
    let mut other = connect(&tidegate, database).await;
    assert_eq!(answered_by(&mut other).await, REPLICA_ID, "who has not written");
    let mut server = PRIMARY_ID;
    for _ in 0..10_000 {
        server = answered_by(&mut connection).await;
        if server == REPLICA_ID {
            break;
        }
        run(&mut other, "do sleep(0.01)").await;
    }
    assert_eq!(server, REPLICA_ID, "it stays on the primary for ever");
}

#[tokio::test]
async fn what_a_session_has_set_holds_on_every_server_that_it_uses() {
    let tidegate = split("0s");
    let mut connection = connect(&tidegate, "").await;
    run(&mut connection, "set session sql_mode = 'ANSI_QUOTES'").await;
    run(&mut connection, "set names latin1").await;
    run(&mut connection, "use mysql").await;
    for (begin, server) in [("do 1", REPLICA_ID), ("begin", PRIMARY_ID)] {
        run(&mut connection, begin).await;
        let state: Option<(u32, String, String, String)> = connection
            .query_first("select @@server_id, @@sql_mode, @@character_set_client, database()")
            .await
            .unwrap();
        let (answered, mode, charset, database) = state.unwrap();
        // A proxy that cannot carry a setting over may stay where it was made, which is right too.
        assert!(answered == server || answered == PRIMARY_ID, "{answered}");
        assert_eq!(
            (mode.as_str(), charset.as_str(), database.as_str()),
            ("ANSI_QUOTES", "latin1", "mysql")
        );
    }
}

#[tokio::test]
async fn users_are_routed_by_their_names() {
    let setup = Setup::pair(MariaDbPair::shared()).sidecar("user-router", &router_config());
    let tidegate = Tidegate::start_with_plugins(setup, &[("user-router", "user-router")]);
    let (reader, password) = users::READER;
    let login = Login { user: reader, password, ..Login::app(tidegate.port(), "") };
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(answered_by(&mut connection).await, PRIMARY_ID);
}

#[tokio::test]
async fn databases_are_routed_by_their_names() {
    let pair = MariaDbPair::shared();
    let database = pair.database("routing_by_database");
    let config = format!("[config]\n[config.databases]\n{database} = \"{UPSTREAM}/replica\"\n");
    let setup = Setup::pair(pair).sidecar("user-router", &config);
    let tidegate = Tidegate::start_with_plugins(setup, &[("user-router", "user-router")]);
    let mut connection = connect(&tidegate, database).await;
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
    let refused = connection.query_drop("create table t (a int)").await.unwrap_err();
    assert_eq!(server_error(&refused).0, 1290, "a replica takes no writes");
    let mut connection = connect(&tidegate, "mysql").await;
    assert_eq!(answered_by(&mut connection).await, PRIMARY_ID);
}

#[tokio::test]
async fn both_plugins_together_split_what_the_router_leaves_to_them() {
    let setup = Setup::pair(MariaDbPair::shared())
        .sidecar("10-user-router", &router_config())
        .sidecar("20-read-write-split", &split_config("0s"));
    let tidegate = Tidegate::start_with_plugins(
        setup,
        &[("10-user-router", "user-router"), ("20-read-write-split", "read-write-split")],
    );
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
    run(&mut connection, "begin").await;
    assert_eq!(answered_by(&mut connection).await, PRIMARY_ID);
}

#[tokio::test]
async fn a_server_whose_role_changes_takes_the_writes_without_a_restart() {
    let pair = MariaDbPair::start();
    let (primary, replica) = (pair.primary.address(), pair.replica.address());
    let setup =
        Setup::new(&[(primary, "discover"), (replica, "discover")]).account().quick_probes();
    let tidegate = Tidegate::start(setup);
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(answered_by(&mut connection).await, PRIMARY_ID);
    pair.replica.execute("stop slave; set global read_only = 0");
    pair.primary.execute("set global read_only = 1");
    let admin = *tidegate.admin();
    let replica = format!("server=\"{}\"", pair.replica.address());
    let promoted = becomes_true(Duration::from_secs(10), || {
        admin.metric("tidegate_server_primary", &[&replica]) > 0.5
    });
    assert!(promoted, "{}", admin.metrics());
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
    run(&mut connection, "create table app.promoted (a int)").await;
}
