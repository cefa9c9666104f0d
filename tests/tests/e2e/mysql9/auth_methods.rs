//! Users of each method that MySQL 9 has, and of each demand that its accounts make, with clients
//! that are none of ours.

use mysql_async::prelude::Queryable as _;
use tidegate_tests::certificates::{CLIENT_SUBJECT, Certificates, ISSUER};
use tidegate_tests::clients::{Login, mariadb, mysql_program, python, succeed};
use tidegate_tests::server::users;
use tidegate_tests::{MySql, MySqlPair, Setup, Tidegate};

use crate::auth_accounts::{
    answer_to_demands, current_user, let_what_is_known_grow_old, login, refusal,
    try_with_certificate, with_certificates,
};
use crate::support::{server_error, value};

/// Users as the server has them, who reach it encrypted.
fn setup(server: &MySql) -> Setup {
    let ca = Certificates::shared().ca();
    Setup::single(server)
        .account()
        .auth("{ source = \"server\" }")
        .client_tls("prefer")
        .server_tls("verify-full", Some(&ca))
}

/// The command line of MySQL, which asks for a key only if it is told to.
fn whoami(login: Login<'_>) -> String {
    let mut mysql = mysql_program("mysql", login);
    mysql.args(["--get-server-public-key", "--batch", "--skip-column-names"]);
    succeed(mysql.arg("--execute=select current_user()")).trim().to_owned()
}

/// Logs in with the clients that know the method, and without the password.
async fn is_let_in_and_nobody_else(login: Login<'_>) {
    let expected = format!("{}@%", login.user);
    assert_eq!(refusal(Login { password: "wrong", ..login }).await.0, 1045);
    assert_eq!(whoami(login), expected);
    assert_eq!(python("who.py", login).trim(), expected);
    let output = mariadb(login, "select current_user()");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{output:?}");
    assert_eq!(refusal(Login { password: "wrong", ..login }).await.0, 1045);
    assert_eq!(refusal(Login { password: "", ..login }).await.0, 1045);
}

#[tokio::test]
async fn caching_sha2_password_over_tls_and_over_rsa() {
    let server = &MySqlPair::shared().primary;
    let (app, password) = users::APP;
    for tls in [true, false] {
        // The first login of all shows the password, each time by another client.
        for first in 0..3 {
            let tidegate = Tidegate::start(setup(server));
            let login = Login { tls, ..login(&tidegate, app, password) };
            match first {
                0 => assert_eq!(whoami(login), "app@%"),
                1 => assert_eq!(python("who.py", login).trim(), "app@%"),
                _ => assert_eq!(current_user(login).await, "app@%"),
            }
            is_let_in_and_nobody_else(login).await;
            assert_eq!(current_user(login).await, "app@%");
        }
    }
}

#[tokio::test]
async fn sha256_password_over_tls_and_over_rsa() {
    let tidegate = Tidegate::start(setup(&MySqlPair::shared().primary));
    let (user, password) = users::SHA256;
    let login = login(&tidegate, user, password);
    for login in [login.with_tls(), login] {
        let expected = format!("{user}@%");
        assert_eq!(whoami(login), expected);
        assert_eq!(python("who.py", login).trim(), expected);
        for password in ["wrong", ""] {
            let output = mariadb(Login { password, ..login }, "select 1");
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(message.contains("ERROR 1045"), "{message}");
        }
    }
}

