//! What sessions that take turns on one connection notice of each other: nothing.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};
use tidegate_tests::clients::Login;
use tidegate_tests::raw::{Frame, RawClient};
use tidegate_tests::server::users;
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use crate::support::{connect, run, server_error, try_connect, value};

/// A proxy with one connection, and two sessions for it.
async fn two_sessions(database: &str) -> (Tidegate, Conn, Conn) {
    let pair = MariaDbPair::shared();
    pair.primary.execute(&format!("create or replace database {database}"));
    let pool = "{ mode = \"transaction\", max = 1, wait = \"700ms\" }";
    let tidegate = Tidegate::start(Setup::single(&pair.primary).pool(pool));
    let one = connect(&tidegate, database).await;
    let other = connect(&tidegate, database).await;
    (tidegate, one, other)
}

#[tokio::test]
async fn no_session_is_shown_the_errors_of_another() {
    let (_tidegate, mut one, mut other) = two_sessions("sharing_errors").await;
    let failure = one.query_drop("select secret").await.unwrap_err();
    assert_eq!(server_error(&failure).0, 1054);
    run(&mut one, "select 1").await;
    let shown: Vec<Row> = other.query("show warnings").await.unwrap();
    assert_eq!(shown.len(), 0, "{shown:?}");
    assert_eq!(value::<u32>(&mut other, "select @@warning_count").await, 0);
}

#[tokio::test]
async fn a_prepared_statement_is_executed_after_another_session_has_set_something() {
    let (_tidegate, mut one, mut other) = two_sessions("sharing_reset").await;
    let prepared = one.prep("select ? + 1").await.unwrap();
    for n in 0..3 {
        let sum: Option<u32> = one.exec_first(&prepared, (n,)).await.unwrap();
        assert_eq!(sum, Some(n + 1));
        run(&mut other, &format!("set @mine = {n}")).await;
    }
}

/// Reads so many frames, none of which is an error.
fn read(client: &mut RawClient, frames: usize) -> Vec<Frame> {
    let frames: Vec<_> = (0..frames).map(|_| client.read().unwrap()).collect();
    let refused = frames.iter().find(|frame| frame.error_code().is_some());
    assert_eq!(refused.map(Frame::text), None);
    frames
}

