//! A group of servers that hold the same data.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidegate_config as config;
use tidegate_config::{Balance, PoolMode, ReadAfterWrite};
use tidegate_hook::Member;
use tidegate_telemetry::Telemetry;
use tokio::sync::OnceCell;
use tokio::time::timeout_at;

use super::dial::Route;
use super::leased::Leased;
use super::server::{Borrower, LeaseError, Server};
use super::watch::Watch;
use crate::protocol::{Position as _, Protocol};
use crate::route::{Place, Role, choose, serves};
use crate::tls::{Dialler, TlsError};

/// The servers of one upstream, and how they are chosen.
pub(crate) struct Upstream<P: Protocol> {
    pub(crate) name: Arc<str>,
    pub(crate) servers: Vec<Arc<Server<P>>>,
    pub(crate) account: Option<config::Account>,
    pub(crate) probe: config::Probe,
    pub(crate) read_after_write: ReadAfterWrite,
    pub(super) watch: Watch,
    balance: Balance,
    mode: PoolMode,
    turn: AtomicUsize,
    /// How long a session may wait for a server that can serve it.
    wait: Duration,
    /// A server was asked for its version, or none could be.
    pub(super) version_asked: OnceCell<()>,
    /// By configuration, there is no primary.
    replicas_only: bool,
}

impl<P: Protocol> Upstream<P> {
    pub(crate) fn new(
        position: usize,
        upstream: &config::Upstream,
        options: &P::Options,
        telemetry: &Telemetry,
    ) -> Result<Self, TlsError> {
        let given = || upstream.servers.iter().map(|server| given(server.role));
        let mut servers = Vec::new();
        for ((server, configured), role) in upstream.servers.iter().enumerate().zip(given()) {
            let route = Route {
                address: configured.address.clone(),
                tls_mode: upstream.tls.mode,
                dialler: Dialler::new::<P>(&upstream.tls, host(&configured.address))?,
                timeout: upstream.pool.connect,
                options: options.clone(),
            };
            let place = Place { upstream: position, server };
            let metrics = telemetry.server(&upstream.name, &configured.address);
            let role = role.unwrap_or(Role::Unknown);
            servers.push(Server::new(place, upstream, role, route, metrics));
        }
        Ok(Self {
            name: upstream.name.as_str().into(),
            servers,
            account: upstream.account.clone(),
            probe: upstream.probe.clone(),
            read_after_write: upstream.read_after_write,
            watch: Watch::new(upstream, given()),
            balance: upstream.balance,
            mode: upstream.pool.mode,
            turn: AtomicUsize::new(0),
            wait: upstream.pool.wait,
            version_asked: OnceCell::new(),
            replicas_only: given().all(|role| role == Some(Role::Replica)),
        })
    }

    /// Whether a statement for `member` may use the connection that a session holds to a server.
    ///
    /// That nobody can connect to a server says nothing about connections that exist; but a read
    /// need not find out where there are better replicas.
    pub(crate) fn serves(&self, member: Member, server: usize) -> bool {
        let Some(held) = self.servers.get(server) else {
            return false;
        };
        let member = self.meant(member);
        if member != Member::Replica {
            return serves(member, server, held.role());
        }
        let is_good = held.role() == Role::Replica && held.is_up() && held.standing.is_fit();
        is_good || self.choose(member, None, &[]) == Some(server)
    }

    /// Lends a connection to a server that serves `member`; where one cannot be reached, to the
    /// next. If there is none, one that comes up in time will do, or becomes the primary.
    pub(crate) async fn lease(
        &self,
        member: Member,
        borrower: Borrower<'_, P>,
    ) -> Result<Leased<P>, LeaseError<P>> {
        let wanted = Wanted { member: self.meant(member), written: None };
        match self.lease_now(wanted, borrower).await {
            Err(error) if error.may_pass() => self.lease_later(wanted, borrower, error).await,
            outcome => outcome,
        }
    }

    /// As [`Self::lease`], for a login: any server can tell whether it takes this user. So clients
    /// that only read are let in while there is no primary.
    pub(crate) async fn lease_for_login(
        &self,
        member: Member,
        borrower: Borrower<'_, P>,
    ) -> Result<Leased<P>, LeaseError<P>> {
        let wanted = Wanted { member: self.meant(member), written: None };
        let error = match self.lease_now(wanted, borrower).await {
            Err(error) if error.may_pass() => error,
            outcome => return outcome,
        };
        let is_replica = |server: &Arc<Server<P>>| server.role() == Role::Replica && server.is_up();
        if self.servers.iter().any(is_replica) {
            let replica = Wanted { member: Member::Replica, written: None };
            match self.lease_now(replica, borrower).await {
                Err(error) if error.may_pass() => {}
                outcome => return outcome,
            }
        }
        self.lease_later(wanted, borrower, error).await
    }

