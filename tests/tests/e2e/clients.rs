//! Unchanged clients of all kinds, through the proxy to a real server.

use mysql_async::prelude::Queryable as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{Connection as _, MySqlConnection, Row as _};
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::{Login, mariadb, node, python, sysbench};
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use crate::routing::{router_config, split_config};
use crate::support::{connect, run, try_connect, value};

/// One server, TLS for whoever wants it.
fn plain() -> Tidegate {
    Tidegate::start(Setup::single(&MariaDbPair::shared().primary).client_tls("prefer"))
}

/// Both sample plugins in front of a primary and its replica.
fn both_plugins(setup: Setup) -> Tidegate {
    let setup = setup
        .account()
        .sidecar("10-user-router", &router_config())
        .sidecar("20-read-write-split", &split_config("1s"));
    Tidegate::start_with_plugins(
        setup,
        &[("10-user-router", "user-router"), ("20-read-write-split", "read-write-split")],
    )
}

#[tokio::test]
async fn mysql_async_reads_and_writes() {
    let tidegate = plain();
    let database = MariaDbPair::shared().database("clients_mysql_async");
    let mut connection = connect(&tidegate, database).await;
    run(&mut connection, "create table t (id int auto_increment primary key, name text)").await;
    for name in ["ä", "日本語", "🌊"] {
        connection.exec_drop("insert into t (name) values (?)", (name,)).await.unwrap();
    }
    assert_eq!(connection.last_insert_id(), Some(3));
    let names: Vec<(u32, String)> =
        connection.exec("select id, name from t where id > ? order by id", (1,)).await.unwrap();
    assert_eq!(names, [(2, "日本語".to_owned()), (3, "🌊".to_owned())]);
    run(&mut connection, "update t set name = 'x' where id < 3").await;
    assert_eq!(connection.affected_rows(), 2);
    connection.ping().await.unwrap();
    connection.disconnect().await.unwrap();
}

async fn sqlx_tour(login: Login<'_>, mode: MySqlSslMode) -> sqlx::Result<()> {
    let options = MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(login.port)
        .username(login.user)
        .password(login.password)
        .database(login.database)
        .ssl_mode(mode)
        .ssl_ca(Certificates::shared().ca());
    let mut connection = MySqlConnection::connect_with(&options).await?;
    sqlx::query("create or replace table s (id bigint primary key, name varchar(50), at datetime)")
        .execute(&mut connection)
        .await?;
    for id in 0..20_i64 {
        let insert = sqlx::query("insert into s values (?, ?, now())").bind(id);
        insert.bind(format!("name {id}")).execute(&mut connection).await?;
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("delete from s where id >= ?").bind(10).execute(&mut *transaction).await?;
    let row = sqlx::query("select count(*) from s").fetch_one(&mut *transaction).await?;
    assert_eq!(row.get::<i64, _>(0), 10);
    transaction.rollback().await?;
    let mut transaction = connection.begin().await?;
    let rows =
        sqlx::query("select id, name from s order by id").fetch_all(&mut *transaction).await?;
    assert_eq!(rows.len(), 20);
    assert_eq!(rows[7].get::<String, _>(1), "name 7");
    transaction.commit().await?;
    let failure = sqlx::query("select * from missing").execute(&mut connection).await;
    assert!(failure.is_err_and(|error| error.to_string().contains("1146")));
    connection.ping().await?;
    connection.close().await
}

#[tokio::test]
async fn sqlx_prepares_and_runs_transactions() {
    let tidegate = plain();
    let database = MariaDbPair::shared().database("clients_sqlx");
    let login = Login::app(tidegate.port(), database);
    sqlx_tour(login, MySqlSslMode::Disabled).await.unwrap();
    sqlx_tour(login, MySqlSslMode::VerifyCa).await.unwrap();
}

#[test]
fn the_command_line_runs_statements_and_changes_databases() {
    let tidegate = plain();
    let database = MariaDbPair::shared().database("clients_command_line");
    let login = Login::app(tidegate.port(), database);
    let output = mariadb(
        login.with_tls(),
        "create table t (a int); insert into t values (1), (2); select sum(a) from t;
         use mysql; select database(); show status like 'Threads_connected'",
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = text.lines();
    assert_eq!((lines.next(), lines.next()), (Some("3"), Some("mysql")));
    let failed = mariadb(login, "select * from missing");
    let message = String::from_utf8_lossy(&failed.stderr);
    assert!(message.contains("ERROR 1146 (42S02)"), "{message}");
}

#[test]
fn pymysql_takes_its_tour() {
    let tidegate = plain();
    let database = MariaDbPair::shared().database("clients_pymysql");
    let login = Login::app(tidegate.port(), database);
    assert_eq!(python("tour.py", login).trim(), "done");
    assert_eq!(python("tour.py", login.with_tls()).trim(), "done");
}

#[test]
fn mysql2_takes_its_tour() {
    let tidegate = plain();
    let database = MariaDbPair::shared().database("clients_mysql2");
    let login = Login::app(tidegate.port(), database);
    assert_eq!(node("tour.mjs", login).trim(), "done");
    assert_eq!(node("tour.mjs", login.with_tls()).trim(), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_works_through_both_sample_plugins_with_tls_on_both_sides() {
    let ca = Certificates::shared().ca();
    let setup = Setup::pair(MariaDbPair::shared());
    let tidegate = both_plugins(setup.client_tls("require").server_tls("verify-full", Some(&ca)));
    let database = MariaDbPair::shared().database("clients_everything");
    let login = Login::app(tidegate.port(), database).with_tls();
    let cli = mariadb(login, "create table c (a int); insert into c values (5); select a from c");
    assert_eq!(String::from_utf8_lossy(&cli.stdout).trim(), "5");
    sqlx_tour(login, MySqlSslMode::VerifyCa).await.unwrap();
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(value::<u32>(&mut connection, "select 40 + 2").await, 42);
    assert_eq!(python("tour.py", login).trim(), "done");
    assert_eq!(node("tour.mjs", login).trim(), "done");
}

#[test]
fn sysbench_runs_without_an_error_through_both_sample_plugins() {
    let tidegate = both_plugins(Setup::pair(MariaDbPair::shared()));
    let database = MariaDbPair::shared().database("clients_sysbench");
    let login = Login::app(tidegate.port(), database);
    let tables = ["--tables=2", "--table-size=1000"];
    sysbench(login, "oltp_read_write", &tables, "prepare");
    MariaDbPair::shared().wait_for_replica();
    for mode in ["--db-ps-mode=auto", "--db-ps-mode=disable"] {
        let load = [tables[0], tables[1], "--threads=4", "--time=5", mode];
        let report = sysbench(login, "oltp_read_write", &load, "run");
        let ignored = report.lines().find(|line| line.contains("reconnects:")).unwrap_or_default();
        assert_eq!(ignored.split_whitespace().nth(1), Some("0"), "{report}");
    }
}
