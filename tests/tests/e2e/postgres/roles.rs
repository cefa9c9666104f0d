//! Roles that change, replicas that fall behind: where statements go, and what clients notice.

use std::time::{Duration, Instant};

use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID};
use tidegate_tests::{PATIENCE, PostgresPair, Setup, Tidegate};

use super::servers::{
    TRANSACTION, answered_by, label, pause, read_replicas, resume, split, until_answered_by,
    wait_for_promotion,
};
use super::support::{assert_unharmed, connect, run, state, value};

fn discovering(pair: &PostgresPair) -> Setup {
    Setup::discovering(pair).pool(TRANSACTION)
}

#[tokio::test]
async fn who_is_the_primary_is_found_out_and_a_promotion_is_followed_soon() {
    let mut pair = PostgresPair::start();
    let tidegate = split(discovering(&pair), "");
    let client = connect(&tidegate, "app").await;
    run(&client, "create table t (a int); insert into t values (1)").await;
    pair.wait_for_replica();
    assert_eq!(answered_by(&client).await, REPLICA_ID);
    for (server, primary) in [(&pair.primary, true), (&pair.replica, false)] {
        let metric = tidegate.admin().metric("tidegate_server_primary", &[&label(server)]);
        assert_eq!(metric > 0.5, primary);
    }
    pair.primary.kill();
    let killed = Instant::now();
    pair.promote();
    let promoted = Instant::now();
    // A session that was there before writes as soon as it is known.
    while let Err(error) = client.batch_execute("insert into t values (2)").await {
        assert!(["57P03", "08006"].contains(&state(&error)), "{error:?}");
        assert!(killed.elapsed() < PATIENCE, "{error:?}");
    }
    let took = promoted.elapsed();
    eprintln!("written {took:?} after the promotion, {:?} after the kill", killed.elapsed());
    // The probe asks ten times a second; a busy machine gets more.
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(answered_by(&client).await, REPLICA_ID, "the only one left");
    assert_eq!(value::<i64>(&client, "select sum(a) from t").await, 3);
    // The old primary comes back as it was, and must not take writes.
    pair.primary.start_again();
    tidegate.wait_for_log(&["a second server can be written to", &pair.primary.address()]);
    run(&client, "insert into t values (4)").await;
    assert_eq!(pair.replica.query("\\connect app\nselect sum(a) from t").trim(), "7");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn an_open_transaction_is_lost_with_its_server_and_nothing_of_it_is_repeated() {
    let mut pair = PostgresPair::start();
    let tidegate = split(discovering(&pair), "read_only_transactions = \"replica\"");
    let client = connect(&tidegate, "app").await;
    run(&client, "create table t (a int)").await;
    pair.wait_for_replica();
    let writing = connect(&tidegate, "app").await;
    run(&writing, "begin; insert into t values (1)").await;
    let idle = connect(&tidegate, "app").await;
    run(&idle, "begin; insert into t values (2)").await;
    let reading = connect(&tidegate, "app").await;
    run(&reading, "begin isolation level repeatable read read only").await;
    assert_eq!(answered_by(&reading).await, REPLICA_ID);
    pair.primary.kill();
    let lost = writing.batch_execute("insert into t values (3)").await.unwrap_err();
    assert_eq!(state(&lost), "08006", "{lost:?}");
    let detail = lost.as_db_error().unwrap().detail().unwrap_or_default();
    assert!(detail.contains("transaction is lost"), "{lost:?}");
    // It cannot go on as if nothing were.
    assert!(writing.batch_execute("insert into t values (4)").await.is_err());
    pair.promote();
    wait_for_promotion(&tidegate, &pair.replica);
    assert!(idle.batch_execute("commit").await.is_err());
    // What reads on the replica is on the same server as before, which is the primary now.
    assert_eq!(value::<i64>(&reading, "select count(*) from t").await, 0);
    let refused = reading.batch_execute("insert into t values (5)").await.unwrap_err();
    assert_eq!(state(&refused), "25006");
    run(&reading, "rollback; insert into t values (6)").await;
    assert_eq!(pair.replica.query("\\connect app\nselect a from t").trim(), "6");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn the_primary_and_the_replica_change_places_under_sessions() {
    let mut pair = PostgresPair::start();
    let tidegate = split(discovering(&pair), "");
    let client = connect(&tidegate, "app").await;
    run(&client, "create table t (a int)").await;
    let prepared = client.prepare("insert into t values ($1)").await.unwrap();
    client.execute(&prepared, &[&1]).await.unwrap();
    let bound = connect(&tidegate, "app").await;
    run(&bound, "begin; insert into t values (1)").await;
    pair.switch_over();
    wait_for_promotion(&tidegate, &pair.replica);
    until_answered_by(&client, PRIMARY_ID).await;
    client.execute(&prepared, &[&2]).await.unwrap();
    // Who had a transaction was told by the server that went down for it.
    let lost = bound.batch_execute("insert into t values (9)").await.unwrap_err();
    assert!(lost.is_closed() || ["57P01", "08006"].contains(&state(&lost)), "{lost:?}");
    assert_eq!(pair.replica.query("\\connect app\nselect sum(a) from t").trim(), "3");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_replica_that_lags_serves_no_reads_until_it_has_caught_up() {
    let pair = PostgresPair::start();
    let tidegate = read_replicas(discovering(&pair).upstream("max_lag = \"1s\""));
    let client = connect(&tidegate, "app").await;
    pair.primary.execute("\\connect app\ncreate table before (a int)");
    until_answered_by(&client, REPLICA_ID).await;
    pause(&pair.replica);
    pair.primary.execute("\\connect app\ncreate table late (a int); grant all on late to public");
    until_answered_by(&client, PRIMARY_ID).await;
    tidegate.wait_for_log(&["left out of reads", "behind", &pair.replica.address()]);
    let replica = label(&pair.replica);
    let lag = tidegate.admin().metric("tidegate_server_replication_lag_seconds", &[&replica]);
    assert!(lag > 0.9, "{lag}");
    assert!(tidegate.admin().metric("tidegate_server_fit", &[&replica]) < 0.5);
    resume(&pair.replica);
    until_answered_by(&client, REPLICA_ID).await;
    tidegate.wait_for_log(&["takes reads again", &pair.replica.address()]);
    // Where nothing is written, nobody is late.
    assert_eq!(value::<i64>(&client, "select count(*) from late").await, 0);
}

#[tokio::test]
async fn a_session_reads_what_it_has_written_where_it_has_arrived() {
    let pair = PostgresPair::start();
    let setup = discovering(&pair)
        .upstream("read_after_write = \"lsn\"")
        .upstream("read_after_write_wait = \"200ms\"");
    let tidegate = split(setup, "");
    pair.primary.execute("\\connect app\ncreate table mine (a int); grant all on mine to public");
    pair.wait_for_replica();
    let writer = connect(&tidegate, "app").await;
    let reader = connect(&tidegate, "app").await;
    let count = "select count(*) from mine";
    until_answered_by(&reader, REPLICA_ID).await;
    pause(&pair.replica);
    for (write, rows) in [
        ("insert into mine values (1)", 1),
        ("begin; insert into mine values (2); commit", 2),
        ("with x as (insert into mine values (3)) select 1", 3),
        ("do $$ begin insert into mine values (4); end $$", 4),
    ] {
        run(&writer, write).await;
        assert_eq!(value::<i64>(&writer, count).await, rows, "{write}");
        assert_eq!(answered_by(&writer).await, PRIMARY_ID, "{write}");
        assert_eq!(value::<i64>(&reader, count).await, 0, "{write}");
        assert_eq!(answered_by(&reader).await, REPLICA_ID, "{write}");
    }
    resume(&pair.replica);
    until_answered_by(&writer, REPLICA_ID).await;
    assert_eq!(value::<i64>(&writer, count).await, 4);
    // And so does who writes and reads at once, again and again.
    for n in 5..60 {
        run(&writer, &format!("insert into mine values ({n})")).await;
        assert_eq!(value::<i64>(&writer, count).await, n, "a stale read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_primary_statements_wait_a_little_and_fail_clearly() {
    let mut pair = PostgresPair::start();
    let pool = "{ mode = \"transaction\", max = 5, wait = \"700ms\" }";
    let tidegate = Tidegate::start(Setup::discovering(&pair).pool(pool));
    let client = connect(&tidegate, "app").await;
    run(&client, "create table t (a int)").await;
    pair.wait_for_replica();
    pair.primary.kill();
    let up = "tidegate_server_up";
    tidegate.admin().wait_for_metric(up, &[&label(&pair.primary)], |up| up < 0.5);
    let started = Instant::now();
    let refused = client.batch_execute("insert into t values (1)").await.unwrap_err();
    assert_eq!(state(&refused), "57P03", "{refused:?}");
    let waited = started.elapsed();
    assert!((Duration::from_millis(700)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
    let refused = client.execute("insert into t values (1)", &[]).await.unwrap_err();
    assert_eq!(state(&refused), "57P03", "{refused:?}");
    // The session goes on, and what waits is served as soon as there is a primary again.
    let mut writing = tokio::spawn(async move {
        let started = Instant::now();
        while let Err(error) = client.batch_execute("insert into t values (2)").await {
            assert_eq!(state(&error), "57P03", "{error:?}");
            assert!(started.elapsed() < PATIENCE, "{error:?}");
        }
        value::<i32>(&client, "select a from t").await
    });
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut writing).await.is_err());
    pair.promote();
    assert_eq!(writing.await.unwrap(), 2);
}

#[tokio::test]
async fn a_replica_that_hears_no_primary_is_the_last_to_be_read_from() {
    let mut pair = PostgresPair::start();
    let tidegate = read_replicas(discovering(&pair).upstream("max_lag = \"1s\""));
    let client = connect(&tidegate, "app").await;
    until_answered_by(&client, REPLICA_ID).await;
    pair.replica.execute("alter system set primary_conninfo = ''; select pg_reload_conf()");
    until_answered_by(&client, PRIMARY_ID).await;
    tidegate.wait_for_log(&["left out of reads", &pair.replica.address()]);
    pair.primary.kill();
    until_answered_by(&client, REPLICA_ID).await;
    let newcomer = connect(&tidegate, "app").await;
    assert_eq!(answered_by(&newcomer).await, REPLICA_ID, "better than nobody");
}
