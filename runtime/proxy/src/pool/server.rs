//! One server with the pool of connections to it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use thiserror::Error;
use tidegate_config as config;
use tidegate_hook::current_worker;
use tidegate_mysql_wire::auth::Credential;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::gtid::GtidSet;
use tidegate_telemetry::{ServerMetrics, WaitFailure};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use super::dial::{DialError, Identity, Route, dial};
use super::health::{Change, Health};
use super::policy::{Acquire, Limits, Policy, Release};
use super::server_conn::ServerConn;
use super::standing::Standing;
use crate::charset;
use crate::locked;
use crate::route::{Candidate, Place, Role};

/// Why nobody could be given a connection.
#[derive(Debug, Error)]
pub(crate) enum LeaseError {
    #[error("no server of {target} is alive")]
    NoServer { target: String },
    #[error("{upstream} has no primary: none of its servers can be written to")]
    NoPrimary { upstream: Arc<str> },
    #[error("all {max} connections to {server} are in use, and none came free within {waited:?}")]
    Exhausted { server: String, max: usize, waited: Duration },
    #[error("all connections to {server} are in use, and {queue} sessions wait already")]
    QueueFull { server: String, queue: usize },
    #[error("{server}: {source}")]
    Dial { server: String, source: DialError },
}

impl LeaseError {
    /// Another server, or the same one a little later, may do better.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NoServer { .. } | Self::NoPrimary { .. } => true,
            Self::Dial { source, .. } => source.is_server_fault(),
            Self::Exhausted { .. } | Self::QueueFull { .. } => false,
        }
    }
}

type Waiter = oneshot::Sender<Grant>;
type Idle = (ServerConn, Arc<Identity>);

/// What someone who waited is given.
enum Grant {
    Connection(Leased),
    Room(Room),
}

/// One server of an upstream.
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) address: Arc<str>,
    route: Route,
    limits: Limits,
    wait: Duration,
    /// Probes find out when it is back; otherwise sessions have to try.
    watched: bool,
    pub(super) standing: Standing,
    up: AtomicBool,
    leased: AtomicUsize,
    health: Mutex<Health>,
    policy: Mutex<Policy<Arc<Identity>, Idle, Waiter>>,
    metrics: Arc<ServerMetrics>,
}

impl Server {
    pub(crate) fn new(
        place: Place,
        upstream: &config::Upstream,
        role: Role,
        route: Route,
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
            watched: upstream.account.is_some(),
            standing: Standing::new(role, &metrics),
            up: AtomicBool::new(true),
            leased: AtomicUsize::new(0),
            health: Mutex::new(Health::new(upstream.probe.failures)),
            policy: Mutex::new(Policy::new(limits)),
            metrics,
        })
    }

    /// The server as routing sees it, for a session that needs to find `written` there.
    pub(crate) fn candidate(&self, now: Instant, written: Option<&GtidSet>) -> Candidate {
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
        self.role() != Role::Unknown || !locked(&self.health).is_well()
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

    /// Lends a connection of this identity: an idle one, a new one, or one that comes free in time.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        identity: &Arc<Identity>,
        credential: &Credential,
    ) -> Result<Leased, LeaseError> {
        let room = match self.acquire(identity)? {
            Ok(grant) => grant,
            Err(turn) => self.wait_for(turn).await?,
        };
        let room = match room {
            Grant::Connection(mut leased) => {
                if leased.is_ready() {
                    self.count();
                    return Ok(leased);
                }
                // It died while idle; its place is good for a new one.
                leased.into_room()
            }
            Grant::Room(room) => room,
        };
        self.connect(room, identity, credential).await
    }

    /// A connection outside the pool, as this identity: for killing a statement.
    pub(crate) async fn dial(
        &self,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<ServerConn, DialError> {
        dial(&self.route, identity, credential).await
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
        identity: &Arc<Identity>,
    ) -> Result<Result<Grant, oneshot::Receiver<Grant>>, LeaseError> {
        let mut policy = locked(&self.policy);
        let acquired = policy.acquire(identity, current_worker(), Instant::now());
        Ok(match acquired {
            Acquire::Reuse((connection, identity)) => {
                Ok(Grant::Connection(self.room().fill(identity, connection)))
            }
            Acquire::Connect | Acquire::Replace(_) => Ok(Grant::Room(self.room())),
            Acquire::Wait => {
                let (waiter, turn) = oneshot::channel();
                policy.wait(Arc::clone(identity), waiter);
                Err(turn)
            }
            Acquire::Refuse => {
                self.metrics.wait_failed(WaitFailure::QueueFull);
                let (server, queue) = (self.address.to_string(), self.limits.queue);
                return Err(LeaseError::QueueFull { server, queue });
            }
        })
    }

    async fn wait_for(&self, turn: oneshot::Receiver<Grant>) -> Result<Grant, LeaseError> {
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
        room: Room,
        identity: &Arc<Identity>,
        credential: &Credential,
    ) -> Result<Leased, LeaseError> {
        let started = Instant::now();
        let dialled = dial(&self.route, identity, credential).await;
        self.metrics.connected(dialled.is_ok(), started.elapsed());
        match dialled {
            Ok(connection) => {
                self.succeeded();
                self.count();
                Ok(room.fill(Arc::clone(identity), connection))
            }
            Err(source) => {
                if source.is_server_fault() {
                    self.failed(&source);
                }
                Err(LeaseError::Dial { server: self.address.to_string(), source })
            }
        }
    }

    fn room(self: &Arc<Self>) -> Room {
        self.leased.fetch_add(1, Ordering::Relaxed);
        Room { server: Some(Arc::clone(self)) }
    }

    fn take_back(self: &Arc<Self>, mut connection: ServerConn, identity: Arc<Identity>) {
        if !self.is_up() || connection.conn.is_stale() {
            return self.forfeit();
        }
        let born = connection.born;
        let key = Arc::clone(&identity);
        let released = locked(&self.policy).release(
            key,
            current_worker(),
            (connection, identity),
            born,
            Instant::now(),
        );
        match released {
            Release::Keep | Release::Close(_) => {}
            Release::Hand(waiter, (connection, identity)) => {
                // If nobody listens any more, the grant comes back and its drop frees the place.
                drop(waiter.send(Grant::Connection(self.room().fill(identity, connection))));
            }
            Release::HandPlace(waiter, _) => drop(waiter.send(Grant::Room(self.room()))),
        }
        self.count();
    }

    fn forfeit(self: &Arc<Self>) {
        let waiter = locked(&self.policy).forfeit();
        if let Some(waiter) = waiter {
            drop(waiter.send(Grant::Room(self.room())));
        }
        self.count();
    }

    fn count(&self) {
        let counts = locked(&self.policy).counts();
        self.metrics.connections(counts.open - counts.idle, counts.idle, counts.waiting);
    }
}

