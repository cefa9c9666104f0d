//! Users as a real server has them: their methods, what their accounts demand, and what changes.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{ClientIdentity, Conn, Error, Opts};
use tidegate_tests::certificates::{CLIENT_SUBJECT, Certificates, ISSUER};
use tidegate_tests::clients::{Login, mariadb, python};
use tidegate_tests::server::{Programs, Server};
use tidegate_tests::{MariaDb, Setup, Tidegate, wait_for};

use crate::support::{options, run, server_error, trusting, try_connect, value};

fn server() -> MariaDb {
    MariaDb::start_with(&["--plugin-load-add=auth_ed25519"])
}

fn setup(server: &MariaDb) -> Setup {
    Setup::single(server).account().auth("{ source = \"server\" }").client_tls("prefer")
}

pub(crate) fn login<'a>(tidegate: &Tidegate, user: &'a str, password: &'a str) -> Login<'a> {
    Login { user, password, ..Login::app(tidegate.port(), "") }
}

pub(crate) async fn current_user(login: Login<'_>) -> String {
    let mut connection = try_connect(login).await.unwrap();
    value(&mut connection, "select current_user()").await
}

pub(crate) async fn refusal(login: Login<'_>) -> (u16, String) {
    let error = try_connect(login).await.unwrap_err();
    let (code, message) = server_error(&error);
    (code, message.to_owned())
}

/// What is known of a user is not read again sooner.
pub(crate) fn let_what_is_known_grow_old() {
    let started = Instant::now();
    wait_for("a second to pass", || (started.elapsed() > Duration::from_secs(1)).then_some(()));
}

#[tokio::test]
async fn an_ed25519_user_shows_its_password_and_then_needs_not() {
    let server = server();
    server.execute("create user e@'%' identified via ed25519 using password('e secret')");
    let tidegate = Tidegate::start(setup(&server));
    let login = login(&tidegate, "e", "e secret");
    assert_eq!(refusal(Login { password: "wrong", ..login }).await.0, 1045);
    for _ in 0..2 {
        assert_eq!(current_user(login).await, "e@%");
        assert_eq!(current_user(login.with_tls()).await, "e@%");
    }
    let output = mariadb(login, "select current_user()");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "e@%", "{output:?}");
    assert_eq!(python("who.py", login).trim(), "e@%");
    assert_eq!(refusal(Login { password: "wrong", ..login }).await.0, 1045);
    assert_eq!(refusal(Login { password: "", ..login }).await.0, 1045);
}

#[tokio::test]
async fn a_login_that_comes_with_the_new_password_is_let_in_at_once() {
    let server = server();
    server.execute("create user e@'%' identified via ed25519 using password('old')");
    let tidegate = Tidegate::start(setup(&server));
    let native = login(&tidegate, "app", "apppw");
    let ed25519 = login(&tidegate, "e", "old");
    assert_eq!(current_user(native).await, "app@%");
    assert_eq!(current_user(ed25519).await, "e@%");
    let newcomer = login(&tidegate, "newcomer", "new");
    assert_eq!(refusal(newcomer).await.0, 1045);

    server.execute(
        "alter user app@'%' identified by 'new'; \
         alter user e@'%' identified via ed25519 using password('new'); \
         create user newcomer@'%' identified by 'new'",
    );
    let_what_is_known_grow_old();
    for (login, user) in [(native, "app@%"), (ed25519, "e@%"), (newcomer, "newcomer@%")] {
        assert_eq!(current_user(Login { password: "new", ..login }).await, user);
        assert_eq!(refusal(Login { password: "wrong", ..login }).await.0, 1045);
    }
    for old in [native, ed25519] {
        assert_eq!(refusal(old).await.0, 1045, "the old password is good for nothing");
    }
}

#[tokio::test]
async fn a_user_may_change_its_method() {
    let server = server();
    let tidegate = Tidegate::start(setup(&server));
    let app = login(&tidegate, "app", "apppw");
    assert_eq!(current_user(app).await, "app@%");
    server.execute("alter user app@'%' identified via ed25519 using password('other')");
    let_what_is_known_grow_old();
    assert_eq!(current_user(Login { password: "other", ..app }).await, "app@%");
    server.execute("alter user app@'%' identified by 'third'");
    let_what_is_known_grow_old();
    assert_eq!(current_user(Login { password: "third", ..app }).await, "app@%");
}

