//! `tokio-postgres` and `psql`, against the servers that speak PostgreSQL.

use std::process::{Command, Output};
use std::time::Duration;

use tidegate_demo_upstreams::Protocol;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};

use crate::Servers;

fn servers() -> Servers {
    Servers::start(Protocol::Postgres)
}

async fn log_in(port: u16, password: &str) -> Result<Client, Error> {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("app").password(password).dbname("app");
    connect(&config).await
}

async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Every value of the last statement, by the simple protocol.
async fn simple(client: &Client, text: &str) -> Result<Vec<String>, Error> {
    let messages = client.simple_query(text).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let values = rows.flat_map(|row| (0..row.len()).map(|at| row.get(at).unwrap_or("NULL")));
    Ok(values.map(str::to_owned).collect())
}

fn state<T>(result: Result<T, Error>) -> String {
    let error = result.err().expect("an error");
    error.code().expect("an error of the server").code().to_owned()
}

#[tokio::test]
async fn rows_come_as_text_and_in_binary() {
    let servers = servers();
    let app = log_in(servers.primary, "apppw").await.unwrap();
    app.batch_execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price REAL, raw BLOB)")
        .await
        .unwrap();
    let types = [Type::TEXT, Type::FLOAT8, Type::BYTEA];
    let insert = "INSERT INTO t (name, price, raw) VALUES ($1, $2, $3)";
    let insert = app.prepare_typed(insert, &types).await.unwrap();
    let values: [&(dyn ToSql + Sync); 3] = [&"apple", &1.5, &&[0xff_u8, 0][..]];
    assert_eq!(app.execute(&insert, &values).await.unwrap(), 1);
    let values: [&(dyn ToSql + Sync); 3] = [&None::<&str>, &-2.0, &&b""[..]];
    assert_eq!(app.execute(&insert, &values).await.unwrap(), 1);

    let select = "SELECT id, name, price, raw FROM t ORDER BY id";
    let text = simple(&app, select).await.unwrap();
    assert_eq!(text, ["1", "apple", "1.5", "\\xff00", "2", "NULL", "-2", "\\x"]);
    let rows = app.query(select, &[]).await.unwrap();
    let row = |at: usize| {
        let row = &rows[at];
        (row.get(0), row.get(1), row.get(2), row.get(3))
    };
    let expected: (i64, _, f64, Vec<u8>) = (1, Some("apple"), 1.5, vec![0xff, 0]);
    assert_eq!(row(0), expected);
    assert_eq!(row(1), (2, None, -2.0, vec![]));

    // What SQLite has no type for is known by its first value, and parameters are text.
    let row = app.query_one("SELECT count(*), max(name) FROM t WHERE id = $1", &[&"1"]).await;
    let row = row.unwrap();
    assert_eq!((row.get(0), row.get(1)), (1_i64, "apple"));
    assert_eq!(row.columns()[0].name(), "count");
    let found = app.query_typed("SELECT name FROM t WHERE id = $1", &[(&1_i32, Type::INT4)]).await;
    assert_eq!(found.unwrap()[0].get::<_, &str>(0), "apple");
}

#[tokio::test]
async fn a_replica_reads_what_the_primary_wrote_and_writes_nothing() {
    let servers = servers();
    let primary = log_in(servers.primary, "apppw").await.unwrap();
    let replica = log_in(servers.replica, "apppw").await.unwrap();
    primary.batch_execute("CREATE TABLE t (id INT); INSERT INTO t VALUES (7)").await.unwrap();
    assert_eq!(simple(&replica, "SELECT id FROM t").await.unwrap(), ["7"]);
    assert_eq!(state(replica.execute("INSERT INTO t VALUES (8)", &[]).await), "25006");

    let who = "SELECT current_setting('cluster_name'), pg_is_in_recovery()";
    assert_eq!(simple(&replica, who).await.unwrap(), ["replica-2", "t"]);
    let row = primary.query_one(who, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("primary-1", false));

    let replayed = "SELECT pg_last_wal_replay_lsn()";
    assert_eq!(simple(&primary, replayed).await.unwrap(), ["NULL"]);
    assert_eq!(state(replica.simple_query("SELECT pg_current_wal_lsn()").await), "55000");
    let position = simple(&primary, "SELECT pg_current_wal_lsn()").await.unwrap();
    assert!(simple(&replica, replayed).await.unwrap() >= position);
    primary.batch_execute("INSERT INTO t VALUES (9)").await.unwrap();
    assert!(simple(&replica, replayed).await.unwrap() > position);
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let servers = servers();
    let mut app = log_in(servers.primary, "apppw").await.unwrap();
    app.batch_execute("CREATE TABLE t (id INTEGER PRIMARY KEY)").await.unwrap();
    let count = "SELECT count(*) FROM t";

    let transaction = app.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(simple(&app, count).await.unwrap(), ["0"]);

    // After an error nothing but the end is accepted, and the end is no COMMIT.
    let mut transaction = app.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    let savepoint = transaction.savepoint("before").await.unwrap();
    assert_eq!(state(savepoint.execute("INSERT INTO t VALUES (1)", &[]).await), "23505");
    assert_eq!(state(savepoint.query("SELECT 1", &[]).await), "25P02");
    savepoint.rollback().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap();
    assert_eq!(state(transaction.simple_query("SELEC 1").await), "42601");
    transaction.commit().await.unwrap();
    assert_eq!(simple(&app, count).await.unwrap(), ["0"]);

    // The statements of one query are one transaction.
    let query = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)";
    assert_eq!(state(app.simple_query(query).await), "23505");
    assert_eq!(simple(&app, count).await.unwrap(), ["0"]);
    app.batch_execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)").await.unwrap();
    assert_eq!(simple(&app, count).await.unwrap(), ["2"]);
}

