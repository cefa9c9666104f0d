//! What the tests share: connections, logins, and the question which server answered.

use std::path::PathBuf;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Compression, Conn, Error, Opts, OptsBuilder, SslOpts};
use tidegate_tests::Tidegate;
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::Login;

/// What `mysql_async` is told: TCP always, or it would ask for the server's Unix socket.
pub(crate) fn options(login: Login<'_>) -> OptsBuilder {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(login.port)
        .user(Some(login.user))
        .pass(Some(login.password))
        .db_name((!login.database.is_empty()).then_some(login.database))
        .prefer_socket(false)
        .max_allowed_packet(Some(64 << 20))
        .wait_timeout(Some(600))
        .compression(login.compress.then(Compression::default));
    if login.tls { options.ssl_opts(trusting(Certificates::shared().ca())) } else { options }
}

pub(crate) fn trusting(authority: PathBuf) -> SslOpts {
    SslOpts::default()
        .with_root_certs(vec![authority.into()])
        .with_disable_built_in_roots(true)
        .with_danger_tls_hostname_override(Some("localhost"))
}

pub(crate) async fn try_connect(login: Login<'_>) -> Result<Conn, Error> {
    Conn::new(Opts::from(options(login))).await
}

/// Logs in as the application user.
pub(crate) async fn connect(tidegate: &Tidegate, database: &str) -> Conn {
    let login = Login::app(tidegate.port(), database);
    try_connect(login).await.expect("the application user may log in")
}

/// The one value that a statement answers.
pub(crate) async fn value<T>(connection: &mut Conn, statement: &str) -> T
where
    T: mysql_async::prelude::FromValue + Send + 'static,
{
    let found: Result<Option<T>, Error> = connection.query_first(statement).await;
    match found {
        Ok(Some(value)) => value,
        Ok(None) => panic!("{statement}: no row"),
        Err(error) => panic!("{:.200}: {:.400}", statement, error.to_string()),
    }
}

/// Runs a statement for its effect.
pub(crate) async fn run(connection: &mut Conn, statement: &str) {
    connection
        .query_drop(statement)
        .await
        .unwrap_or_else(|error| panic!("{:.200}: {:.400}", statement, error.to_string()));
}

/// The `@@server_id` of whoever answers a read now.
pub(crate) async fn answered_by(connection: &mut Conn) -> u32 {
    value(connection, "select @@server_id").await
}

/// The code and the message of an error that the peer has sent.
pub(crate) fn server_error(error: &Error) -> (u16, &str) {
    match error {
        Error::Server(error) => (error.code, &error.message),
        other => panic!("not an error of the peer: {other}"),
    }
}

/// The proxy serves a newcomer, and nothing has panicked.
pub(crate) async fn assert_unharmed(tidegate: &Tidegate) {
    let mut connection = connect(tidegate, "").await;
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    let log = tidegate.log();
    let panicked = log.iter().find(|line| line.contains("panicked"));
    assert_eq!(panicked, None);
}
