//! Transaction pooling: many sessions on few connections, and none notices the others.
//!
//! Most tests have one connection for all: whatever one session leaves behind on it, the next would
//! see; whatever one session needs of it, it must have been given again.

use std::time::Instant;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};
use tidegate_tests::clients::Login;
use tidegate_tests::{MariaDbPair, PATIENCE, Setup, Tidegate};

use crate::support::{connect, run, server_error, try_connect, value};

/// A database of the test's own, and a proxy with so many connections.
async fn pooled(database: &str, max: usize, more: &str) -> Tidegate {
    let pair = MariaDbPair::shared();
    pair.primary.execute(&format!(
        "create or replace database {database}; \
         create table {database}.t (id int auto_increment primary key, a int)"
    ));
    let pool = format!("{{ mode = \"transaction\", max = {max}, wait = \"700ms\"{more} }}");
    Tidegate::start(Setup::single(&pair.primary).pool(&pool))
}

async fn text(connection: &mut Conn, statement: &str) -> String {
    value(connection, statement).await
}

/// The code of the error that a statement ends in.
async fn error(connection: &mut Conn, statement: &str) -> u16 {
    let failure = connection.query_drop(statement).await.expect_err(statement);
    server_error(&failure).0
}

/// The one connection is held by somebody else.
async fn assert_taken(other: &mut Conn) {
    assert_eq!(error(other, "select 1").await, 1040);
}

async fn assert_free(other: &mut Conn) {
    assert_eq!(value::<u8>(other, "select 1").await, 1);
}

#[tokio::test]
async fn a_hundred_sessions_share_one_connection() {
    let tidegate = pooled("pool_many", 1, "").await;
    let mut sessions = Vec::new();
    for _ in 0..100 {
        sessions.push(connect(&tidegate, "pool_many").await);
    }
    for session in &mut sessions {
        run(session, "insert into t (a) values (1)").await;
    }
    for session in &mut sessions {
        assert_eq!(value::<u32>(session, "select count(*) from t").await, 100);
    }
    let connects = tidegate.admin().metric("tidegate_server_connects_total", &["result=\"ok\""]);
    assert!(connects < 1.5, "{connects} connections");
}

#[tokio::test]
async fn what_a_session_has_set_holds_for_it_and_for_nobody_else() {
    let tidegate = pooled("pool_set", 1, "").await;
    let mut one = connect(&tidegate, "pool_set").await;
    let mut other = connect(&tidegate, "pool_set").await;
    let mut third = connect(&tidegate, "pool_set").await;
    let (mode, zone) =
        (text(&mut third, "select @@sql_mode").await, text(&mut third, "select @@time_zone").await);
    run(&mut one, "set @name = 'one', time_zone = '+01:00'").await;
    run(&mut other, "set @name = 'other'").await;
    run(&mut one, "set session sql_mode = concat(@@sql_mode, ',ANSI_QUOTES')").await;
    run(&mut other, "set names latin1").await;
    run(&mut one, "use mysql").await;
    for _ in 0..3 {
        assert_eq!(text(&mut one, "select @name").await, "one");
        assert_eq!(text(&mut other, "select @name").await, "other");
        assert_eq!(value::<Option<String>>(&mut third, "select @name").await, None);
        assert!(text(&mut one, "select @@sql_mode").await.contains("ANSI_QUOTES"));
        assert_eq!(text(&mut other, "select @@sql_mode").await, mode);
        assert_eq!(text(&mut one, "select @@time_zone").await, "+01:00");
        assert_eq!(text(&mut third, "select @@time_zone").await, zone);
        assert_eq!(text(&mut other, "select @@character_set_client").await, "latin1");
        assert_eq!(text(&mut third, "select @@character_set_client").await, "utf8mb4");
        assert_eq!(text(&mut one, "select database()").await, "mysql");
        assert_eq!(text(&mut other, "select database()").await, "pool_set");
    }
}

