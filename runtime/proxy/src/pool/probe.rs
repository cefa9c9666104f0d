//! Watching the servers of an upstream: are they alive, which is the primary, and how far behind
//! are the others.
//!
//! Needs the upstream's account. Without one, a server is judged by the sessions that use it, and
//! roles are those of the configuration: a connection that is opened and closed without a login
//! would count against us at the server (`max_connect_errors`).

use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use tidegate_config as config;
use tidegate_config::ReadAfterWrite;
use tidegate_mysql_wire::auth::Credential;
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::packet::ErrPacket;
use tokio::time::timeout;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::dial::{DialError, Identity};
use super::report::{LEAST, Report, questions};
use super::server::Server;
use super::server_conn::{ServerConn, ServerLost};
use super::upstream::Upstream;

/// The collation utf8mb4_general_ci.
const COLLATION: u8 = 45;

/// Who the service account of an upstream is, and how it logs in.
pub(crate) fn service(account: &config::Account) -> (Identity, Credential) {
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

/// Probes one server for as long as the process lives, and closes what was idle for too long.
pub(crate) async fn probe_forever(upstream: Arc<Upstream>, server: Arc<Server>) {
    let account = upstream.account.as_ref();
    let mut probe = account.map(|account| Probe::new(&upstream, &server, account));
    let mut failures = 0_u32;
    loop {
        server.reap(Instant::now());
        if let Some(probe) = &mut probe {
            failures = if probe.once().await { 0 } else { failures.saturating_add(1) };
        }
        upstream.watch.pause(failures).await;
    }
}

/// Why a probe counts against the server.
#[derive(Debug, Error)]
enum Missed {
    #[error("{0}")]
    Dial(DialError),
    #[error("{0}")]
    Lost(#[from] ServerLost),
    #[error("no answer to a probe in time")]
    TimedOut,
}

/// Asks one server, over a connection that is kept.
struct Probe<'u> {
    upstream: &'u Upstream,
    server: &'u Server,
    service: (Identity, Credential),
    connection: Option<ServerConn>,
    /// The questions about the server itself are not understood by it.
    asks_least: bool,
    /// What the log has been told already.
    login_refused: bool,
    replication_hidden: bool,
}

impl<'u> Probe<'u> {
    fn new(upstream: &'u Upstream, server: &'u Server, account: &config::Account) -> Self {
        Self {
            upstream,
            server,
            service: service(account),
            connection: None,
            asks_least: false,
            login_refused: false,
            replication_hidden: false,
        }
    }

    /// Whether the server has answered.
    async fn once(&mut self) -> bool {
        let (watch, servers) = (&self.upstream.watch, &self.upstream.servers);
        let at = self.server.place.server;
        match self.ask().await {
            Ok(Some(report)) => {
                watch.heard(servers, at, &report);
                return true;
            }
            // It lives, whatever it has against our account.
            Ok(None) => self.server.succeeded(),
            Err(why) => self.server.failed(&why),
        }
        watch.missed(servers, at);
        false
    }

    /// `None` if the account cannot log in.
    async fn ask(&mut self) -> Result<Option<Report>, Missed> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match self.dial().await? {
                Some(connection) => connection,
                None => return Ok(None),
            },
        };
        let answers = timeout(self.upstream.probe.timeout, self.questions(&mut connection));
        let report = answers.await.unwrap_or(Err(Missed::TimedOut))?;
        self.connection = Some(connection);
        Ok(Some(report))
    }

    async fn dial(&mut self) -> Result<Option<ServerConn>, Missed> {
        let (identity, credential) = &self.service;
        match self.server.dial(identity, credential).await {
            Ok(connection) => {
                (self.login_refused, self.asks_least) = (false, false);
                Ok(Some(connection))
            }
            Err(error) if error.is_server_fault() => Err(Missed::Dial(error)),
            Err(error) => {
                if !std::mem::replace(&mut self.login_refused, true) {
                    let server = &*self.server.address;
                    warn!(server, "the upstream's account cannot ask about the role: {error}");
                }
                Ok(None)
            }
        }
    }

    async fn questions(&mut self, connection: &mut ServerConn) -> Result<Report, Missed> {
        let gtids = matches!(self.upstream.read_after_write, ReadAfterWrite::Gtid { .. });
        let [itself, replication] = questions(connection.session.plain_version(), gtids);
        let itself = if self.asks_least { LEAST } else { itself };
        let [mut itself, replication] = connection.query_all([itself, replication]).await?;
        if itself.is_err() && !self.asks_least {
            self.asks_least = true;
            [itself] = connection.query_all([LEAST]).await?;
        }
        self.tell_of_hidden(replication.as_ref().err());
        Ok(Report::read(&itself.unwrap_or_default(), replication.as_ref().ok()))
    }

    /// Tells the log once that the account may not see the replication.
    fn tell_of_hidden(&mut self, refusal: Option<&ErrPacket>) {
        let server = &*self.server.address;
        match (refusal, self.replication_hidden) {
            (Some(error), false) => warn!(server, "lag is not known and not looked at: {error}"),
            (None, true) => info!(server, "the upstream's account sees the replication again"),
            _ => {}
        }
        self.replication_hidden = refusal.is_some();
    }
}