#[tokio::test]
async fn what_is_sent_in_pieces_arrives_after_another_session_has_set_something() {
    let (tidegate, one, other) = two_sessions("sharing_pieces").await;
    drop((one, other));
    let mut one = RawClient::login(tidegate.port(), users::NO_PASSWORD.0).unwrap();
    let mut other = RawClient::login(tidegate.port(), users::NO_PASSWORD.0).unwrap();
    one.command(0x16, b"select ?").unwrap();
    let prepared = read(&mut one, 5);
    let id = &prepared[0].payload[1..5];
    for name in ["a", "b"] {
        other.command(3, format!("set @{name} = 1").as_bytes()).unwrap();
        read(&mut other, 1);
        one.command(0x18, &[id, &[0, 0], b"piece"].concat()).unwrap();
        one.command(0x17, &[id, &[0, 1, 0, 0, 0, 0, 1, 253, 0]].concat()).unwrap();
        let reply = read(&mut one, 5);
        assert!(reply[3].text().ends_with("piece"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_prepared_statement_is_executed_after_its_session_has_set_something() {
    let (_tidegate, mut one, mut other) = two_sessions("sharing_moved").await;
    run(&mut one, "set names utf8mb4").await;
    let prepared = one.prep("select ? + 1").await.unwrap();
    run(&mut one, "set names latin1").await;
    run(&mut one, "set @a = 1, @b = 1").await;
    run(&mut one, "set @b = 2").await;
    run(&mut other, "set @mine = 1").await;
    let sum: Option<u32> = one.exec_first(&prepared, (1,)).await.unwrap();
    assert_eq!(sum, Some(2));
    assert_eq!(value::<u32>(&mut one, "select @a + @b").await, 3);
}

#[tokio::test]
async fn a_prepared_statement_is_executed_after_an_error() {
    let (_tidegate, mut one, mut other) = two_sessions("sharing_after_error").await;
    let prepared = one.prep("select ? + 1").await.unwrap();
    run(&mut one, "set names latin1").await;
    run(&mut other, "set @mine = 1").await;
    one.query_drop("select nothing").await.unwrap_err();
    let sum: Option<u32> = one.exec_first(&prepared, (1,)).await.unwrap();
    assert_eq!(sum, Some(2));
}

#[tokio::test]
async fn what_does_not_shape_a_statement_does_not_move_it() {
    let (_tidegate, mut one, mut other) = two_sessions("sharing_shape").await;
    run(&mut one, "set names latin1").await;
    run(&mut one, "set sql_mode = ''").await;
    run(&mut one, "set @a = 1").await;
    let prepared = one.prep("select ? + @a").await.unwrap();
    run(&mut one, "set @b = 1, @a = 2").await;
    run(&mut one, "set @b = 2, @c = 3").await;
    run(&mut other, "set @mine = 1").await;
    run(&mut one, "begin").await;
    run(&mut one, "select @b").await;
    let sum: Option<u32> = one.exec_first(&prepared, (1,)).await.unwrap();
    assert_eq!(sum, Some(3));
}

#[tokio::test]
async fn the_last_insert_id_is_known_to_a_statement_that_is_prepared_again() {
    let (_tidegate, mut one, mut other) = two_sessions("sharing_insert_id").await;
    run(&mut one, "create table t (id int auto_increment primary key)").await;
    let prepared = one.prep("select last_insert_id() + 0").await.unwrap();
    run(&mut one, "set names latin1").await;
    run(&mut one, "insert into t values (null), (null)").await;
    run(&mut one, "insert into t values (null)").await;
    run(&mut other, "set @mine = 1").await;
    let id: Option<u32> = one.exec_first(&prepared, ()).await.unwrap();
    assert_eq!(id, Some(3));
}

#[tokio::test]
async fn a_reset_leaves_the_database_as_it_is() {
    let (tidegate, _one, _other) = two_sessions("sharing_database").await;
    for port in [MariaDbPair::shared().primary.port(), tidegate.port()] {
        let login = Login::app(port, "sharing_database");
        let mut connection = try_connect(login).await.unwrap();
        run(&mut connection, "use mysql").await;
        connection.reset().await.unwrap();
        assert_eq!(value::<String>(&mut connection, "select database()").await, "mysql");
    }
}

#[tokio::test]
async fn a_last_insert_id_that_a_client_has_chosen_is_its_own() {
    let (_tidegate, mut one, mut other) = two_sessions("sharing_chosen_id").await;
    assert_eq!(value::<u32>(&mut one, "select last_insert_id(77)").await, 77);
    assert_eq!(value::<u32>(&mut other, "select last_insert_id()").await, 0);
    assert_eq!(value::<u32>(&mut one, "select last_insert_id()").await, 77);
    run(&mut one, "do 1; do last_insert_id(78)").await;
    assert_eq!(value::<u32>(&mut other, "select last_insert_id()").await, 0);
    assert_eq!(value::<u32>(&mut one, "select last_insert_id()").await, 78);
}

#[tokio::test]
async fn a_session_without_a_database_is_in_no_other_sessions() {
    let (tidegate, _one, _other) = two_sessions("sharing_no_database").await;
    let mut one = connect(&tidegate, "").await;
    let mut other = connect(&tidegate, "").await;
    for _ in 0..3 {
        run(&mut one, "use mysql").await;
        assert_eq!(value::<Option<String>>(&mut other, "select database()").await, None);
        assert_eq!(value::<String>(&mut one, "select database()").await, "mysql");
    }
}
