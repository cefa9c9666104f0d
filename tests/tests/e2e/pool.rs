//! What a session gets when connections to servers are scarce.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use tidegate_tests::clients::Login;
use tidegate_tests::{MariaDb, MariaDbPair, Setup, Tidegate};

use crate::support::{connect, run, server_error, try_connect, value};

fn limited(pool: &str) -> Tidegate {
    Tidegate::start(Setup::single(&MariaDbPair::shared().primary).pool(pool))
}

/// Logs in and asks something; an error may come at either.
async fn try_value(tidegate: &Tidegate) -> Result<u8, mysql_async::Error> {
    let mut connection = try_connect(Login::app(tidegate.port(), "")).await?;
    let answer = connection.query_first("select 1").await?;
    connection.disconnect().await?;
    Ok(answer.expect("a row"))
}

#[tokio::test]
async fn an_exhausted_pool_is_an_error_after_the_wait_and_not_before() {
    let tidegate = limited("{ mode = \"session\", max = 1, wait = \"500ms\" }");
    let mut holder = connect(&tidegate, "").await;
    run(&mut holder, "select 1").await;
    let started = Instant::now();
    let failure = try_value(&tidegate).await.unwrap_err();
    let waited = started.elapsed();
    let (code, message) = server_error(&failure);
    assert_eq!(code, 1040, "{message}");
    assert!(message.contains("pool.max"), "{message}");
    assert!(waited >= Duration::from_millis(500), "{waited:?}");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!(value::<u8>(&mut holder, "select 1").await, 1);
    holder.disconnect().await.unwrap();
    assert_eq!(try_value(&tidegate).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_gets_the_connection_that_another_leaves() {
    let tidegate = limited("{ max = 2, wait = \"20s\" }");
    let port = tidegate.port();
    let sessions: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn(async move {
                let mut connection = try_connect(Login::app(port, "")).await.unwrap();
                let answer: u8 = value(&mut connection, "select 1 + sleep(0.01)").await;
                connection.disconnect().await.unwrap();
                answer
            })
        })
        .collect();
    for session in sessions {
        assert_eq!(session.await.unwrap(), 1);
    }
    let connects = tidegate.admin().metric("tidegate_server_connects_total", &["result=\"ok\""]);
    assert!(connects <= 4.0, "{connects} connections for two places");
}

#[tokio::test]
async fn a_full_queue_is_an_error_at_once() {
    let tidegate = limited("{ mode = \"session\", max = 1, wait = \"30s\", queue = 0 }");
    let mut holder = connect(&tidegate, "").await;
    run(&mut holder, "select 1").await;
    let started = Instant::now();
    server_error(&try_value(&tidegate).await.unwrap_err());
    assert!(started.elapsed() < Duration::from_secs(10), "it has waited");
}

#[tokio::test]
async fn connections_are_used_again_by_the_same_user_only() {
    let tidegate = limited("{ max = 10, wait = \"5s\" }");
    let mut ids = Vec::new();
    for (user, password) in [("app", "apppw"), ("app", "apppw"), ("ro", "ropw")] {
        let login = Login { user, password, ..Login::app(tidegate.port(), "") };
        let mut connection = try_connect(login).await.unwrap();
        ids.push(value::<u64>(&mut connection, "select connection_id() + 0").await);
        assert_eq!(
            value::<String>(&mut connection, "select current_user()").await,
            format!("{user}@%")
        );
        connection.disconnect().await.unwrap();
        tidegate.admin().wait_for_metric(
            "tidegate_server_connections",
            &["state=\"active\""],
            |n| n < 0.5,
        );
    }
    assert_eq!(ids[0], ids[1], "the connection was not used again");
    assert_ne!(ids[1], ids[2], "another user got it");
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_another_user() {
    let tidegate = limited("{ max = 1, wait = \"10s\" }");
    for (user, password) in [("app", "apppw"), ("ro", "ropw"), ("app", "apppw")] {
        let login = Login { user, password, ..Login::app(tidegate.port(), "") };
        let mut connection = try_connect(login).await.unwrap();
        assert_eq!(
            value::<String>(&mut connection, "select current_user()").await,
            format!("{user}@%")
        );
        connection.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn idle_and_old_connections_are_closed() {
    let server = MariaDb::start();
    let setup = Setup::single(&server).pool("{ max = 5, wait = \"5s\", idle = \"300ms\" }");
    let tidegate = Tidegate::start(setup);
    assert_eq!(try_value(&tidegate).await.unwrap(), 1);
    tidegate_tests::wait_for("the idle connection to be closed", || {
        let count =
            server.query("select count(*) from information_schema.processlist where user = 'app'");
        (count.trim() == "0").then_some(())
    });
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_not_handed_out() {
    let server = MariaDb::start();
    let tidegate = Tidegate::start(Setup::single(&server));
    assert_eq!(try_value(&tidegate).await.unwrap(), 1);
    server.execute("kill user app");
    for _ in 0..3 {
        assert_eq!(try_value(&tidegate).await.unwrap(), 1);
    }
}
