//! Who may log in, how it is proved, and what a stranger learns.

use std::time::Instant;

use mysql_async::Conn;
use tidegate_tests::clients::{Login, mariadb, node, python};
use tidegate_tests::raw::{RawClient, login_packet};
use tidegate_tests::server::users;
use tidegate_tests::{MariaDb, MariaDbPair, PATIENCE, Setup, Tidegate};

use crate::support::{server_error, try_connect, value};

/// `apppw` as a server with `caching_sha2_password` stores it.
const CACHING_SHA2_VERIFIER: &str =
    "$A$005$tidegate-tests-salt15yYbud2xcwF/sCnzcUnExhUbLOxD04doQuLHeIkFE.7";

fn primary() -> &'static MariaDb {
    &MariaDbPair::shared().primary
}

/// Everything that a login is answered with, up to the close.
fn answer_to_login(port: u16, user: &str, proof: &[u8]) -> Vec<u8> {
    let mut client = RawClient::connect(port).unwrap();
    client.send(1, &login_packet(user, proof)).unwrap();
    client.read_to_close().unwrap()
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_answered_with_the_same_bytes() {
    let tidegate = Tidegate::start(Setup::single(primary()));
    let known = answer_to_login(tidegate.port(), "app", &[7; 20]);
    let unknown = answer_to_login(tidegate.port(), "apq", &[7; 20]);
    let text = String::from_utf8_lossy(&unknown).replace("apq", "app");
    assert_eq!(String::from_utf8_lossy(&known), text);
    assert!(text.contains("28000Access denied for user 'app'"), "{text:?}");
    let nobody = answer_to_login(tidegate.port(), "", &[]);
    assert!(String::from_utf8_lossy(&nobody).contains("Access denied"));
}

#[test]
fn they_are_the_same_bytes_with_caching_sha2_password_too() {
    let users = format!(
        "[{{ name = \"app\", password = \"apppw\" }}, {{ name = \"crypt\", verifier = {CACHING_SHA2_VERIFIER:?} }}]"
    );
    let setup = Setup::single(primary())
        .auth(&format!("{{ source = \"config\", users = {users} }}"))
        .client_tls("prefer")
        .listener("default_auth = \"caching_sha2_password\"");
    let tidegate = Tidegate::start(setup);
    let answer = |user: &str| {
        let mut client = RawClient::connect(tidegate.port()).unwrap();
        let packet = login_packet(user, &[7; 32]);
        let end = packet.len() - b"mysql_native_password\0".len();
        client.send(1, &[&packet[..end], b"caching_sha2_password\0"].concat()).unwrap();
        client.finish().unwrap();
        let bytes = client.read_to_close().unwrap();
        String::from_utf8_lossy(&bytes).replace(user, "USER")
    };
    let wrong = answer("app");
    assert_eq!(wrong, answer("apq"), "a known user and an unknown one");
    assert_eq!(wrong, answer("crypt"), "whatever is stored about the user");
}

#[tokio::test]
async fn users_of_the_configuration_log_in_and_the_server_knows_them() {
    let tidegate = Tidegate::start(Setup::single(primary()));
    for (user, password) in [users::APP, users::READER, users::NO_PASSWORD] {
        let login = Login { user, password, ..Login::app(tidegate.port(), "") };
        let mut connection = try_connect(login).await.unwrap();
        let seen: String = value(&mut connection, "select current_user()").await;
        assert_eq!(seen, format!("{user}@%"));
    }
    let login = Login { password: "wrong", ..Login::app(tidegate.port(), "") };
    let refusal = try_connect(login).await.unwrap_err();
    assert_eq!(server_error(&refusal).0, 1045);
}

#[tokio::test]
async fn a_users_file_holds_verifiers_and_no_password() {
    let verifier = primary().query("select password('apppw')");
    let file = format!("[[user]]\nname = \"app\"\nverifier = {:?}\n", verifier.trim());
    let setup = Setup::single(primary())
        .auth("{ source = \"file\", file = \"users.toml\" }")
        .file("users.toml", &file);
    let tidegate = Tidegate::start(setup);
    let mut connection = try_connect(Login::app(tidegate.port(), "app")).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");
    let login = Login { password: "wrong", ..Login::app(tidegate.port(), "") };
    assert_eq!(server_error(&try_connect(login).await.unwrap_err()).0, 1045);
}

#[tokio::test]
async fn verifiers_are_read_from_the_server_and_again_when_they_have_changed() {
    let server = MariaDb::start();
    let setup = Setup::single(&server).account().auth("{ source = \"server\" }");
    let tidegate = Tidegate::start(setup);
    let login = Login::app(tidegate.port(), "app");
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");

    server.execute("alter user app@'%' identified by 'changed'");
    let changed = Login { password: "changed", ..login };
    let mut connection = until_let_in(changed).await;
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    assert_eq!(server_error(&try_connect(login).await.unwrap_err()).0, 1045);

    server.execute("create user newcomer@'%' identified by 'newpw'");
    let newcomer = Login { user: "newcomer", password: "newpw", ..Login::app(tidegate.port(), "") };
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

/// Users whose stored proof is for `caching_sha2_password`, in front of a server that checks natively.
fn sha2(user: &str) -> Tidegate {
    let setup = Setup::single(primary())
        .auth(&format!("{{ source = \"config\", users = [{user}] }}"))
        .client_tls("prefer")
        .listener("default_auth = \"caching_sha2_password\"");
    Tidegate::start(setup)
}

#[tokio::test]
async fn caching_sha2_password_takes_the_fast_path_where_the_password_is_known() {
    let tidegate = sha2("{ name = \"app\", password = \"apppw\" }");
    for login in [Login::app(tidegate.port(), "app"), Login::app(tidegate.port(), "app").with_tls()]
    {
        let mut connection = try_connect(login).await.unwrap();
        assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");
        let wrong = try_connect(Login { password: "wrong", ..login }).await;
        assert_eq!(server_error(&wrong.unwrap_err()).0, 1045);
    }
}

#[tokio::test]
async fn caching_sha2_password_takes_the_full_path_over_tls_and_then_the_fast_one() {
    let tidegate = sha2(&format!("{{ name = \"app\", verifier = {CACHING_SHA2_VERIFIER:?} }}"));
    let login = Login::app(tidegate.port(), "app");
    let wrong = try_connect(Login { password: "wrong", ..login.with_tls() }).await;
    assert_eq!(server_error(&wrong.unwrap_err()).0, 1045);
    let mut connection = try_connect(login.with_tls()).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");
    // What was proved over TLS is remembered: now the fast path does without.
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[test]
fn other_clients_speak_caching_sha2_password_too() {
    let tidegate = sha2("{ name = \"app\", password = \"apppw\" }");
    let database = MariaDbPair::shared().database("auth_sha2_clients");
    let login = Login::app(tidegate.port(), database);
    assert_eq!(python("pymysql_tour.py", login.with_tls()).trim(), "done");
    assert_eq!(node("mysql2_tour.mjs", login.with_tls()).trim(), "done");
    let output = mariadb(login.with_tls(), "select current_user()");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "app@%", "{output:?}");
}

#[test]
fn no_secret_is_ever_logged() {
    let setup = Setup::single(primary()).client_tls("prefer").top("[log]\nlevel = \"trace\"\n");
    let tidegate = Tidegate::start(setup);
    let login = Login::app(tidegate.port(), "app");
    assert!(mariadb(login.with_tls(), "select 1").status.success());
    assert!(!mariadb(Login { password: "hunter2", ..login }, "select 1").status.success());
    let verifier = primary().query("select password('apppw')");
    let log = tidegate.log().join("\n");
    for secret in ["apppw", "hunter2", verifier.trim().trim_start_matches('*')] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