/// No TLS on either side: the password goes out with the key of the one and of the other.
#[tokio::test]
async fn passwords_go_to_a_server_with_its_own_key() {
    let server = MySql::start();
    let status = "show status like 'Caching_sha2_password_rsa_public_key'";
    let shown = server.query(status).replace("\\n", "\n");
    let (_, key) = shown.split_once('\t').unwrap();
    // A server that has seen the password once does not ask for it again.
    let stranger = std::fs::read_to_string(Certificates::shared().rsa().1).unwrap();
    for (keys, trusted) in [(stranger.as_str(), false), (key, true)] {
        let setup = Setup::single(&server).file("keys.pem", keys);
        let tidegate = Tidegate::start(setup.upstream("rsa = { keys = \"keys.pem\" }"));
        let app = login(&tidegate, "app", "apppw");
        match trusted {
            true => is_let_in_and_nobody_else(app).await,
            false => {
                let (_, message) = refusal(app).await;
                assert!(message.contains("key"), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn what_an_account_requires_is_required_at_our_door() {
    let server = MySql::start();
    server.execute(&format!(
        "create user ssl_@'%' identified by 'x' require ssl; \
         create user x509@'%' identified by 'x' require x509; \
         create user subject@'%' identified by 'x' require subject '{CLIENT_SUBJECT}' \
         and issuer '{ISSUER}'; \
         create user other@'%' identified by 'x' require subject '/CN=other'",
    ));
    let tidegate = Tidegate::start(with_certificates(&server));
    answer_to_demands(&tidegate).await;
    let error = try_with_certificate(login(&tidegate, "other", "x")).await.unwrap_err();
    let (code, message) = server_error(&error);
    assert!(code == 1045 && message.contains("not \"/C=SE"), "{message}");
}

#[tokio::test]
async fn changes_of_password_and_of_method_are_followed() {
    let server = MySql::start();
    let tidegate = Tidegate::start(setup(&server));
    let app = login(&tidegate, "app", "apppw");
    let sha256 = login(&tidegate, users::SHA256.0, users::SHA256.1);
    assert_eq!(current_user(app).await, "app@%");
    assert_eq!(whoami(sha256), "sha256@%");

    server.execute(
        "alter user app@'%' identified by 'new'; \
         alter user sha256@'%' identified with sha256_password by 'new'",
    );
    let_what_is_known_grow_old();
    for login in [app, sha256] {
        assert_eq!(whoami(Login { password: "new", ..login }), format!("{}@%", login.user));
        assert_eq!(python("who.py", Login { password: "new", ..login }).lines().count(), 1);
    }
    assert_eq!(refusal(app).await.0, 1045, "the old password is good for nothing");

    server.execute("alter user app@'%' identified with sha256_password by 'third'");
    let_what_is_known_grow_old();
    assert_eq!(whoami(Login { password: "third", ..app }), "app@%");

    server.execute(
        "alter user app@'%' identified with caching_sha2_password by 'fourth'; \
         alter user app@'%' identified by 'fifth' retain current password",
    );
    let_what_is_known_grow_old();
    // A client that does not know the former method would not get as far as a wrong password.
    for password in ["fifth", "fourth"] {
        assert_eq!(whoami(Login { password, ..app }), "app@%", "{password}");
    }
    server.execute("alter user app@'%' discard old password");
    let_what_is_known_grow_old();
    assert_eq!(current_user(Login { password: "fifth", ..app }).await, "app@%");
}

#[tokio::test]
async fn an_expired_password_is_changed_by_a_client_that_can() {
    let server = MySql::start();
    let tidegate = Tidegate::start(setup(&server));
    let app = login(&tidegate, "app", "apppw");
    assert_eq!(current_user(app).await, "app@%", "there is a connection in the pool now");
    server.execute("alter user app@'%' password expire");
    let_what_is_known_grow_old();
    assert_eq!(refusal(Login { password: "wrong", ..app }).await.0, 1045);
    // One that has not said that it can is not let in at all.
    assert_eq!(refusal(app).await.0, 1862);

    let that_can = |statements: &str| {
        let mut mysql = mysql_program("mysql", app.with_tls());
        mysql.args(["--connect-expired-password", "--batch", "--skip-column-names"]);
        mysql.arg(format!("--execute={statements}")).output().unwrap()
    };
    let asked = that_can("select 1");
    let message = String::from_utf8_lossy(&asked.stderr);
    assert!(message.contains("ERROR 1820"), "{message}");
    let changed = that_can("alter user user() identified by 'changed'; select 7");
    assert_eq!(String::from_utf8_lossy(&changed.stdout).trim(), "7", "{changed:?}");
    let_what_is_known_grow_old();
    let mut connection =
        crate::support::try_connect(Login { password: "changed", ..app }).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");
    connection.query_drop("do 1").await.unwrap();
    assert_eq!(refusal(app).await.0, 1045, "the old one");
}

#[tokio::test]
async fn an_account_that_is_locked_is_told_so_to_who_knows_its_password() {
    let server = MySql::start();
    let tidegate = Tidegate::start(setup(&server));
    let app = login(&tidegate, "app", "apppw");
    assert_eq!(current_user(app).await, "app@%");
    server.execute("alter user app@'%' account lock");
    let_what_is_known_grow_old();
    assert_eq!(refusal(Login { password: "wrong", ..app }).await.0, 1045);
    let (code, message) = refusal(app).await;
    assert!(code != 1045 && message.contains("locked"), "{code}: {message}");
    server.execute("alter user app@'%' account unlock");
    let_what_is_known_grow_old();
    assert_eq!(current_user(app).await, "app@%");
}