#[tokio::test]
async fn errors_have_the_states_that_clients_know() {
    let servers = servers();
    assert_eq!(state(log_in(servers.primary, "wrong").await), "28P01");
    let mut elsewhere = Config::new();
    elsewhere.host("127.0.0.1").port(servers.primary).user("app").password("apppw");
    assert_eq!(state(connect(elsewhere.clone().dbname("missing")).await), "3D000");
    assert_eq!(state(connect(elsewhere.user("nobody").dbname("app")).await), "28P01");

    let app = log_in(servers.primary, "apppw").await.unwrap();
    app.batch_execute("CREATE TABLE t (id INT NOT NULL UNIQUE)").await.unwrap();
    app.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
    for (text, expected) in [
        ("SELEC 1", "42601"),
        ("SELECT * FROM missing", "42P01"),
        ("SELECT missing FROM t", "42703"),
        ("SELECT missing()", "42883"),
        ("CREATE TABLE t (id INT)", "42P07"),
        ("INSERT INTO t VALUES (1)", "23505"),
        ("INSERT INTO t VALUES (NULL)", "23502"),
        ("SELECT current_setting('missing')", "42704"),
        ("SHOW missing", "42704"),
        ("SET in_hot_standby = on", "55P02"),
    ] {
        assert_eq!(state(app.simple_query(text).await), expected, "{text}");
        assert_eq!(state(app.query(text, &[]).await), expected, "{text}");
    }
    assert_eq!(state(app.prepare("SELECT 1; SELECT 2").await), "42601");
    assert_eq!(simple(&app, "SELECT 1").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn settings_are_those_of_the_session() {
    let servers = servers();
    let app = log_in(servers.primary, "apppw").await.unwrap();
    let show = "SHOW application_name";
    app.batch_execute("SET application_name = 'a test'").await.unwrap();
    assert_eq!(simple(&app, show).await.unwrap(), ["a test"]);
    app.batch_execute("BEGIN; SET LOCAL application_name TO other; COMMIT").await.unwrap();
    assert_eq!(app.query_one(show, &[]).await.unwrap().get::<_, &str>(0), "a test");
    app.batch_execute("BEGIN; SET application_name TO other; ROLLBACK").await.unwrap();
    assert_eq!(simple(&app, show).await.unwrap(), ["a test"]);
    // There is nothing to roll back.
    app.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(simple(&app, show).await.unwrap(), ["a test"]);
    app.batch_execute("DISCARD ALL").await.unwrap();
    assert_eq!(simple(&app, show).await.unwrap(), [""]);
    let version = simple(&app, "SELECT version()").await.unwrap();
    assert!(version[0].starts_with("PostgreSQL 17.0 "), "{version:?}");
}

#[tokio::test]
async fn portals_give_as_many_rows_as_they_are_asked_for() {
    let servers = servers();
    let mut app = log_in(servers.primary, "apppw").await.unwrap();
    let transaction = app.transaction().await.unwrap();
    let rows = "SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3";
    let portal = transaction.bind(rows, &[]).await.unwrap();
    let mut numbers = Vec::new();
    for expected in [2, 1, 0] {
        let rows = transaction.query_portal(&portal, 2).await.unwrap();
        assert_eq!(rows.len(), expected);
        numbers.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
    }
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn a_statement_is_cancelled_by_its_key() {
    let servers = servers();
    let app = log_in(servers.primary, "apppw").await.unwrap();
    let token = app.cancel_token();
    let endless = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) \
                   SELECT count(*) FROM n";
    let cancel = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            token.cancel_query(NoTls).await.unwrap();
        }
    };
    let result = tokio::select! {
        result = app.simple_query(endless) => result,
        () = cancel => unreachable!("it cancels for ever"),
    };
    assert_eq!(result.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    assert_eq!(simple(&app, "SELECT 1").await.unwrap(), ["1"]);
}

fn psql(port: u16, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("psql")
        .args(["--no-psqlrc", "-At", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "app"])
        .args(["-d", "app"])
        .args(arguments)
        .env("PGPASSWORD", "apppw")
        .output()
}

#[test]
fn psql_is_at_home() {
    let servers = servers();
    if Command::new("psql").arg("--version").output().is_err() {
        eprintln!("psql is not installed");
        return;
    }
    let output = psql(
        servers.primary,
        &[
            "-c",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)",
            "-c",
            "INSERT INTO t (name) VALUES ('a;b'), (NULL); SELECT count(*) FROM t",
            "-c",
            "BEGIN",
            "-c",
            "SELEC 1",
            "-c",
            "COMMIT",
            "-c",
            "SELECT id, name FROM t",
            "-c",
            "SHOW server_version",
        ],
    )
    .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let expected = "CREATE TABLE\nINSERT 0 2\n2\nBEGIN\nROLLBACK\n1|a;b\n2|\n\
                    17.0 (tidegate demo over SQLite)\n";
    assert_eq!(said, expected);
    let complained = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complained, "ERROR:  near \"SELEC\": syntax error\n");
}
