//! One server with the pool of connections to it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use thiserror::Error;
use tidegate_config as config;
use tidegate_hook::current_worker;
use tidegate_telemetry::{ServerMetrics, WaitFailure};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use super::dial::{DialError, Route, ServerLost};
use super::health::{Change, Health};
use super::leased::Leased;
use super::policy::{Acquire, Limits, Policy, Release};
use super::standing::Standing;
use crate::locked;
use crate::protocol::{Connection as _, Protocol};
use crate::route::{Candidate, Place, Role};

/// Why nobody could be given a connection.
#[derive(Debug, Error)]
pub(crate) enum LeaseError<P: Protocol> {
    #[error("no server of {target} is alive")]
    NoServer { target: String },
    #[error("{upstream} has no primary: no server of it is known that can be written to")]
    NoPrimary { upstream: Arc<str> },
    #[error("all {max} connections to {server} are in use, and none came free within {waited:?}")]
    Exhausted { server: String, max: usize, waited: Duration },
    #[error("all connections to {server} are in use, and {queue} sessions wait already")]
    QueueFull { server: String, queue: usize },
    #[error("{server}: {source}")]
    Dial { server: String, source: DialError<P> },
    #[error("lost {server} before the statement was sent: {source}")]
    Lost { server: String, source: ServerLost },
}

impl<P: Protocol> LeaseError<P> {
    /// Another server, or the same one a little later, may do better.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NoServer { .. } | Self::NoPrimary { .. } => true,
            Self::Dial { source, .. } => source.is_server_fault(),
            Self::Exhausted { .. } | Self::QueueFull { .. } | Self::Lost { .. } => false,
        }
    }
}

/// No server has a longer version, in bytes.
const VERSION_MAX: usize = 60;

type Waiter<P> = oneshot::Sender<Grant<P>>;
type Places<P> = Policy<Arc<<P as Protocol>::Identity>, Idle<P>, Waiter<P>>;
type Idle<P> = (Box<<P as Protocol>::Connection>, Arc<<P as Protocol>::Identity>);

/// What someone who wants a connection gets at once.
enum Acquired<P: Protocol> {
    Leased(Leased<P>),
    /// There is room for a new one.
    Room(Room<P>),
    Turn(oneshot::Receiver<Grant<P>>),
}

/// What someone who waited is given.
enum Grant<P: Protocol> {
    Connection(Leased<P>),
    Room(Room<P>),
}

impl<P: Protocol> Grant<P> {
    /// A connection that lives, or the room for a new one.
    fn ready(self) -> Result<Leased<P>, Room<P>> {
        match self {
            Self::Room(room) => Err(room),
            Self::Connection(mut leased) => match leased.is_ready() {
                true => Ok(leased),
                // It died while idle; its place is good for a new one.
                false => Err(leased.into_room()),
            },
        }
    }
}

/// Who wants a connection.
pub(crate) struct Borrower<'a, P: Protocol> {
    pub(crate) identity: &'a Arc<P::Identity>,
    pub(crate) credential: &'a P::Credential,
    /// The fingerprint of its settings: a connection that has heard them is preferred.
    pub(crate) state: u64,
}

impl<P: Protocol> Clone for Borrower<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Protocol> Copy for Borrower<'_, P> {}

/// One server of an upstream.
pub(crate) struct Server<P: Protocol> {
    pub(crate) place: Place,
    pub(crate) address: Arc<str>,
    pub(super) route: Route<P>,
    limits: Limits,
    wait: Duration,
    /// Prepared statements that a connection keeps.
    pub(crate) statements: usize,
    /// Probes find out when it is back; otherwise sessions have to try.
    watched: bool,
    pub(super) standing: Standing<P::Position>,
    up: AtomicBool,
    /// What it says of its version, once a login has shown it.
    version: Mutex<Option<Arc<str>>>,
    pub(super) leased: AtomicUsize,
    health: Mutex<Health>,
    policy: Mutex<Places<P>>,
    metrics: Arc<ServerMetrics>,
}

impl<P: Protocol> Server<P> {
    pub(crate) fn new(
        place: Place,
        upstream: &config::Upstream,
        role: Role,
        route: Route<P>,
        metrics: Arc<ServerMetrics>,
    ) -> Arc<Self> {
        let pool = &upstream.pool;
        let limits = Limits { max: pool.max, queue: pool.queue, idle: pool.idle, age: pool.age };
        metrics.set_up(true);
        Arc::new(Self {
            place,
            address: route.address.as_str().into(),
            route,
            limits,
            wait: pool.wait,
            statements: pool.statements,
            watched: upstream.account.is_some(),
            standing: Standing::new(role, &metrics),
            up: AtomicBool::new(true),
            version: Mutex::default(),
            leased: AtomicUsize::new(0),
            health: Mutex::new(Health::new(upstream.probe.failures)),
            policy: Mutex::new(Policy::new(limits)),
            metrics,
        })
    }