    /// Lends a connection to a replica that has executed `written`, or to the primary.
    pub(crate) async fn lease_after(
        &self,
        written: &P::Position,
        borrower: Borrower<'_, P>,
    ) -> Result<Leased<P>, LeaseError<P>> {
        let wanted = Wanted { member: Member::Replica, written: Some(written) };
        if let ReadAfterWrite::Position { wait } = self.read_after_write
            && let Ok(mut leased) = self.lease_now(wanted, borrower).await
        {
            match leased.catch_up(written, wait).await {
                Ok(true) => return Ok(leased),
                Ok(false) => leased.give_back(),
                Err(lost) => leased.server().failed(&lost),
            }
        }
        self.lease(Member::Primary, borrower).await
    }

    /// What some replica is not known to have executed yet; the rest can be forgotten.
    pub(crate) fn still_missing(&self, written: &P::Position) -> P::Position {
        let mut missing = P::Position::default();
        for replica in self.servers.iter().filter(|server| server.role() != Role::Primary) {
            missing.merge(replica.standing.missing(written));
        }
        missing
    }

    async fn lease_now(
        &self,
        Wanted { member, written }: Wanted<'_, P>,
        borrower: Borrower<'_, P>,
    ) -> Result<Leased<P>, LeaseError<P>> {
        let mut tried = Vec::new();
        let mut failure = None;
        while let Some(server) = self.choose(member, written, &tried) {
            match self.servers[server].lease(borrower).await {
                Err(LeaseError::Dial { server: address, source }) if source.is_server_fault() => {
                    failure = Some(LeaseError::Dial { server: address, source });
                    tried.push(server);
                }
                outcome => return outcome,
            }
        }
        Err(failure.unwrap_or_else(|| self.nobody(member)))
    }

    /// Lends an idle connection to the server that [`Self::lease`] would choose first, if it has one.
    pub(crate) fn lease_idle(
        &self,
        member: Member,
        borrower: Borrower<'_, P>,
    ) -> Option<Leased<P>> {
        let server = self.choose(self.meant(member), None, &[])?;
        self.servers[server].lease_idle(borrower)
    }

    /// Sessions give their connections back after each transaction.
    pub(crate) fn is_transactional(&self) -> bool {
        self.mode == PoolMode::Transaction
    }

    /// Tries again whenever probes have news, until the time is over. Without probes there are none.
    async fn lease_later(
        &self,
        wanted: Wanted<'_, P>,
        borrower: Borrower<'_, P>,
        mut error: LeaseError<P>,
    ) -> Result<Leased<P>, LeaseError<P>> {
        let deadline = Instant::now() + self.wait;
        let waiting = self.account.is_some().then(|| self.watch.wait()).flatten();
        if waiting.is_none() {
            return Err(error);
        }
        loop {
            let news = self.watch.news();
            tokio::pin!(news);
            news.as_mut().enable();
            match self.lease_now(wanted, borrower).await {
                Err(again) if again.may_pass() => error = again,
                outcome => return outcome,
            }
            if timeout_at(deadline.into(), news).await.is_err() {
                return Err(error);
            }
        }
    }

    fn choose(
        &self,
        member: Member,
        written: Option<&P::Position>,
        tried: &[usize],
    ) -> Option<usize> {
        let now = Instant::now();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let candidates = self.servers.iter().map(|server| server.candidate(now, written));
        choose(candidates, member, self.balance, turn, tried)
    }

    /// The upstream's bare name means its primary, where there can be one.
    fn meant(&self, member: Member) -> Member {
        match member {
            Member::Any if self.replicas_only => Member::Replica,
            member => member,
        }
    }

    fn nobody(&self, member: Member) -> LeaseError<P> {
        let has_primary = self.servers.iter().any(|server| server.role() == Role::Primary);
        let is_alive = self.servers.iter().any(|server| server.is_up());
        match member {
            Member::Any | Member::Primary if is_alive && !has_primary => {
                LeaseError::NoPrimary { upstream: Arc::clone(&self.name) }
            }
            _ => LeaseError::NoServer { target: self.describe(member) },
        }
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

/// What a server is looked for.
struct Wanted<'w, P: Protocol> {
    member: Member,
    /// What a replica should have executed.
    written: Option<&'w P::Position>,
}

impl<P: Protocol> Clone for Wanted<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Protocol> Copy for Wanted<'_, P> {}

/// The role that the configuration gives a server.
fn given(role: config::Role) -> Option<Role> {
    match role {
        config::Role::Discover => None,
        config::Role::Primary => Some(Role::Primary),
        config::Role::Replica => Some(Role::Replica),
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
