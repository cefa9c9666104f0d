//! `mysql_async`, against the servers that speak MySQL.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, OptsBuilder, Row, Value};
use tidegate_demo_upstreams::Protocol;

use crate::Servers;

fn servers() -> Servers {
    Servers::start(Protocol::MySql)
}

async fn log_in(port: u16, password: &str) -> Result<Conn, Error> {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("app"))
        .pass(Some(password))
        .db_name(Some("app"))
        .prefer_socket(false);
    Conn::new(options).await
}

async fn one(connection: &mut Conn, text: &str) -> Value {
    let row: Option<Row> = connection.query_first(text).await.expect("an answer");
    row.expect("a row").unwrap().remove(0)
}

fn server_error(error: Error) -> u16 {
    match error {
        Error::Server(error) => error.code,
        other => panic!("{other} is no answer of the server"),
    }
}

#[tokio::test]
async fn rows_come_as_text_and_in_binary() {
    let servers = servers();
    let mut app = log_in(servers.primary, "apppw").await.unwrap();
    app.query_drop("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price REAL, raw BLOB)")
        .await
        .unwrap();
    let insert = "INSERT INTO t (name, price, raw) VALUES (?, ?, ?)";
    app.exec_drop(insert, ("apple", 1.5, vec![0xff_u8, 0])).await.unwrap();
    assert_eq!((app.affected_rows(), app.last_insert_id()), (1, Some(1)));
    app.exec_drop(insert, (Value::NULL, -2, "text")).await.unwrap();

    let select = "SELECT id, name, price FROM t ORDER BY id";
    let expected = vec![(1, Some("apple".to_owned()), 1.5), (2, None, -2.0)];
    let text: Vec<(i64, Option<String>, f64)> = app.query(select).await.unwrap();
    assert_eq!(text, expected);
    let binary: Vec<(i64, Option<String>, f64)> = app.exec(select, ()).await.unwrap();
    assert_eq!(binary, expected);
    let raw: Option<Vec<u8>> =
        app.exec_first("SELECT raw FROM t WHERE id = ?", (1,)).await.unwrap();
    assert_eq!(raw, Some(vec![0xff, 0]));
}

#[tokio::test]
async fn a_replica_reads_what_the_primary_wrote_and_writes_nothing() {
    let servers = servers();
    let mut primary = log_in(servers.primary, "apppw").await.unwrap();
    let mut replica = log_in(servers.replica, "apppw").await.unwrap();
    primary.query_drop("CREATE TABLE t (id INT)").await.unwrap();
    primary.query_drop("INSERT INTO t VALUES (7)").await.unwrap();

    assert_eq!(one(&mut replica, "SELECT id FROM t").await, Value::Bytes(b"7".to_vec()));
    let refused = replica.query_drop("INSERT INTO t VALUES (8)").await.unwrap_err();
    assert_eq!(server_error(refused), 1290);

    let who = "SELECT @@hostname, @@server_id, @@global.read_only";
    let row: Option<(String, u32, u8)> = replica.query_first(who).await.unwrap();
    assert_eq!(row, Some(("replica-2".to_owned(), 2, 1)));
    let row: Option<(String, u32, u8)> = primary.exec_first(who, ()).await.unwrap();
    assert_eq!(row, Some(("primary-1".to_owned(), 1, 0)));
}

#[tokio::test]
async fn a_transaction_is_undone() {
    let servers = servers();
    let mut app = log_in(servers.primary, "apppw").await.unwrap();
    app.query_drop("CREATE TABLE t (id INT)").await.unwrap();
    for end in ["ROLLBACK", "SELECT 1"] {
        app.query_drop("START TRANSACTION").await.unwrap();
        app.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        app.query_drop(end).await.unwrap();
        assert!(app.reset().await.unwrap());
        let count: Option<u32> = app.query_first("SELECT count(*) FROM t").await.unwrap();
        assert_eq!(count, Some(0), "after {end} and a reset");
    }
}

#[tokio::test]
async fn errors_have_the_numbers_that_clients_know() {
    let servers = servers();
    assert_eq!(server_error(log_in(servers.primary, "wrong").await.unwrap_err()), 1045);

    let mut app = log_in(servers.primary, "apppw").await.unwrap();
    app.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
    app.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
    for (text, code) in [
        ("SELEC 1", 1064),
        ("SELECT 1; SELECT 2", 1064),
        ("SELECT * FROM missing", 1146),
        ("SELECT missing FROM t", 1054),
        ("INSERT INTO t VALUES (1)", 1062),
        ("SELECT @@missing", 1193),
        ("USE missing", 1049),
        ("SHOW ENGINES", 1235),
    ] {
        let error = app.query_drop(text).await.unwrap_err();
        assert_eq!(server_error(error), code, "{text}");
    }
    app.ping().await.unwrap();
}
