//! TLS towards clients and towards servers, each by itself.

use mysql_async::{Conn, Opts};
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::Login;
use tidegate_tests::server::users;
use tidegate_tests::{MariaDb, MariaDbPair, Setup, Tidegate};

use crate::support::{assert_unharmed, options, server_error, trusting, try_connect, value};

fn primary() -> &'static MariaDb {
    &MariaDbPair::shared().primary
}

#[tokio::test]
async fn a_listener_that_requires_tls_turns_others_away_with_the_reason() {
    let tidegate = Tidegate::start(Setup::single(primary()).client_tls("require"));
    let login = Login::app(tidegate.port(), "app");
    let refusal = try_connect(login).await.unwrap_err();
    let (code, message) = server_error(&refusal);
    assert_eq!(code, 3159, "{message}");
    let mut connection = try_connect(login.with_tls()).await.unwrap();
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[tokio::test]
async fn a_client_that_verifies_refuses_a_certificate_of_a_stranger() {
    let tidegate = Tidegate::start(Setup::single(primary()).client_tls("prefer"));
    let login = Login::app(tidegate.port(), "app");
    let suspicious = options(login).ssl_opts(trusting(Certificates::shared().stranger()));
    assert!(Conn::new(Opts::from(suspicious)).await.is_err());
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

/// The cipher of the connection between proxy and server; empty without TLS.
async fn cipher(setup: Setup) -> String {
    let tidegate = Tidegate::start(setup);
    let mut connection = try_connect(Login::app(tidegate.port(), "app")).await.unwrap();
    let (_, cipher): (String, String) = {
        use mysql_async::prelude::Queryable as _;
        connection.query_first("show session status like 'Ssl_cipher'").await.unwrap().unwrap()
    };
    cipher
}

#[tokio::test]
async fn servers_are_reached_with_and_without_tls() {
    let ca = Certificates::shared().ca();
    assert_eq!(cipher(Setup::single(primary())).await, "");
    assert_eq!(cipher(Setup::single(primary()).server_tls("disable", None)).await, "");
    for (mode, ca) in [
        ("prefer", None),
        ("require", None),
        ("verify-ca", Some(ca.as_path())),
        ("verify-full", Some(ca.as_path())),
    ] {
        let cipher = cipher(Setup::single(primary()).server_tls(mode, ca)).await;
        assert!(cipher.starts_with("TLS_"), "{mode}: {cipher:?}");
    }
}

#[tokio::test]
async fn a_server_with_the_certificate_of_a_stranger_is_not_talked_to() {
    let stranger = Certificates::shared().stranger();
    let setup = Setup::single(primary()).server_tls("verify-full", Some(&stranger));
    let tidegate = Tidegate::start_unready(setup);
    let failure = try_connect(Login::app(tidegate.port(), "app")).await;
    let failure = match failure {
        Err(error) => error,
        Ok(mut connection) => {
            use mysql_async::prelude::Queryable as _;
            connection.query_drop("select 1").await.unwrap_err()
        }
    };
    let (code, message) = server_error(&failure);
    assert!(code > 0 && !message.is_empty(), "{message}");
    tidegate.wait_for_log(&["certificate"]);
}

#[tokio::test]
async fn a_user_that_the_server_wants_encrypted_gets_in_only_that_way() {
    let (user, password) = users::TLS_ONLY;
    let tidegate = Tidegate::start(Setup::single(primary()).server_tls("require", None));
    let login = Login { user, password, ..Login::app(tidegate.port(), "") };
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "tlsonly@%");

    let tidegate = Tidegate::start(Setup::single(primary()));
    let login = Login { port: tidegate.port(), ..login };
    let failure = match try_connect(login).await {
        Err(error) => error,
        Ok(mut connection) => {
            use mysql_async::prelude::Queryable as _;
            connection.query_drop("select 1").await.unwrap_err()
        }
    };
    assert_eq!(server_error(&failure).0, 1045);
    assert_unharmed(&tidegate).await;
}
