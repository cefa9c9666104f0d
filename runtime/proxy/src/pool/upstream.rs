//! A group of servers that hold the same data.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tidegate_config as config;
use tidegate_config::{Balance, PoolMode};
use tidegate_hook::Member;
use tidegate_mysql_wire::auth::Credential;
use tidegate_telemetry::Telemetry;

use super::dial::{Identity, Route};
use super::server::{LeaseError, Leased, Server};
use crate::route::{Candidate, Place, Role, choose, serves};
use crate::tls::{Dialler, TlsError};

/// The servers of one upstream, and how they are chosen.
pub(crate) struct Upstream {
    pub(crate) name: Arc<str>,
    pub(crate) servers: Vec<Arc<Server>>,
    pub(crate) account: Option<config::Account>,
    pub(crate) probe: config::Probe,
    balance: Balance,
    mode: PoolMode,
    turn: AtomicUsize,
}

impl Upstream {
    pub(crate) fn new(
        position: usize,
        upstream: &config::Upstream,
        telemetry: &Telemetry,
    ) -> Result<Self, TlsError> {
        let mut servers = Vec::new();
        for (server, configured) in upstream.servers.iter().enumerate() {
            let route = Route {
                address: configured.address.clone(),
                tls_mode: upstream.tls.mode,
                dialler: Dialler::new(&upstream.tls, host(&configured.address))?,
                timeout: upstream.pool.connect,
            };
            let place = Place { upstream: position, server };
            let metrics = telemetry.server(&upstream.name, &configured.address);
            servers.push(Server::new(place, upstream, configured, route, metrics));
        }
        Ok(Self {
            name: upstream.name.as_str().into(),
            servers,
            account: upstream.account.clone(),
            probe: upstream.probe.clone(),
            balance: upstream.balance,
            mode: upstream.pool.mode,
            turn: AtomicUsize::new(0),
        })
    }

    /// Whether a statement for `member` may use the connection that a session holds to a server.
    ///
    /// That nobody can connect to a server says nothing about connections that exist; but a read
    /// need not find out where there are other replicas.
    pub(crate) fn serves(&self, member: Member, server: usize) -> bool {
        let Some(held) = self.servers.get(server) else {
            return false;
        };
        match member {
            Member::Replica if held.role() != Role::Replica => {
                self.choose(member, &[]) == Some(server)
            }
            Member::Replica => held.is_up() || self.choose(member, &[]) == Some(server),
            _ => serves(member, server, held.role()),
        }
    }

    /// Lends a connection to a server that serves `member`; where one cannot be reached, to the
    /// next.
    pub(crate) async fn lease(
        &self,
        member: Member,
        identity: &Arc<Identity>,
        credential: &Credential,
        state: u64,
    ) -> Result<Leased, LeaseError> {
        let mut tried = Vec::new();
        let mut failure = None;
        while let Some(server) = self.choose(member, &tried) {
            match self.servers[server].lease(identity, credential, state).await {
                Err(LeaseError::Dial { server: address, source }) if source.is_server_fault() => {
                    failure = Some(LeaseError::Dial { server: address, source });
                    tried.push(server);
                }
                outcome => return outcome,
            }
        }
        Err(failure.unwrap_or_else(|| LeaseError::NoServer { target: self.describe(member) }))
    }

    /// Lends an idle connection to the server that [`Self::lease`] would choose first, if it has one.
    pub(crate) fn lease_idle(
        &self,
        member: Member,
        identity: &Arc<Identity>,
        state: u64,
    ) -> Option<Leased> {
        self.servers[self.choose(member, &[])?].lease_idle(identity, state)
    }

    /// Sessions give their connections back after each transaction.
    pub(crate) fn is_transactional(&self) -> bool {
        self.mode == PoolMode::Transaction
    }

    fn choose(&self, member: Member, tried: &[usize]) -> Option<usize> {
        let now = Instant::now();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let candidates: Vec<Candidate> =
            self.servers.iter().map(|server| server.candidate(now)).collect();
        choose(&candidates, member, self.balance, turn, tried)
    }

    fn describe(&self, member: Member) -> String {
        match member {
            Member::Any => self.name.to_string(),
            Member::Primary => format!("{}/primary", self.name),
            Member::Replica => format!("{}/replica", self.name),
            Member::Server(at) => {
                let address = self.servers.get(at).map_or("?", |server| &server.address);
                format!("{}@{address}", self.name)
            }
        }
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn the_host_of_an_address() {
        assert_eq!(host("db.example:3306"), "db.example");
        assert_eq!(host("[::1]:3306"), "::1");
    }
}
