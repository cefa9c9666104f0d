//! Connections to servers of MySQL and MariaDB.
//!
//! [`dial`] logs in, [`server_conn`] has the short exchanges of our own; [`settings`] and
//! [`Statements`] are what a connection has heard and knows; [`report`] asks for roles and lag,
//! [`tracking`] has servers tell what their sessions change.

mod catch_up;
mod charset;
mod dial;
mod leased;
mod report;
mod server_conn;
mod settings;
mod tracking;
mod version;

use std::sync::Arc;
use std::time::Duration;

use tidegate_config as config;
use tidegate_config::ReadAfterWrite;
use tidegate_mysql_wire::auth::Credential;
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::gtid::GtidSet;
use tidegate_sql::Dialect;
use zeroize::Zeroizing;

use self::tracking::Tracking;
use super::ServerLost;
use super::report::Report;
use crate::auth::mysql::Verifiers;
use crate::protocol::{Position, Protocol};
use crate::rsa::ServerKeys;

pub(crate) use catch_up::LAST_TRANSACTIONS;
pub(crate) use dial::{Identity, LoginError};
pub(crate) use leased::LAST_INSERT_ID;
pub(crate) use server_conn::{Rows, ServerConn, write_command};
pub(crate) use settings::{DATABASE, Entry, Missed, Settings, SettingsFull};

pub(crate) type Borrower<'a> = super::Borrower<'a, Mysql>;
pub(crate) type DialError = super::DialError<Mysql>;
pub(crate) type LeaseError = super::LeaseError<Mysql>;
pub(crate) type Leased = super::Leased<Mysql>;
pub(crate) type Server = super::Server<Mysql>;
pub(crate) type Upstream = super::Upstream<Mysql>;
type Route = super::Route<Mysql>;
/// With the types of the parameters that the server was told last.
pub(crate) type Statements = super::Statements<Vec<u8>>;

/// The collation utf8mb4_general_ci.
const COLLATION: u8 = 45;

/// MySQL and MariaDB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mysql;

/// How servers are reached.
#[derive(Clone)]
pub(crate) struct Options {
    keys: Arc<ServerKeys>,
    tracking: Tracking,
}

impl Options {
    pub(crate) fn new(upstream: &config::Upstream, keys: ServerKeys) -> Self {
        Self { keys: Arc::new(keys), tracking: Tracking::wanted(upstream) }
    }
}

impl Protocol for Mysql {
    const DIALECT: Dialect = Dialect::Mysql;
    const ALPN: &'static [&'static [u8]] = &[];
    type Identity = Identity;
    type Credential = Credential;
    type Connection = ServerConn;
    type LoginError = LoginError;
    type Options = Options;
    type Position = GtidSet;
    type Settings = config::MysqlListener;
    type Verifiers = Verifiers;
    /// The server's number of the connection.
    type Running = u32;
    /// The server knows whether a user may.
    type Proof = ();

    async fn dial(
        route: &Route,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<ServerConn, DialError> {
        dial::dial(route, identity, credential).await
    }

    async fn prepare(route: &Route, connection: &mut ServerConn) -> Result<(), ServerLost> {
        match route.options.tracking.statement(&connection.session) {
            Some(statement) => connection.track(statement).await,
            None => Ok(()),
        }
    }

    async fn reset(connection: &mut ServerConn, identity: &Identity) -> bool {
        leased::reset(connection, identity).await
    }

    fn service(_options: &Options, account: &config::Account) -> (Identity, Credential) {
        let identity = Identity {
            user: account.user.as_str().into(),
            database: None,
            collation: COLLATION,
            capabilities: Capabilities::DEPRECATE_EOF | Capabilities::PLUGIN_AUTH,
            stamp: 0,
        };
        let password = Zeroizing::new(account.password.expose().as_bytes().to_vec());
        let credential =
            if password.is_empty() { Credential::Empty } else { Credential::Password(password) };
        (identity, credential)
    }

    async fn report(
        upstream: &Upstream,
        connection: &mut ServerConn,
    ) -> Result<(Report<GtidSet>, Option<String>), ServerLost> {
        let gtids = matches!(upstream.read_after_write, ReadAfterWrite::Position { .. });
        let [itself, replication] = report::questions(connection.session.plain_version(), gtids);
        let [mut itself, replication] = connection.query_all([itself, replication]).await?;
        if itself.is_err() {
            [itself] = connection.query_all([report::LEAST]).await?;
        }
        let hidden = replication.as_ref().err().map(ToString::to_string);
        Ok((report::read(&itself.unwrap_or_default(), replication.as_ref().ok()), hidden))
    }

    async fn catch_up(
        connection: &mut ServerConn,
        written: &GtidSet,
        limit: Duration,
    ) -> Result<bool, ServerLost> {
        catch_up::catch_up(connection, written, limit).await
    }
}

impl Position for GtidSet {
    fn contains(&self, written: &Self) -> bool {
        self.contains(written)
    }

    fn merge(&mut self, other: Self) {
        self.merge(other);
    }

    fn without(&self, known: &Self) -> Self {
        let mut missing = self.clone();
        missing.remove(known);
        missing
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}