#[tokio::test]
async fn a_user_may_have_several_methods() {
    let server = server();
    server.execute(
        "create user two@'%' identified via ed25519 using password('one') \
         or mysql_native_password using password('two'); \
         create user socket@'%' identified via unix_socket \
         or mysql_native_password using password('three'); \
         create user none@'%' identified via unix_socket; \
         create user invalid@'%' identified via mysql_native_password using 'invalid'",
    );
    let tidegate = Tidegate::start(setup(&server));
    assert_eq!(current_user(login(&tidegate, "two", "one")).await, "two@%");
    assert_eq!(current_user(login(&tidegate, "two", "two").with_tls()).await, "two@%");
    assert_eq!(current_user(login(&tidegate, "socket", "three")).await, "socket@%");
    for (user, password) in [("two", "three"), ("none", ""), ("none", "x"), ("invalid", "")] {
        assert_eq!(refusal(login(&tidegate, user, password)).await.0, 1045, "{user}");
    }
}

#[tokio::test]
async fn roles_are_nobody() {
    let server = server();
    server.execute("create role a_role");
    let tidegate = Tidegate::start(setup(&server));
    assert_eq!(refusal(login(&tidegate, "a_role", "")).await.0, 1045);
}

#[tokio::test]
async fn an_account_that_may_only_read_the_view_is_enough() {
    let server = server();
    server.execute("revoke select on mysql.global_priv from mon@'%'; flush privileges");
    let tidegate = Tidegate::start(setup(&server));
    assert_eq!(current_user(login(&tidegate, "app", "apppw")).await, "app@%");
    server.execute("create role a_role; alter user app@'%' require ssl");
    let_what_is_known_grow_old();
    assert_eq!(refusal(login(&tidegate, "a_role", "")).await.0, 1045);
    assert_eq!(refusal(login(&tidegate, "app", "wrong")).await.0, 1045);
    let (code, message) = refusal(login(&tidegate, "app", "apppw")).await;
    assert!(code == 1045 && message.contains("TLS"), "{code}: {message}");
}

/// The proxy shows a certificate to the server, and knows that of clients.
pub(crate) fn with_certificates<P: Programs>(server: &Server<P>) -> Setup {
    let certificates = Certificates::shared();
    let (certificate, key) = certificates.client();
    let ca = certificates.ca();
    let (server_certificate, server_key) = (certificates.certificate(), certificates.key());
    Setup::single(server)
        .account()
        .auth("{ source = \"server\" }")
        .upstream(&format!("tls = {{ ca = {ca:?}, certificate = {certificate:?}, key = {key:?} }}"))
        .listener(&format!(
            "tls = {{ certificate = {server_certificate:?}, key = {server_key:?}, client_ca = {ca:?} }}"
        ))
}

pub(crate) async fn try_with_certificate(login: Login<'_>) -> Result<Conn, Error> {
    let (certificate, key) = Certificates::shared().client();
    let identity = ClientIdentity::new(certificate.into(), key.into());
    let tls = trusting(Certificates::shared().ca()).with_client_identity(Some(identity));
    Conn::new(Opts::from(options(login).ssl_opts(tls))).await
}

/// Of the accounts `ssl_`, `x509` and `subject`, which are named for what they demand.
pub(crate) async fn answer_to_demands(tidegate: &Tidegate) {
    for (user, tls_is_enough, missing) in [
        ("ssl_", true, "over TLS"),
        ("x509", false, "needs a client certificate"),
        ("subject", false, "needs a client certificate with the subject \"/C=SE"),
    ] {
        let login = login(tidegate, user, "x");
        let (code, message) = refusal(login).await;
        assert!(code == 1045 && message.contains("over TLS"), "{user}: {message}");
        match tls_is_enough {
            true => assert_eq!(current_user(login.with_tls()).await, format!("{user}@%")),
            false => {
                let (code, message) = refusal(login.with_tls()).await;
                assert!(code == 1045 && message.contains(missing), "{user}: {message}");
            }
        }
        let mut connection = try_with_certificate(login).await.unwrap();
        let seen: String = value(&mut connection, "select current_user()").await;
        assert_eq!(seen, format!("{user}@%"));
        // Who does not know the password is told nothing of it.
        let (code, message) = refusal(Login { password: "wrong", ..login }).await;
        assert!(code == 1045 && message.ends_with("(using password: YES)"), "{message}");
    }
}

#[tokio::test]
async fn what_an_account_requires_is_required_at_our_door() {
    let server = server();
    server.execute(&format!(
        "create user ssl_@'%' identified by 'x' require ssl; \
         create user x509@'%' identified by 'x' require x509; \
         create user subject@'%' identified by 'x' require subject '{CLIENT_SUBJECT}' \
         and issuer '{ISSUER}'; \
         create user other@'%' identified by 'x' require subject '/CN=other'; \
         create user cipher@'%' identified by 'x' require cipher 'ECDHE-NONE'",
    ));
    let tidegate = Tidegate::start(with_certificates(&server));
    answer_to_demands(&tidegate).await;
    for (user, reason) in [("other", "not \"/C=SE"), ("cipher", "needs the cipher \"ECDHE-NONE\"")]
    {
        let error = try_with_certificate(login(&tidegate, user, "x")).await.unwrap_err();
        let (code, message) = server_error(&error);
        assert!(code == 1045 && message.contains(reason), "{user}: {message}");
    }
}

