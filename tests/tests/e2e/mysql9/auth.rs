//! Who may log in when the servers store passwords as MySQL 9 does.

use std::time::Instant;

use mysql_async::Conn;
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::{Login, mysql, python};
use tidegate_tests::server::users;
use tidegate_tests::{MySql, MySqlPair, PATIENCE, Setup, Tidegate};

use crate::support::{server_error, try_connect, value};

fn primary() -> &'static MySql {
    &MySqlPair::shared().primary
}

/// Everything encrypted, and the greeting as MySQL's own.
fn setup(server: &MySql) -> Setup {
    let ca = Certificates::shared().ca();
    Setup::single(server)
        .server_tls("verify-full", Some(&ca))
        .client_tls("prefer")
        .listener("default_auth = \"caching_sha2_password\"")
}

#[tokio::test]
async fn users_of_the_configuration_log_in_and_the_server_knows_them() {
    let tidegate = Tidegate::start(setup(primary()));
    for (user, password) in [users::APP, users::READER, users::TLS_ONLY, users::NO_PASSWORD] {
        let login = Login { user, password, ..Login::app(tidegate.port(), "") };
        for login in [login, login.with_tls()] {
            let mut connection = try_connect(login).await.unwrap();
            let seen: String = value(&mut connection, "select current_user()").await;
            assert_eq!(seen, format!("{user}@%"));
        }
    }
    let login = Login { password: "wrong", ..Login::app(tidegate.port(), "") };
    assert_eq!(server_error(&try_connect(login).await.unwrap_err()).0, 1045);
}

#[tokio::test]
async fn a_verifier_is_what_show_create_user_shows() {
    let shown = primary().query("set print_identified_with_as_hex = 1; show create user app@'%'");
    let verifier = shown.split_whitespace().find(|word| word.starts_with("0x")).unwrap();
    let setup = setup(primary()).auth(&format!(
        "{{ source = \"config\", users = [{{ name = \"app\", verifier = {verifier:?} }}] }}"
    ));
    let tidegate = Tidegate::start(setup);
    let login = Login::app(tidegate.port(), "").with_tls();
    let wrong = try_connect(Login { password: "wrong", ..login }).await;
    assert_eq!(server_error(&wrong.unwrap_err()).0, 1045);
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");
    // What was proved over TLS is remembered: now the fast path does without.
    let mut connection = try_connect(Login { tls: false, ..login }).await.unwrap();
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[tokio::test]
async fn verifiers_are_read_from_the_server_and_again_when_they_have_changed() {
    let server = MySql::start();
    // Strangers are asked by one of the methods in use, and the client does not know this one's.
    server.execute("drop user sha256@'%'");
    let tidegate = Tidegate::start(setup(&server).account().auth("{ source = \"server\" }"));
    let login = Login::app(tidegate.port(), "app").with_tls();
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");

    server.execute("alter user app@'%' identified by 'changed'");
    let changed = Login { password: "changed", ..login };
    let mut connection = until_let_in(changed).await;
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    assert_eq!(server_error(&try_connect(login).await.unwrap_err()).0, 1045);

    server.execute("create user newcomer@'%' identified by 'newpw'");
    let newcomer = Login { user: "newcomer", password: "newpw", ..login };
    let newcomer = Login { database: "", ..newcomer };
    let mut connection = until_let_in(newcomer).await;
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "newcomer@%");

    let unknown = Login { user: "unknown", ..login };
    assert_eq!(server_error(&try_connect(unknown).await.unwrap_err()).0, 1045);
}

/// Logs in as soon as that is possible: what was read of a user may be a little out of date.
async fn until_let_in(login: Login<'_>) -> Conn {
    let started = Instant::now();
    loop {
        match try_connect(login).await {
            Ok(connection) => return connection,
            Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
        }
    }
}

#[test]
fn other_clients_log_in_with_what_the_server_stores() {
    let setup = setup(primary()).account().auth("{ source = \"server\" }");
    let tidegate = Tidegate::start(setup);
    let database = MySqlPair::shared().database("auth_clients");
    let login = Login::app(tidegate.port(), database).with_tls();
    let output = mysql(login, "select current_user()");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "app@%", "{output:?}");
    assert_eq!(python("mysqlclient_tour.py", login).trim(), "done");
}
