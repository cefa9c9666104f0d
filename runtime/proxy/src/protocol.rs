//! What listeners and pools need to know of a protocol. A session is not among it: each protocol has
//! a loop of its own.

use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_config as config;
use tidegate_sql::Dialect;

use crate::conn::Conn;
use crate::pool::{DialError, Report, Route, ServerLost, Upstream};

/// A protocol of databases.
pub(crate) trait Protocol: Copy + Debug + Send + Sync + 'static {
    const DIALECT: Dialect;
    /// What clients may ask for by ALPN; none to leave that alone.
    const ALPN: &'static [&'static [u8]];
    /// What must be equal for a connection to serve another session.
    type Identity: Clone + Debug + PartialEq + Send + Sync + 'static;
    /// What logs in to a server.
    type Credential: Clone + Debug + Send + Sync + 'static;
    type Connection: Connection;
    /// Why a server could not be logged in to, though it answered.
    type LoginError: Fault;
    /// How servers of this protocol are reached, beside what all are.
    type Options: Clone + Send + Sync + 'static;
    /// What a session has written, and a server executed.
    type Position: Position;
    /// What only listeners of this protocol are configured by.
    type Settings: Clone + Send + Sync + 'static;
    /// Who may log in at a listener.
    type Verifiers: Send + Sync + 'static;
    /// What ends a statement that runs on a connection.
    type Running: Clone + Debug + Send + 'static;
    /// What somebody must show who wants to end what another session does.
    type Proof: Debug + Send + Sync + 'static;

    /// Connects and logs in.
    fn dial(
        route: &Route<Self>,
        identity: &Self::Identity,
        credential: &Self::Credential,
    ) -> impl Future<Output = Result<Self::Connection, DialError<Self>>> + Send;

    /// Makes a new connection ready for the pool.
    fn prepare(
        route: &Route<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), ServerLost>> + Send;

    /// Makes a connection as good as new; `false` if that cannot be done.
    fn reset(
        connection: &mut Self::Connection,
        identity: &Self::Identity,
    ) -> impl Future<Output = bool> + Send;

    /// Who the service account of an upstream is, and how it logs in.
    fn service(
        options: &Self::Options,
        account: &config::Account,
    ) -> (Self::Identity, Self::Credential);

    /// Asks a server about itself. Beside the answers, what the account may not see of them.
    fn report(
        upstream: &Upstream<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(Report<Self::Position>, Option<String>), ServerLost>> + Send;

    /// Waits until a server has executed what was written, for so long; whether it has.
    fn catch_up(
        connection: &mut Self::Connection,
        written: &Self::Position,
        limit: Duration,
    ) -> impl Future<Output = Result<bool, ServerLost>> + Send;
}

/// A logged-in connection to a server.
pub(crate) trait Connection: Debug + Send + 'static {
    fn conn(&mut self) -> &mut Conn;
    /// The worker whose runtime watches the socket.
    fn home(&mut self) -> &mut usize;
    fn born(&self) -> Instant;
    /// A number that is equal for connections that have heard the same.
    fn state(&self) -> u64;
    /// What the server says of its version.
    fn version(&self) -> &str;
}

/// Why something did not work.
pub(crate) trait Fault: Debug + Display + std::error::Error + Send + Sync + 'static {
    /// The server is to blame, not who wanted to log in.
    fn is_server_fault(&self) -> bool;
}

/// How far a server, or a session, has come in what is written.
pub(crate) trait Position: Clone + Debug + Default + Send + Sync + 'static {
    /// A server that is here has all of `written`.
    fn contains(&self, written: &Self) -> bool;
    fn merge(&mut self, other: Self);
    /// What of this is not in `known`.
    fn without(&self, known: &Self) -> Self;
    fn is_empty(&self) -> bool;
}

/// The upstreams of one protocol, at their positions in the configuration.
pub(crate) struct Upstreams<P: Protocol>(Arc<[Option<Arc<Upstream<P>>>]>);

impl<P: Protocol> Clone for Upstreams<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Protocol> Upstreams<P> {
    pub(crate) fn new(upstreams: impl Iterator<Item = Option<Arc<Upstream<P>>>>) -> Self {
        Self(upstreams.collect())
    }

    pub(crate) fn get(&self, position: usize) -> Option<&Arc<Upstream<P>>> {
        self.0.get(position)?.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Upstream<P>>> {
        self.0.iter().flatten()
    }
}
