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
use tokio::time::timeout;
use tracing::{info, warn};

use super::dial::{DialError, ServerLost};
use super::report::Report;
use super::server::Server;
use super::upstream::Upstream;
use crate::protocol::Protocol;

/// Probes one server for as long as the process lives, and closes what was idle for too long.
pub(crate) async fn probe_forever<P: Protocol>(upstream: Arc<Upstream<P>>, server: Arc<Server<P>>) {
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
enum Missed<P: Protocol> {
    #[error("{0}")]
    Dial(DialError<P>),
    #[error("{0}")]
    Lost(#[from] ServerLost),
    #[error("no answer to a probe in time")]
    TimedOut,
}

/// Asks one server, over a connection that is kept.
struct Probe<'u, P: Protocol> {
    upstream: &'u Upstream<P>,
    server: &'u Server<P>,
    service: (P::Identity, P::Credential),
    connection: Option<P::Connection>,
    /// What the log has been told already.
    login_refused: bool,
    replication_hidden: bool,
}

impl<'u, P: Protocol> Probe<'u, P> {
    fn new(upstream: &'u Upstream<P>, server: &'u Server<P>, account: &config::Account) -> Self {
        Self {
            upstream,
            server,
            service: server.service(account),
            connection: None,
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
    async fn ask(&mut self) -> Result<Option<Report<P::Position>>, Missed<P>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match self.dial().await? {
                Some(connection) => connection,
                None => return Ok(None),
            },
        };
        let asked = P::report(self.upstream, &mut connection);
        let answers = timeout(self.upstream.probe.timeout, asked).await;
        let (report, hidden) = answers.map_err(|_| Missed::TimedOut)??;
        self.tell_of_hidden(hidden);
        self.connection = Some(connection);
        Ok(Some(report))
    }

    async fn dial(&mut self) -> Result<Option<P::Connection>, Missed<P>> {
        let (identity, credential) = &self.service;
        match self.server.dial(identity, credential).await {
            Ok(connection) => {
                self.login_refused = false;
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

    /// Tells the log once that the account may not see the replication.
    fn tell_of_hidden(&mut self, refusal: Option<String>) {
        let server = &*self.server.address;
        match (&refusal, self.replication_hidden) {
            (Some(error), false) => warn!(server, "lag is not known and not looked at: {error}"),
            (None, true) => info!(server, "the upstream's account sees the replication again"),
            _ => {}
        }
        self.replication_hidden = refusal.is_some();
    }
}
