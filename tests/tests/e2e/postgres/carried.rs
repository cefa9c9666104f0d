//! What a session leaves on one connection, while its reads would go to another server.

use std::io::Cursor;

use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::RawPostgres;
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID};
use tidegate_tests::{PostgresPair, Tidegate};
use tokio_postgres::{AsyncMessage, Client};

use super::servers::{SERVER, answered_by, server_of, shared, split, try_first};
use super::support::{config, connect, run, state, tls, value};

fn start() -> Tidegate {
    split(shared(), "read_only_transactions = \"replica\"")
}

/// The session has nothing any more that binds it to the primary.
async fn assert_free(client: &Client, after: &str) {
    assert_eq!(answered_by(client).await, REPLICA_ID, "{after}");
}

#[tokio::test]
async fn temporary_tables_are_read_where_they_are() {
    let tidegate = start();
    let client = connect(&tidegate, "app").await;
    run(&client, "create temp table mine (a int); insert into mine values (7)").await;
    for _ in 0..3 {
        assert_eq!(value::<i32>(&client, "select a from mine").await, 7);
        assert_eq!(try_first(&client, "select a from mine").await.unwrap().unwrap(), "7");
    }
    run(&client, "drop table mine").await;
    assert_free(&client, "drop").await;
}

#[tokio::test]
async fn locks_are_held_until_they_are_let_go() {
    let tidegate = start();
    let [client, other] = [connect(&tidegate, "app").await, connect(&tidegate, "app").await];
    run(&client, "select pg_advisory_lock(815)").await;
    assert_eq!(value::<i32>(&client, "select 1").await, 1);
    assert!(!value::<bool>(&other, "select pg_try_advisory_lock(815)").await);
    assert!(value::<bool>(&client, "select pg_advisory_unlock(815)").await);
    assert_free(&client, "unlock").await;
    assert!(value::<bool>(&other, "select pg_try_advisory_lock(815)").await);
    assert!(value::<bool>(&other, "select pg_advisory_unlock(815)").await);
}

#[tokio::test]
async fn prepared_statements_are_where_their_name_is() {
    let tidegate = start();
    let client = connect(&tidegate, "app").await;
    run(&client, &format!("prepare q(int) as select {SERVER}, $1")).await;
    for _ in 0..3 {
        assert!([PRIMARY_ID, REPLICA_ID].contains(&server_of(&client, "execute q(7)").await));
        assert_eq!(value::<i32>(&client, "select 1").await, 1);
    }
    run(&client, "deallocate q").await;
    assert_eq!(state(&client.batch_execute("execute q(7)").await.unwrap_err()), "26000");
    assert_free(&client, "deallocate").await;
}

#[tokio::test]
async fn cursors_are_fetched_from_where_they_were_opened() {
    let tidegate = start();
    let client = connect(&tidegate, "app").await;
    run(&client, "declare c cursor with hold for select generate_series(1, 9)").await;
    for wanted in ["1", "2", "3"] {
        assert_eq!(try_first(&client, "fetch c").await.unwrap().as_deref(), Some(wanted));
        assert_eq!(value::<i32>(&client, "select 1").await, 1);
    }
    run(&client, "close c").await;
    assert_free(&client, "close").await;
    run(&client, "begin read only").await;
    run(&client, "declare c cursor for select generate_series(1, 9)").await;
    assert_eq!(try_first(&client, "fetch 2 from c").await.unwrap().as_deref(), Some("2"));
    run(&client, "commit").await;
    assert_eq!(state(&client.batch_execute("fetch c").await.unwrap_err()), "34000");
    assert_free(&client, "commit").await;
}

#[tokio::test]
async fn whoever_listens_is_notified() {
    let tidegate = start();
    let login = Login::app(tidegate.port(), "app");
    let (client, mut connection) = config(login).connect(tls()).await.unwrap();
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message {
                heard.send(notification.payload().to_owned()).unwrap();
            }
        }
    });
    run(&client, "listen carried").await;
    assert_eq!(value::<i32>(&client, "select 1").await, 1);
    let other = connect(&tidegate, "app").await;
    run(&other, "notify carried, 'hello'").await;
    assert_eq!(hears.recv().await.as_deref(), Some("hello"));
    run(&other, "select pg_notify('carried', 'again')").await;
    assert_eq!(hears.recv().await.as_deref(), Some("again"));
    run(&client, "unlisten carried").await;
    assert_free(&client, "unlisten").await;
}

#[tokio::test]
async fn copies_go_to_the_primary_both_ways() {
    let pair = PostgresPair::shared();
    let tidegate = start();
    let client = connect(&tidegate, pair.database("carried_copy")).await;
    run(&client, "create table t (a int, server text default current_setting('cluster_name'))")
        .await;
    assert_free(&client, "create").await;
    for round in 1..4_u32 {
        let sink = client.copy_in("copy t (a) from stdin").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        for n in 0..100 {
            sink.send(Cursor::new(format!("{n}\n"))).await.unwrap();
        }
        assert_eq!(sink.finish().await.unwrap(), 100);
        let copied = client.copy_out("copy t to stdout").await.unwrap();
        let copied: Vec<_> = copied.try_collect().await.unwrap();
        let text = String::from_utf8(copied.concat()).unwrap();
        assert_eq!(text.lines().count(), usize::try_from(round).unwrap() * 100);
        assert!(text.lines().all(|line| line.ends_with("\t1")), "not the primary's rows");
        assert_free(&client, "copy").await;
    }
    // One that is given up, and one that fails.
    let sink = client.copy_in::<_, Cursor<&str>>("copy t (a) from stdin").await.unwrap();
    drop(sink);
    let sink = client.copy_in("copy t (a) from stdin").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(Cursor::new("no number\n")).await.unwrap();
    assert_eq!(state(&sink.finish().await.unwrap_err()), "22P02");
    assert_free(&client, "failed copy").await;
    run(&client, "begin").await;
    assert_eq!(value::<i64>(&client, "select count(*) from t").await, 300);
    run(&client, "commit").await;
}

#[test]
fn who_becomes_whom_becomes_it_on_both_servers() {
    let pair = PostgresPair::shared();
    pair.primary.execute("drop role if exists carried_role");
    pair.primary.execute("create role carried_role; grant carried_role to app");
    pair.wait_for_replica();
    let tidegate = start();
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "app")).unwrap();
    let mut who = |statements: &str| {
        let answer = client.query(statements).unwrap();
        let row = answer.iter().rev().find(|message| message.tag == b'D');
        row.map_or_else(String::new, |row| String::from_utf8_lossy(&row.body).into_owned())
    };
    let both = format!(
        "select {SERVER} || ' ' || current_user || ' ' || current_setting('application_name')"
    );
    who("set application_name = 'carried'");
    who("set role carried_role");
    assert!(who(&both).ends_with("2 carried_role carried"), "{}", who(&both));
    who("begin");
    assert!(who(&both).ends_with("1 carried_role carried"), "{}", who(&both));
    who("commit");
    who("reset role");
    assert!(who(&both).ends_with("2 app carried"), "{}", who(&both));
    who("begin");
    assert!(who(&both).ends_with("1 app carried"), "{}", who(&both));
    who("rollback");
}