#[tokio::test]
async fn a_certificate_of_a_stranger_opens_no_connection() {
    let server = server();
    let stranger = Certificates::shared().stranger();
    let certificates = Certificates::shared();
    let (certificate, key) = (certificates.certificate(), certificates.key());
    let setup = Setup::single(&server).listener(&format!(
        "tls = {{ certificate = {certificate:?}, key = {key:?}, client_ca = {stranger:?} }}"
    ));
    let tidegate = Tidegate::start(setup);
    let app = login(&tidegate, "app", "apppw");
    assert!(try_with_certificate(app).await.is_err());
    assert_eq!(current_user(app.with_tls()).await, "app@%");
}

#[tokio::test]
async fn an_account_that_is_locked_is_told_so_to_who_knows_its_password() {
    let server = server();
    let tidegate = Tidegate::start(setup(&server));
    let app = login(&tidegate, "app", "apppw");
    assert_eq!(current_user(app).await, "app@%", "there is a connection in the pool now");
    server.execute("alter user app@'%' account lock");
    let_what_is_known_grow_old();
    assert_eq!(refusal(Login { password: "wrong", ..app }).await.0, 1045);
    let (code, message) = refusal(app).await;
    assert_eq!((code, message.as_str()), (4151, "Access denied, this account is locked"));
    server.execute("alter user app@'%' account unlock");
    let_what_is_known_grow_old();
    assert_eq!(current_user(app).await, "app@%");
}

#[tokio::test]
async fn an_expired_password_is_what_the_server_makes_of_it() {
    let server = server();
    let tidegate = Tidegate::start(setup(&server));
    let app = login(&tidegate, "app", "apppw");
    assert_eq!(current_user(app).await, "app@%");
    server.execute("alter user app@'%' password expire");
    let_what_is_known_grow_old();
    assert_eq!(refusal(Login { password: "wrong", ..app }).await.0, 1045);
    // The server lets it in to change its password.
    let mut connection = try_connect(app).await.unwrap();
    let error = connection.query_drop("select 1").await.unwrap_err();
    assert_eq!(server_error(&error).0, 1820);
    run(&mut connection, "set password = password('changed')").await;
    drop(connection);
    let_what_is_known_grow_old();
    assert_eq!(current_user(Login { password: "changed", ..app }).await, "app@%");

    // Or not.
    server.execute(
        "set global disconnect_on_expired_password = on; alter user app@'%' password expire",
    );
    let_what_is_known_grow_old();
    assert_eq!(refusal(app).await.0, 1045, "the old one");
    let changed = Login { password: "changed", ..app };
    assert_eq!(refusal(changed).await.0, 1862);
}

/// Two servers that hold no copies of each other.
fn two_servers(second: &str) -> (MariaDb, MariaDb) {
    let (one, other) = (server(), server());
    other.execute(second);
    (one, other)
}

fn in_front_of(servers: &(MariaDb, MariaDb), user: &str) -> Tidegate {
    let users = format!("{{ source = \"config\", users = [{{ name = \"app\", {user} }}] }}");
    let (one, other) = (servers.0.address(), servers.1.address());
    let setup = Setup::new(&[(one, "primary"), (other, "replica")]).auth(&users);
    Tidegate::start_with_plugins(
        setup.sidecar("route", "[config]\ntarget = \"db/replica\"\n"),
        &[("route", "route-all")],
    )
}

#[tokio::test]
async fn each_server_is_logged_in_to_by_its_own_method() {
    let servers = two_servers("alter user app@'%' identified via ed25519 using password('apppw')");
    let tidegate = in_front_of(&servers, "password = \"apppw\"");
    let mut connection = try_connect(login(&tidegate, "app", "apppw")).await.unwrap();
    let port: u16 = value(&mut connection, "select @@port").await;
    assert_eq!(port, servers.1.port());
}

#[tokio::test]
async fn a_method_that_what_is_known_does_not_serve_is_named() {
    let servers = two_servers("alter user app@'%' identified via ed25519 using password('apppw')");
    let stage2 = servers.0.query("select password('apppw')");
    let tidegate = in_front_of(&servers, &format!("verifier = {:?}", stage2.trim()));
    let failure = match try_connect(login(&tidegate, "app", "apppw")).await {
        Err(error) => error,
        Ok(mut connection) => connection.query_drop("select @@port").await.unwrap_err(),
    };
    let (_, message) = server_error(&failure);
    assert!(message.contains("client_ed25519") && message.contains("configuration"), "{message}");
}
