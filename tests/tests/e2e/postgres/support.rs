//! What the tests with PostgreSQL share: connections, and the question which server answered.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tidegate_tests::Tidegate;
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::Message;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::types::FromSqlOwned;
use tokio_postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What `tokio_postgres` is told.
pub(crate) fn config(login: Login<'_>) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(login.port).user(login.user).password(login.password);
    config.dbname(login.database).application_name("tidegate tests");
    if login.tls {
        config.ssl_mode(SslMode::Require).channel_binding(ChannelBinding::Require);
    } else {
        config.ssl_mode(SslMode::Disable);
    }
    config
}

/// TLS that trusts the tests' authority only.
pub(crate) fn tls() -> MakeRustlsConnect {
    let authority = CertificateDer::from_pem_file(Certificates::shared().ca()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth())
}

pub(crate) async fn try_connect(login: Login<'_>) -> Result<Client, Error> {
    let (client, connection) = config(login).connect(tls()).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Logs in as the application user.
pub(crate) async fn connect(tidegate: &Tidegate, database: &str) -> Client {
    let login = Login::app(tidegate.port(), database);
    try_connect(login).await.expect("the application user may log in")
}

/// The one value that a statement answers, by the extended protocol.
pub(crate) async fn value<T: FromSqlOwned>(client: &Client, statement: &str) -> T {
    let row = client.query_one(statement, &[]).await;
    row.unwrap_or_else(|error| panic!("{statement:.200}: {}", shown(&error))).get(0)
}

/// Runs statements for their effect, by the simple protocol.
pub(crate) async fn run(client: &Client, statements: &str) {
    let done = client.batch_execute(statements).await;
    done.unwrap_or_else(|error| panic!("{statements:.200}: {}", shown(&error)));
}

/// The SQLSTATE of an error that the peer has sent.
pub(crate) fn state(error: &Error) -> &str {
    error.code().unwrap_or_else(|| panic!("not an error of the peer: {error:?}")).code()
}

/// The proxy serves a newcomer, and nothing has panicked.
pub(crate) async fn assert_unharmed(tidegate: &Tidegate) {
    let client = connect(tidegate, "app").await;
    assert_eq!(value::<i32>(&client, "select 1").await, 1);
    let log = tidegate.log();
    let panicked = log.iter().find(|line| line.contains("panicked"));
    assert_eq!(panicked, None);
}

/// What a raw client was answered: the types of messages, with the tag of a completion, the SQLSTATE
/// of an error and the status of a `ReadyForQuery`.
pub(crate) fn tags(answer: &[Message]) -> String {
    let shown = |message: &Message| {
        let text = String::from_utf8_lossy(&message.body);
        match message.tag {
            b'E' => format!("E{}", message.state().unwrap_or_default()),
            tag @ (b'C' | b'Z') => format!("{}{}", char::from(tag), text.trim_end_matches('\0')),
            tag => char::from(tag).to_string(),
        }
    };
    answer.iter().map(shown).collect::<Vec<_>>().join(" ")
}

fn shown(error: &Error) -> String {
    error.as_db_error().map_or_else(|| format!("{error:?}"), ToString::to_string)
}