    /// The server as routing sees it, for a session that needs to find `written` there.
    pub(crate) fn candidate(&self, now: Instant, written: Option<&P::Position>) -> Candidate {
        let up = self.up.load(Ordering::Relaxed);
        Candidate {
            role: self.role(),
            usable: up || !self.watched && locked(&self.health).may_try(now),
            up,
            fit: self.standing.is_fit(),
            caught_up: written.is_none_or(|written| self.standing.has_executed(written)),
            leased: self.leased.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn role(&self) -> Role {
        self.standing.role()
    }

    /// A probe has found out what it is, or that it does not answer.
    pub(crate) fn is_known(&self) -> bool {
        self.role() != Role::Unknown || !self.is_well()
    }

    /// Nothing is wrong with it, as far as is known.
    pub(crate) fn is_well(&self) -> bool {
        locked(&self.health).is_well()
    }

    /// What the server tells clients of its version, as soon as that is known.
    pub(crate) fn version(&self) -> Option<Arc<str>> {
        locked(&self.version).clone()
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub(crate) fn metrics(&self) -> &ServerMetrics {
        &self.metrics
    }

    /// Reports that the server could not be reached, or was lost.
    pub(crate) fn failed(&self, why: &dyn std::fmt::Display) {
        let change = locked(&self.health).failed(Instant::now());
        if let Change::Ejected(pause) = change {
            self.up.store(false, Ordering::Relaxed);
            self.metrics.set_up(false);
            self.metrics.ejected();
            let idle = locked(&self.policy).drain();
            warn!(server = %self.address, ?pause, closed = idle.len(), "server is ejected: {why}");
            self.count();
        }
    }

    /// Reports that the server answered.
    pub(crate) fn succeeded(&self) {
        if self.is_up() {
            locked(&self.health).succeeded();
        } else if locked(&self.health).succeeded() == Change::Recovered {
            self.up.store(true, Ordering::Relaxed);
            self.metrics.set_up(true);
            info!(server = %self.address, "server is back");
        }
    }

    /// Lends a connection of this identity, if possible one that is in this state: an idle one, a
    /// new one, or one that comes free in time.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        borrower: Borrower<'_, P>,
    ) -> Result<Leased<P>, LeaseError<P>> {
        let turn = match self.acquire(borrower)? {
            Acquired::Leased(leased) => return Ok(leased),
            Acquired::Turn(turn) => turn,
            Acquired::Room(room) => return self.connect(room, borrower).await,
        };
        match self.wait_for(turn).await?.ready() {
            Ok(leased) => Ok(leased),
            Err(room) => self.connect(room, borrower).await,
        }
    }

    /// Lends an idle connection, where there is one that needs nothing to be waited for.
    pub(crate) fn lease_idle(self: &Arc<Self>, borrower: Borrower<'_, P>) -> Option<Leased<P>> {
        let Borrower { identity, state, .. } = borrower;
        let taken = {
            let mut policy = locked(&self.policy);
            let taken = policy.take_idle(identity, state, current_worker(), Instant::now());
            self.show(&policy);
            taken
        };
        let (connection, identity) = taken?;
        Grant::Connection(self.room().fill(identity, connection)).ready().ok()
    }

    /// Who the service account is here, and how it logs in.
    pub(crate) fn service(&self, account: &config::Account) -> (P::Identity, P::Credential) {
        P::service(&self.route.options, account)
    }

    /// A connection outside the pool, as this identity.
    pub(crate) async fn dial(
        &self,
        identity: &P::Identity,
        credential: &P::Credential,
    ) -> Result<P::Connection, DialError<P>> {
        let connection = self.route.dial(identity, credential).await?;
        self.note_version(connection.version());
        Ok(connection)
    }

    /// A connection for the pool.
    async fn dial_prepared(
        &self,
        identity: &P::Identity,
        credential: &P::Credential,
    ) -> Result<P::Connection, DialError<P>> {
        let mut connection = self.dial(identity, credential).await?;
        let limit = self.route.timeout;
        let prepared = timeout(limit, P::prepare(&self.route, &mut connection)).await;
        prepared.map_err(|_| DialError::TimedOut(limit))??;
        Ok(connection)
    }

    pub(super) fn note_version(&self, version: &str) {
        let mut known = locked(&self.version);
        if version.len() <= VERSION_MAX && known.as_deref() != Some(version) {
            *known = Some(version.into());
        }
    }

    /// Closes connections that were idle for too long.
    pub(crate) fn reap(&self, now: Instant) {
        let reaped = locked(&self.policy).reap(now);
        if !reaped.is_empty() {
            drop(reaped);
            self.count();
        }
    }

    fn acquire(
        self: &Arc<Self>,
        Borrower { identity, state, .. }: Borrower<'_, P>,
    ) -> Result<Acquired<P>, LeaseError<P>> {
        let mut policy = locked(&self.policy);
        let acquired = policy.acquire(identity, state, current_worker(), Instant::now());
        self.show(&policy);
        Ok(match acquired {
            Acquire::Reuse((connection, identity)) => {
                drop(policy);
                match Grant::Connection(self.room().fill(identity, connection)).ready() {
                    Ok(leased) => Acquired::Leased(leased),
                    Err(room) => Acquired::Room(room),
                }
            }
            Acquire::Connect | Acquire::Replace(_) => Acquired::Room(self.room()),
            Acquire::Wait => {
                let (waiter, turn) = oneshot::channel();
                policy.wait(Arc::clone(identity), waiter);
                Acquired::Turn(turn)
            }
            Acquire::Refuse => {
                self.metrics.wait_failed(WaitFailure::QueueFull);
                let (server, queue) = (self.address.to_string(), self.limits.queue);
                return Err(LeaseError::QueueFull { server, queue });
            }
        })
    }

    async fn wait_for(&self, turn: oneshot::Receiver<Grant<P>>) -> Result<Grant<P>, LeaseError<P>> {
        let started = Instant::now();
        self.count();
        let grant = timeout(self.wait, turn).await;
        self.metrics.waited(started.elapsed());
        if let Ok(Ok(grant)) = grant {
            return Ok(grant);
        }
        self.metrics.wait_failed(WaitFailure::TimedOut);
        let (server, max) = (self.address.to_string(), self.limits.max);
        Err(LeaseError::Exhausted { server, max, waited: self.wait })
    }

    async fn connect(
        self: &Arc<Self>,
        room: Room<P>,
        Borrower { identity, credential, .. }: Borrower<'_, P>,
    ) -> Result<Leased<P>, LeaseError<P>> {
        let started = Instant::now();
        let dialled = self.dial_prepared(identity, credential).await;
        self.metrics.connected(dialled.is_ok(), started.elapsed());
        match dialled {
            Ok(connection) => {
                self.succeeded();
                self.count();
                Ok(room.fill(Arc::clone(identity), Box::new(connection)))
            }
            Err(source) => {
                if source.is_server_fault() {
                    self.failed(&source);
                }
                Err(LeaseError::Dial { server: self.address.to_string(), source })
            }
        }
    }

    fn room(self: &Arc<Self>) -> Room<P> {
        self.leased.fetch_add(1, Ordering::Relaxed);
        Room { server: Some(Arc::clone(self)) }
    }

    pub(super) fn take_back(
        self: &Arc<Self>,
        mut connection: Box<P::Connection>,
        identity: Arc<P::Identity>,
    ) {
        if !self.is_up() || connection.conn().is_stale() {
            return self.forfeit();
        }
        let (born, state) = (connection.born(), connection.state());
        let key = Arc::clone(&identity);
        let released = {
            let mut policy = locked(&self.policy);
            let now = Instant::now();
            let home = current_worker();
            let released = policy.release(key, state, home, (connection, identity), born, now);
            self.show(&policy);
            released
        };
        match released {
            Release::Keep | Release::Close(_) => {}
            Release::Hand(waiter, (connection, identity)) => {
                // If nobody listens any more, the grant comes back and its drop frees the place.
                drop(waiter.send(Grant::Connection(self.room().fill(identity, connection))));
            }
            Release::HandPlace(waiter, _) => drop(waiter.send(Grant::Room(self.room()))),
        }
    }

    fn forfeit(self: &Arc<Self>) {
        let waiter = {
            let mut policy = locked(&self.policy);
            let waiter = policy.forfeit();
            self.show(&policy);
            waiter
        };
        if let Some(waiter) = waiter {
            drop(waiter.send(Grant::Room(self.room())));
        }
    }

    fn count(&self) {
        self.show(&locked(&self.policy));
    }

    fn show(&self, policy: &Places<P>) {
        let counts = policy.counts();
        self.metrics.connections(counts.open - counts.idle, counts.idle, counts.waiting);
    }
}

/// A place in the pool; it is free again when this is dropped.
pub(super) struct Room<P: Protocol> {
    /// `None` once a connection has taken the place.
    server: Option<Arc<Server<P>>>,
}

impl<P: Protocol> Room<P> {
    pub(super) fn of(server: Option<Arc<Server<P>>>) -> Self {
        Self { server }
    }

    fn fill(mut self, identity: Arc<P::Identity>, connection: Box<P::Connection>) -> Leased<P> {
        Leased::new(self.server.take(), identity, connection)
    }
}

impl<P: Protocol> Drop for Room<P> {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.leased.fetch_sub(1, Ordering::Relaxed);
            server.forfeit();
        }
    }
}