#[tokio::test]
async fn a_session_reads_the_number_of_its_own_last_row() {
    let tidegate = pooled("pool_id", 1, "").await;
    let mut one = connect(&tidegate, "pool_id").await;
    let mut other = connect(&tidegate, "pool_id").await;
    assert_eq!(value::<u32>(&mut other, "select last_insert_id()").await, 0);
    run(&mut one, "insert into t (a) values (1)").await;
    run(&mut other, "insert into t (a) values (2), (3)").await;
    assert_eq!(value::<u32>(&mut one, "select last_insert_id()").await, 1);
    assert_eq!(value::<u32>(&mut other, "select last_insert_id()").await, 2);
    // A number of the client's own is in the OK packet, but is not what LAST_INSERT_ID() answers.
    run(&mut one, "insert into t values (100, 1)").await;
    assert_eq!(value::<u32>(&mut other, "select @@last_insert_id").await, 2);
    assert_eq!(value::<u32>(&mut one, "select last_insert_id()").await, 1);
    run(&mut one, "begin").await;
    run(&mut one, "insert into t (a) values (last_insert_id())").await;
    assert_eq!(value::<u32>(&mut one, "select a from t where id = last_insert_id()").await, 1);
    run(&mut one, "commit").await;
    assert_eq!(value::<u32>(&mut other, "select last_insert_id()").await, 2);
    assert_eq!(value::<u32>(&mut one, "select last_insert_id()").await, 101);
}

#[tokio::test]
async fn what_is_asked_of_the_last_statement_is_answered_for_the_sessions_own() {
    let tidegate = pooled("pool_counts", 1, "").await;
    let mut one = connect(&tidegate, "pool_counts").await;
    let mut other = connect(&tidegate, "pool_counts").await;
    run(&mut one, "select 1 union select 2 union select 3").await;
    run(&mut other, "insert into t (a) values (1), (2)").await;
    assert_eq!(value::<i64>(&mut one, "select found_rows()").await, 3);
    run(&mut other, "update t set a = 5").await;
    run(&mut one, "select 1").await;
    assert_eq!(value::<i64>(&mut other, "select row_count() as changed").await, 2);
    assert_eq!(error(&mut other, "select row_count() + 1").await, 1235);
    run(&mut other, "begin").await;
    run(&mut other, "delete from t").await;
    assert_eq!(value::<i64>(&mut other, "select row_count() + 1").await, 3);
    run(&mut other, "commit").await;
}

#[tokio::test]
async fn warnings_and_counted_rows_are_kept_for_the_statement_that_follows() {
    let tidegate = pooled("pool_warnings", 1, "").await;
    let mut one = connect(&tidegate, "pool_warnings").await;
    let mut other = connect(&tidegate, "pool_warnings").await;
    run(&mut one, "select cast('x' as signed)").await;
    assert_taken(&mut other).await;
    let warnings: Vec<Row> = one.query("show warnings").await.unwrap();
    assert_eq!(warnings.len(), 1);
    run(&mut one, "select 1").await;
    assert_free(&mut other).await;
    let warnings: Vec<Row> = other.query("show warnings").await.unwrap();
    assert!(warnings.is_empty());
    run(&mut one, "select sql_calc_found_rows 1 union select 2 limit 1").await;
    assert_taken(&mut other).await;
    assert_eq!(value::<i64>(&mut one, "select found_rows()").await, 2);
    assert_free(&mut other).await;
}

#[tokio::test]
async fn pins_hold_the_connection_and_end() {
    let tidegate = pooled("pool_pins", 1, "").await;
    let mut one = connect(&tidegate, "pool_pins").await;
    let mut other = connect(&tidegate, "pool_pins").await;
    for (begin, end) in [
        ("create temporary table mine (a int)", "drop temporary table mine"),
        ("select get_lock('l', 1)", "select release_lock('l')"),
        ("lock tables t read", "unlock tables"),
        ("prepare s from 'select 1'", "deallocate prepare s"),
        ("xa start 'x'", "xa end 'x'"),
    ] {
        run(&mut one, begin).await;
        assert_taken(&mut other).await;
        run(&mut one, end).await;
        if begin.starts_with("xa") {
            assert_taken(&mut other).await;
            run(&mut one, "xa rollback 'x'").await;
        }
        assert_free(&mut other).await;
    }
    run(&mut one, "select @n := 5").await;
    assert_taken(&mut other).await;
    assert_eq!(value::<i64>(&mut one, "select @n").await, 5);
    one.reset().await.unwrap();
    assert_free(&mut other).await;
    assert_eq!(value::<Option<i64>>(&mut one, "select @n").await, None);
}

