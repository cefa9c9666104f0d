//! Connections to servers of PostgreSQL.
//!
//! [`dial`] logs in, [`server_conn`] has the short exchanges of our own; [`settings`] and
//! [`Statements`] are what a connection has heard and knows; [`report`] asks for roles and lag; [`lsn`]
//! is how far a server has come.

mod cancel;
mod dial;
mod leased;
mod lsn;
mod report;
mod server_conn;
mod settings;
mod welcomes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_config as config;
use tidegate_postgres_wire::auth::Credential;
use tidegate_postgres_wire::cancel_key::CancelKey;
use tidegate_postgres_wire::startup;
use tidegate_postgres_wire::upstream::LoginError;
use tidegate_sql::Dialect;

use self::welcomes::Welcomes;
use super::ServerLost;
use super::report::Report;
use crate::auth::postgres::Verifiers;
use crate::protocol::{Fault, Protocol};

pub(crate) use cancel::{Victim, cancel};
pub(crate) use dial::Identity;
pub(crate) use lsn::Lsn;
pub(crate) use server_conn::{Rows, ServerConn, Shown, statement_name};
pub(crate) use settings::Settings;

pub(crate) type Borrower<'a> = super::Borrower<'a, Postgres>;
pub(crate) type DialError = super::DialError<Postgres>;
pub(crate) type LeaseError = super::LeaseError<Postgres>;
pub(crate) type Leased = super::Leased<Postgres>;
pub(crate) type Server = super::Server<Postgres>;
pub(crate) type Upstream = super::Upstream<Postgres>;
type Route = super::Route<Postgres>;
/// By the numbers in the names that they have at the server.
pub(crate) type Statements = super::Statements<()>;

/// PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Postgres;

/// How servers are reached.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// TLS begins at once, without a question.
    direct_tls: bool,
    /// The database that the account logs in to.
    account_database: String,
    /// So many times sessions of ours have changed the schema; of the whole upstream.
    schema: Arc<AtomicU64>,
    writes: Arc<Learned>,
    welcomes: Arc<Welcomes>,
}

/// Digests of statements that a replica has refused, as they write; as many as there is room for.
#[derive(Debug)]
struct Learned([AtomicU64; LEARNED_MAX]);

const LEARNED_MAX: usize = 1024;

impl Default for Learned {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; LEARNED_MAX])
    }
}

impl Learned {
    fn slot(&self, digest: u64) -> &AtomicU64 {
        &self.0[usize::try_from(digest % LEARNED_MAX as u64).unwrap_or_default()]
    }
}

impl Options {
    pub(crate) fn new(upstream: &config::PostgresUpstream) -> Self {
        let config::PostgresUpstream { direct_tls, account_database } = upstream.clone();
        Self {
            direct_tls,
            account_database,
            schema: Arc::default(),
            writes: Arc::default(),
            welcomes: Arc::default(),
        }
    }
}

impl Server {
    /// So many times sessions of ours have changed the schema: statements that were prepared before
    /// may mean something else now.
    pub(crate) fn schema(&self) -> u64 {
        self.route.options.schema.load(Ordering::Relaxed)
    }

    /// Whether a replica has refused a statement of this digest.
    pub(crate) fn writes(&self, digest: u64) -> bool {
        digest != 0 && self.route.options.writes.slot(digest).load(Ordering::Relaxed) == digest
    }

    /// A replica has refused it.
    pub(crate) fn learn_write(&self, digest: u64) {
        self.route.options.writes.slot(digest).store(digest, Ordering::Relaxed);
    }

    /// A session has changed the schema.
    pub(crate) fn schema_changed(&self) {
        self.route.options.schema.fetch_add(1, Ordering::Relaxed);
    }
}

impl Protocol for Postgres {
    const DIALECT: Dialect = Dialect::Postgres;
    const ALPN: &'static [&'static [u8]] = &[startup::ALPN];
    type Identity = Identity;
    type Credential = Credential;
    type Connection = ServerConn;
    type LoginError = LoginError;
    type Options = Options;
    type Position = Lsn;
    type Settings = config::PostgresListener;
    type Verifiers = Verifiers;
    /// The key of the connection, and of which server it is.
    type Running = Victim;
    type Proof = CancelKey;

    async fn dial(
        route: &Route,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<ServerConn, DialError> {
        dial::dial(route, identity, credential).await
    }

    async fn prepare(_route: &Route, _connection: &mut ServerConn) -> Result<(), ServerLost> {
        Ok(())
    }

    async fn reset(connection: &mut ServerConn, _identity: &Identity) -> bool {
        connection.reset().await
    }

    fn service(options: &Options, account: &config::Account) -> (Identity, Credential) {
        let identity = Identity {
            user: account.user.as_str().into(),
            database: options.account_database.as_str().into(),
            parameters: [("application_name".to_owned(), "tidegate".to_owned())].into(),
            stamp: 0,
        };
        let password = account.password.expose().as_bytes();
        let credential = match password {
            [] => Credential::Nothing,
            password => Credential::password(password),
        };
        (identity, credential)
    }

    async fn report(
        _upstream: &Upstream,
        connection: &mut ServerConn,
    ) -> Result<(Report<Lsn>, Option<String>), ServerLost> {
        report::ask(connection).await
    }

    async fn catch_up(
        connection: &mut ServerConn,
        written: &Lsn,
        limit: Duration,
    ) -> Result<bool, ServerLost> {
        lsn::catch_up(connection, *written, limit).await
    }
}

impl Fault for LoginError {
    fn is_server_fault(&self) -> bool {
        match self {
            Self::Violation(_) | Self::TlsUnavailable | Self::Unproved => true,
            // It starts, stops, or has no place left: it is not about who logs in.
            Self::Refused(error) => error.sqlstate().0.starts_with(b"57P0"),
            _ => false,
        }
    }
}
