//! What MySQL 9 says of itself and of sessions, and what clients see of it.

use mysql_async::prelude::Queryable as _;
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::{Login, mysql};
use tidegate_tests::raw::{RawClient, login_packet};
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID, users};
use tidegate_tests::{MySqlPair, Setup, Tidegate};

use crate::support::{answered_by, connect, run, value};

/// The collation `utf8mb4_0900_ai_ci`, which MariaDB does not have.
const COLLATION: u8 = 255;

fn setup() -> Setup {
    let ca = Certificates::shared().ca();
    Setup::pair(MySqlPair::shared()).server_tls("verify-full", Some(&ca))
}

#[tokio::test]
async fn roles_are_discovered_by_read_only() {
    let pair = MySqlPair::shared();
    let ca = Certificates::shared().ca();
    let servers = [(pair.replica.address(), "discover"), (pair.primary.address(), "discover")];
    let setup = Setup::new(&servers).account().quick_probes();
    let tidegate = Tidegate::start(setup.server_tls("verify-full", Some(&ca)));
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(answered_by(&mut connection).await, PRIMARY_ID);
    let replica = format!("server=\"{}\"", pair.replica.address());
    assert!(tidegate.admin().metric("tidegate_server_primary", &[&replica]) < 0.5);
}

#[test]
fn a_login_with_the_collation_of_mysql_8_has_it_on_the_server() {
    let tidegate = Tidegate::start(setup());
    for _ in 0..2 {
        let mut client = RawClient::connect(tidegate.port()).unwrap();
        let mut packet = login_packet(users::NO_PASSWORD.0, &[]);
        packet[8] = COLLATION;
        client.send(1, &packet).unwrap();
        assert!(client.read().unwrap().is_ok());
        client.command(3, b"select @@collation_connection").unwrap();
        let reply: Vec<String> = (0..5).map(|_| client.read().unwrap().text()).collect();
        assert!(reply[3].contains("utf8mb4_0900_ai_ci"), "{reply:?}");
    }
}

#[tokio::test]
async fn the_next_session_finds_no_trace_of_the_last_on_its_connection() {
    let database = MySqlPair::shared().database("sessions_reset");
    let tidegate = Tidegate::start(setup().pool("{ max = 1, wait = \"5s\" }"));
    for _ in 0..3 {
        let mut connection = connect(&tidegate, database).await;
        let before: Option<(Option<u8>, String, String, u8)> = connection
            .query_first("select @mine, @@sql_mode, @@collation_connection, @@autocommit")
            .await
            .unwrap();
        let (mine, mode, collation, autocommit) = before.unwrap();
        assert_eq!((mine, collation.as_str(), autocommit), (None, "utf8mb4_general_ci", 1));
        assert!(mode.contains("STRICT_TRANS_TABLES"), "{mode}");
        run(&mut connection, "set @mine = 7, sql_mode = '', autocommit = 0, names latin1").await;
        run(&mut connection, "create temporary table t (a int)").await;
        connection.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_keeps_what_it_has_set_when_it_reads_elsewhere() {
    let tidegate = crate::clients::with_plugins(setup(), "0s");
    let mut connection = connect(&tidegate, "").await;
    run(&mut connection, "set session sql_mode = 'ANSI_QUOTES', names latin1").await;
    run(&mut connection, "use mysql").await;
    assert_eq!(answered_by(&mut connection).await, REPLICA_ID);
    let state: Option<(String, String, String)> = connection
        .query_first("select @@sql_mode, @@character_set_client, database()")
        .await
        .unwrap();
    let expected = ["ANSI_QUOTES", "latin1", "mysql"].map(str::to_owned);
    assert_eq!(state.map(<[String; 3]>::from), Some(expected));
    run(&mut connection, "begin").await;
    assert_eq!(answered_by(&mut connection).await, PRIMARY_ID);
    assert_eq!(value::<String>(&mut connection, "select @@sql_mode").await, "ANSI_QUOTES");
}

#[test]
fn rows_wait_at_the_server_until_they_are_fetched() {
    crate::cursors::rows_wait_at_the_server(MySqlPair::shared(), setup());
}

#[test]
fn the_command_line_sees_its_warnings() {
    let database = MySqlPair::shared().database("sessions_command_line");
    let tidegate = Tidegate::start(setup());
    let login = Login::app(tidegate.port(), database);
    let output = mysql(login, "select cast('x' as signed); show warnings; show count(*) warnings");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Truncated incorrect INTEGER value"), "{output:?}");
}