#[tokio::test]
async fn transactions_hold_the_connection_and_settings_for_them_are_kept() {
    let tidegate = pooled("pool_tx", 1, "").await;
    let mut one = connect(&tidegate, "pool_tx").await;
    let mut other = connect(&tidegate, "pool_tx").await;
    run(&mut one, "begin").await;
    assert_taken(&mut other).await;
    run(&mut one, "commit").await;
    assert_free(&mut other).await;

    run(&mut one, "set autocommit = 0").await;
    assert_eq!(value::<u8>(&mut other, "select @@autocommit").await, 1);
    assert_eq!(value::<u8>(&mut one, "select @@autocommit").await, 0);
    run(&mut one, "insert into t (a) values (1)").await;
    assert_taken(&mut other).await;
    run(&mut one, "rollback").await;
    assert_eq!(value::<u32>(&mut other, "select count(*) from t").await, 0);
    run(&mut one, "set autocommit = 1").await;
    run(&mut one, "insert into t (a) values (1)").await;
    assert_eq!(value::<u32>(&mut other, "select count(*) from t").await, 1);

    run(&mut one, "set transaction read only").await;
    assert_taken(&mut other).await;
    run(&mut one, "begin").await;
    assert_eq!(error(&mut one, "insert into t (a) values (1)").await, 1792);
    run(&mut one, "rollback").await;
    run(&mut one, "insert into t (a) values (1)").await;
    run(&mut other, "select 1").await;

    run(&mut one, "set session transaction isolation level serializable").await;
    run(&mut other, "select 1").await;
    assert_eq!(text(&mut one, "select @@tx_isolation").await, "SERIALIZABLE");
    assert_ne!(text(&mut other, "select @@tx_isolation").await, "SERIALIZABLE");
}

#[tokio::test]
async fn prepared_statements_survive_and_are_shared() {
    let tidegate = pooled("pool_prepared", 1, ", statements = 2").await;
    let mut one = connect(&tidegate, "pool_prepared").await;
    let mut other = connect(&tidegate, "pool_prepared").await;
    let mut prepared = Vec::new();
    for n in 0_i32..5 {
        let text = format!("select ? + {n}");
        prepared.push((n, one.prep(&text).await.unwrap(), other.prep(&text).await.unwrap()));
    }
    for _ in 0..2 {
        for (n, mine, theirs) in &prepared {
            let sum: Option<i32> = one.exec_first(mine, (10,)).await.unwrap();
            assert_eq!(sum, Some(10 + n));
            let sum: Option<f64> = other.exec_first(theirs, (0.5,)).await.unwrap();
            assert_eq!(sum, Some(0.5 + f64::from(*n)));
        }
    }
    // What was prepared in one database is not looked for in another.
    let mine = one.prep("select count(*) from t").await.unwrap();
    run(&mut other, "use mysql").await;
    for (_, _, theirs) in &prepared[..3] {
        let _: Option<f64> = other.exec_first(theirs, (0.5,)).await.unwrap();
    }
    run(&mut one, "use mysql").await;
    let count: Option<u32> = one.exec_first(&mine, ()).await.unwrap();
    assert_eq!(count, Some(0));
    assert_eq!(text(&mut one, "select database()").await, "mysql");
}

