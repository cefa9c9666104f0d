//! Many sessions on few connections: what each may rely on, and what is left of it.

use std::time::{Duration, Instant};

use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::{RawPostgres, message};
use tidegate_tests::server::users;
use tidegate_tests::{Postgres, PostgresPair, Setup, Tidegate, wait_for};
use tokio_postgres::Client;

use super::support::{assert_unharmed, connect, run, state, try_connect, value};

fn limited(server: &Postgres, pool: &str) -> Tidegate {
    Tidegate::start(Setup::single(server).pool(&format!("{{ mode = \"transaction\", {pool} }}")))
}

fn narrow() -> Tidegate {
    limited(&PostgresPair::shared().primary, "max = 1, wait = \"5s\"")
}

async fn backend(client: &Client) -> i32 {
    value(client, "select pg_backend_pid()").await
}

#[tokio::test]
async fn sessions_share_connections_and_keep_their_settings_apart() {
    let tidegate = limited(&PostgresPair::shared().primary, "max = 3, wait = \"20s\"");
    PostgresPair::shared().primary.execute(
        "drop role if exists pooling_role; create role pooling_role; grant pooling_role to app",
    );
    let mut sessions = Vec::new();
    for n in 0..12 {
        let client = connect(&tidegate, "app").await;
        run(
            &client,
            &format!("set work_mem = '{}MB'; set application_name = 'session {n}'", n + 1),
        )
        .await;
        run(&client, &format!("set app.number = '{n}'")).await;
        if n % 2 == 0 {
            run(&client, "set role pooling_role").await;
        }
        sessions.push((n, client));
    }
    let ask = "select current_setting('work_mem'), current_setting('application_name'), \
               current_setting('app.number', true), current_user::text, pg_backend_pid()";
    let mut backends = std::collections::HashSet::new();
    for round in 0..3 {
        let answers =
            futures_util::future::join_all(sessions.iter().map(|(n, client)| async move {
                let row = client.query_one(ask, &[]).await.unwrap();
                let text = |at: usize| row.get::<_, Option<String>>(at).unwrap_or_default();
                (*n, [text(0), text(1), text(2), text(3)], row.get::<_, i32>(4))
            }));
        for (n, found, backend) in answers.await {
            let user = if n % 2 == 0 { "pooling_role" } else { "app" };
            let wanted =
                [format!("{}MB", n + 1), format!("session {n}"), n.to_string(), user.to_owned()];
            assert_eq!(found, wanted, "round {round}");
            backends.insert(backend);
        }
        // In the second round from the other end.
        sessions.reverse();
    }
    assert!(backends.len() <= 3, "{backends:?}");
    // What a newcomer finds is what it would find on a server.
    let newcomer = connect(&tidegate, "app").await;
    let row = newcomer.query_one(ask, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(1), "tidegate tests");
    assert_eq!(row.get::<_, Option<String>>(2).unwrap_or_default(), "");
    assert_eq!(row.get::<_, String>(3), "app");
    run(&sessions[0].1, "reset all; reset role").await;
    let row = sessions[0].1.query_one(ask, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(1), "tidegate tests", "what it has said at its login");
    assert_eq!(row.get::<_, String>(3), "app");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn each_pin_is_counted_with_its_reason() {
    let tidegate = limited(&PostgresPair::shared().primary, "max = 8, wait = \"5s\"");
    PostgresPair::shared().primary.execute(
        "\\connect app
         create or replace function leaves() returns void language plpgsql as
         $$ begin create temp table left_behind (a int); end $$",
    );
    for (begin, reason) in [
        ("create temp table mine (a int)", "temporary_table"),
        ("select pg_advisory_lock(99)", "user_lock"),
        ("declare c cursor with hold for select 1", "cursor"),
        ("prepare p as select 1", "prepared_statement"),
        ("listen mine", "listen"),
        ("select set_config('app.x', 'y', false)", "session_variable"),
        ("select leaves()", "routine"),
    ] {
        let client = connect(&tidegate, "app").await;
        let count =
            || tidegate.admin().metric("tidegate_pins_total", &[&format!("reason=\"{reason}\"")]);
        let before = count();
        run(&client, begin).await;
        tidegate.admin().wait_for_metric(
            "tidegate_pins_total",
            &[&format!("reason=\"{reason}\"")],
            |n| n > before + 0.5,
        );
        let pid = backend(&client).await;
        for _ in 0..3 {
            assert_eq!(backend(&client).await, pid, "{begin}");
        }
        assert!(count() < before + 1.5, "{begin}: one session is pinned once");
    }
}

#[tokio::test]
async fn a_client_that_vanishes_in_a_transaction_leaves_no_lock() {
    let pair = PostgresPair::shared();
    let database = pair.database("vanished");
    let tidegate = narrow();
    let client = connect(&tidegate, database).await;
    run(&client, "create table t (a int); insert into t values (1)").await;
    for (begin, extra) in [
        ("begin; update t set a = a + 1", ""),
        ("begin; lock table t", "select pg_advisory_lock(3)"),
        ("begin; update t set a = a + 1; select 1/0", ""),
        ("create temp table mine (a int)", "begin; select * from t for update"),
    ] {
        let mut vanishing = RawPostgres::login(Login::app(tidegate.port(), database)).unwrap();
        vanishing.query(begin).unwrap();
        if !extra.is_empty() {
            vanishing.query(extra).unwrap();
        }
        drop(vanishing);
        run(&client, "set lock_timeout = '10s'; update t set a = a").await;
        assert_eq!(value::<i32>(&client, "select a from t").await, 1, "{begin}");
        let locks = "select count(*) from pg_locks where locktype = 'advisory' and database =
                     (select oid from pg_database where datname = current_database())";
        assert_eq!(value::<i64>(&client, locks).await, 0, "{begin}");
        let gone = client.batch_execute("select * from mine").await.unwrap_err();
        assert_eq!(state(&gone), "42P01", "{begin}");
    }
    // In the middle of a statement.
    let mut vanishing = RawPostgres::login(Login::app(tidegate.port(), database)).unwrap();
    let slow = "begin; update t set a = 9; select pg_sleep(600) /* vanishing */";
    vanishing.send(b'Q', &[slow.as_bytes(), b"\0"].concat()).unwrap();
    let active = "select count(*) from pg_stat_activity where state = 'active' and \
                  pid <> pg_backend_pid() and query like '%vanishing%'";
    let count = |wanted: &'static str| {
        wait_for("the slow statement", || {
            (pair.primary.query(active).trim() == wanted).then_some(())
        });
    };
    count("1");
    drop(vanishing);
    count("0");
    run(&client, "update t set a = a").await;
    assert_eq!(value::<i32>(&client, "select a from t").await, 1);
}