/// A place in the pool; it is free again when this is dropped.
struct Room {
    /// `None` once a connection has taken the place.
    server: Option<Arc<Server>>,
}

impl Room {
    fn fill(mut self, identity: Arc<Identity>, connection: ServerConn) -> Leased {
        Leased { server: self.server.take(), identity, connection: Some(connection) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.leased.fetch_sub(1, Ordering::Relaxed);
            server.forfeit();
        }
    }
}

/// A connection on loan. Dropped, it is closed, and its place in the pool is free.
pub(crate) struct Leased {
    server: Option<Arc<Server>>,
    identity: Arc<Identity>,
    connection: Option<ServerConn>,
}

impl Leased {
    pub(crate) fn connection(&mut self) -> &mut ServerConn {
        self.connection.as_mut().expect("only `give_back` and `into_room` empty it, and consume it")
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        self.server.as_ref().expect("only `give_back` and `into_room` empty it, and consume it")
    }

    /// Returns the connection to the pool. One that was used is reset first, in the background.
    pub(crate) fn give_back(mut self, used: bool) {
        let (Some(server), Some(mut connection)) = (self.server.take(), self.connection.take())
        else {
            return;
        };
        let identity = Arc::clone(&self.identity);
        if !used {
            server.leased.fetch_sub(1, Ordering::Relaxed);
            return server.take_back(connection, identity);
        }
        tokio::spawn(async move {
            let room = Room { server: Some(server) };
            if reset(&mut connection, &identity, room.limit()).await
                && let Some(server) = room.keep()
            {
                server.take_back(connection, identity);
            }
        });
    }

    fn is_ready(&mut self) -> bool {
        let connection = self.connection();
        !connection.conn.is_stale() && connection.conn.settle_here().is_ok()
    }

    fn into_room(mut self) -> Room {
        self.connection = None;
        Room { server: self.server.take() }
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        self.connection = None;
        drop(Room { server: self.server.take() });
    }
}

impl Room {
    fn limit(&self) -> Duration {
        self.server.as_ref().map_or(Duration::ZERO, |server| server.route.timeout)
    }

    /// Takes the server out, and leaves its place taken.
    fn keep(mut self) -> Option<Arc<Server>> {
        let server = self.server.take();
        if let Some(server) = &server {
            server.leased.fetch_sub(1, Ordering::Relaxed);
        }
        server
    }
}

/// Makes a connection as good as new; `false` if that cannot be done.
///
/// `COM_RESET_CONNECTION` also forgets the character set of the login, so that is said again.
async fn reset(connection: &mut ServerConn, identity: &Identity, limit: Duration) -> bool {
    let Some(names) = charset::set_names(identity.collation) else {
        return false;
    };
    let mut commands: Vec<(Command, &[u8])> =
        vec![(Command::ResetConnection, b""), (Command::Query, names.as_bytes())];
    if let Some(database) = &identity.database {
        commands.push((Command::InitDb, database.as_bytes()));
    }
    matches!(timeout(limit, connection.exchange(&commands)).await, Ok(Ok(Ok(()))))
}