#[tokio::test]
async fn a_client_that_vanishes_in_a_transaction_leaves_nothing_behind() {
    let tidegate = pooled("pool_vanish", 1, "").await;
    let mut one = connect(&tidegate, "pool_vanish").await;
    run(&mut one, "set @mine = 1").await;
    run(&mut one, "begin").await;
    run(&mut one, "insert into t (a) values (1)").await;
    drop(one);
    let login = Login::app(tidegate.port(), "pool_vanish");
    let mut other = try_connect(login).await.unwrap();
    tidegate
        .admin()
        .wait_for_metric("tidegate_server_connections", &["state=\"active\""], |n| n < 0.5);
    assert_eq!(value::<u32>(&mut other, "select count(*) from t").await, 0);
    assert_eq!(value::<Option<u8>>(&mut other, "select @mine").await, None);
    run(&mut other, "insert into t (a) values (2)").await;
    assert_eq!(value::<u32>(&mut other, "select count(*) from t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_killed_by_the_number_that_its_client_knows() {
    let tidegate = pooled("pool_kill", 3, "").await;
    let mut victim = connect(&tidegate, "pool_kill").await;
    let mut killer = connect(&tidegate, "pool_kill").await;
    let login = Login { user: "ro", password: "ropw", ..Login::app(tidegate.port(), "") };
    let mut stranger = try_connect(login).await.unwrap();
    let id: u32 = value(&mut victim, "select connection_id()").await;
    assert_eq!(id, victim.id());
    assert_eq!(error(&mut stranger, &format!("kill {id}")).await, 1095);

    let asleep = tokio::spawn(async move {
        let error = victim.query_drop("select sleep(60)").await.expect_err("it was killed");
        (server_error(&error).0, victim)
    });
    tidegate_tests::wait_for("the statement to run", || {
        let running = MariaDbPair::shared().primary.query(
            "select count(*) from information_schema.processlist where info = 'select sleep(60)'",
        );
        (running.trim() == "1").then_some(())
    });
    assert_eq!(error(&mut stranger, &format!("kill query {id}")).await, 1095);
    run(&mut killer, &format!("kill query {id}")).await;
    let (code, mut victim) = asleep.await.unwrap();
    assert_eq!(code, 1317);
    assert_free(&mut victim).await;

    run(&mut killer, &format!("kill {id}")).await;
    assert!(victim.ping().await.is_err());
    // Who was told to go is known until it has given everything back.
    let started = Instant::now();
    while killer.query_drop(format!("kill {id}")).await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "the session never ends");
    }
    assert_eq!(error(&mut killer, &format!("kill {id}")).await, 1094);
    assert_free(&mut killer).await;
}

#[tokio::test]
async fn what_a_routine_or_a_trigger_has_set_is_found_again() {
    let tidegate = pooled("pool_routine", 1, "").await;
    let mut one = connect(&tidegate, "pool_routine").await;
    let mut other = connect(&tidegate, "pool_routine").await;
    for what in [
        "procedure pool_routine.sets() set @mine = 5",
        "procedure pool_routine.looks() select 1",
        "trigger pool_routine.tr before insert on t for each row set @last = new.a",
    ] {
        MariaDbPair::shared().primary.execute(&format!("create {what}"));
    }
    // Nothing is left behind, so nothing is held.
    run(&mut one, "call looks()").await;
    assert_free(&mut other).await;

    run(&mut one, "call sets()").await;
    assert_taken(&mut other).await;
    assert_eq!(value::<u8>(&mut one, "select @mine").await, 5);
    one.reset().await.unwrap();
    assert_eq!(value::<Option<u8>>(&mut other, "select @mine").await, None);

    run(&mut other, "insert into t (a) values (7)").await;
    assert_taken(&mut one).await;
    assert_eq!(value::<u8>(&mut other, "select @last").await, 7);
    other.disconnect().await.unwrap();
    tidegate
        .admin()
        .wait_for_metric("tidegate_server_connections", &["state=\"active\""], |n| n < 0.5);
    assert_eq!(value::<Option<u8>>(&mut one, "select @last").await, None);
    let pins = tidegate.admin().metric("tidegate_pins_total", &["reason=\"routine\""]);
    assert!((1.5..2.5).contains(&pins), "{pins} pins");
}