#[tokio::test]
async fn the_last_value_of_a_sequence_is_known_in_a_transaction_only() {
    let tidegate = narrow();
    let client = connect(&tidegate, PostgresPair::shared().database("sequences")).await;
    let other = connect(&tidegate, "sequences").await;
    run(&client, "create table t (id serial, a int)").await;
    run(&client, "insert into t (a) values (1)").await;
    run(&other, "insert into t (a) values (2)").await;
    for statement in ["select currval('t_id_seq')", "select lastval()"] {
        let refused = client.batch_execute(statement).await.unwrap_err();
        assert_eq!(state(&refused), "0A000", "{statement}");
        let refused = client.query(statement, &[]).await.unwrap_err();
        assert_eq!(state(&refused), "0A000", "{statement}, prepared");
        assert!(format!("{refused:?}").contains("RETURNING"), "{refused:?}");
        run(&client, "begin; insert into t (a) values (3)").await;
        let last: i64 = value(&client, statement).await;
        run(&client, "commit").await;
        assert!(last > 2, "{statement}");
    }
    let given: i32 = value(&client, "insert into t (a) values (4) returning id").await;
    assert_eq!(given, 5);
}

#[tokio::test]
async fn an_exhausted_pool_is_an_error_after_the_wait_and_the_session_goes_on() {
    let tidegate = limited(&PostgresPair::shared().primary, "max = 1, wait = \"400ms\"");
    let holder = connect(&tidegate, "app").await;
    let waiter = connect(&tidegate, "app").await;
    run(&holder, "begin").await;
    for extended in [false, true] {
        let started = Instant::now();
        let failure = match extended {
            false => waiter.batch_execute("select 1").await.unwrap_err(),
            true => waiter.query("select 1", &[]).await.unwrap_err(),
        };
        assert_eq!(state(&failure), "53300", "{failure:?}");
        assert!(format!("{failure:?}").contains("pool.max"), "{failure:?}");
        assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
    }
    run(&holder, "commit").await;
    assert_eq!(value::<i32>(&waiter, "select 7").await, 7);
    let tidegate = limited(&PostgresPair::shared().primary, "max = 1, wait = \"60s\", queue = 0");
    let holder = connect(&tidegate, "app").await;
    let waiter = connect(&tidegate, "app").await;
    run(&holder, "begin").await;
    let started = Instant::now();
    assert_eq!(state(&waiter.batch_execute("select 1").await.unwrap_err()), "53300");
    assert!(started.elapsed() < Duration::from_secs(30), "it has waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_gets_the_connection_that_another_leaves() {
    let tidegate = limited(&PostgresPair::shared().primary, "max = 2, wait = \"30s\"");
    let port = tidegate.port();
    let sessions: Vec<_> = (0..20_i32)
        .map(|n| {
            tokio::spawn(async move {
                let client = try_connect(Login::app(port, "app")).await.unwrap();
                let mut sum = 0;
                for add in 0..5 {
                    run(&client, "begin").await;
                    let row = client.query_one("select $1::int + $2", &[&n, &add]).await.unwrap();
                    sum += row.get::<_, i32>(0);
                    run(&client, "commit").await;
                }
                assert_eq!(sum, 5 * n + 10);
            })
        })
        .collect();
    for session in sessions {
        session.await.unwrap();
    }
    let connects = tidegate.admin().metric("tidegate_server_connects_total", &["result=\"ok\""]);
    assert!(connects <= 4.0, "{connects} connections for two places");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_another_user_and_database() {
    let tidegate = narrow();
    let room = PostgresPair::shared().database("room");
    for (user, password, database) in [
        (users::APP.0, users::APP.1, "app"),
        (users::READER.0, users::READER.1, "app"),
        (users::APP.0, users::APP.1, room),
        (users::MD5.0, users::MD5.1, "postgres"),
    ] {
        let login = Login { user, password, ..Login::app(tidegate.port(), database) };
        let client = try_connect(login).await.unwrap();
        let who =
            value::<String>(&client, "select current_user || ' ' || current_database()").await;
        assert_eq!(who, format!("{user} {database}"));
    }
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_not_handed_out() {
    let server = Postgres::start();
    let tidegate = limited(&server, "max = 2, wait = \"5s\"");
    let client = connect(&tidegate, "app").await;
    for _ in 0..3 {
        assert_eq!(value::<i32>(&client, "select 1").await, 1);
        let ended = server.query(
            "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where usename = 'app'",
        );
        assert_ne!(ended.trim(), "0");
    }
    assert_eq!(value::<i32>(&client, "select 1").await, 1);
}

#[tokio::test]
async fn what_a_client_has_asked_before_its_farewell_is_done() {
    let tidegate = narrow();
    let database = PostgresPair::shared().database("farewell");
    let client = connect(&tidegate, database).await;
    run(&client, "create table t (a int)").await;
    for n in 0..20 {
        let mut leaving = RawPostgres::login(Login::app(tidegate.port(), database)).unwrap();
        let insert = format!("insert into t values ({n})\0");
        let asked = [message(b'Q', insert.as_bytes()), message(b'X', b"")].concat();
        leaving.send_bytes(&asked).unwrap();
        leaving.read_to_close().unwrap();
    }
    assert_eq!(value::<i64>(&client, "select count(*) from t").await, 20);
}
