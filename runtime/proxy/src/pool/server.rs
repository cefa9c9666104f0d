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
use tidegate_mysql_wire::packet::ErrPacket;
use tidegate_telemetry::{ServerMetrics, WaitFailure};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use super::dial::{DialError, Identity, Route, dial, version};
use super::health::{Change, Health};
use super::policy::{Acquire, Limits, Policy, Release};
use super::server_conn::{ServerConn, ServerLost};
use super::settings::{Missed, Settings};
use super::standing::Standing;
use super::tracking::Tracking;
use crate::charset;
use crate::locked;
use crate::route::{Candidate, Place, Role};

/// Why nobody could be given a connection.
#[derive(Debug, Error)]
pub(crate) enum LeaseError {
    #[error("no server of {target} is alive")]
    NoServer { target: String },
    #[error("{upstream} has no primary: no server of it is known that can be written to")]
    NoPrimary { upstream: Arc<str> },
    #[error("all {max} connections to {server} are in use, and none came free within {waited:?}")]
    Exhausted { server: String, max: usize, waited: Duration },
    #[error("all connections to {server} are in use, and {queue} sessions wait already")]
    QueueFull { server: String, queue: usize },
    #[error("{server}: {source}")]
    Dial { server: String, source: DialError },
    #[error("lost {server} before the statement was sent: {source}")]
    Lost { server: String, source: ServerLost },
}

impl LeaseError {
    /// Another server, or the same one a little later, may do better.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NoServer { .. } | Self::NoPrimary { .. } => true,
            Self::Dial { source, .. } => source.is_server_fault(),
            Self::Exhausted { .. } | Self::QueueFull { .. } | Self::Lost { .. } => false,
        }
    }
}

/// Answers the number of the row that was inserted last on a connection.
pub(crate) const LAST_INSERT_ID: &str = "SELECT LAST_INSERT_ID()";
/// Answers 1 on a connection that has no current database.
const NO_DATABASE: &str = "SELECT DATABASE() IS NULL";
/// As [`LAST_INSERT_ID`], and makes it 0.
const TAKE_LAST_INSERT_ID: &str = "SELECT LAST_INSERT_ID(), LAST_INSERT_ID(0)";

/// A client waits no longer for what a server says of its version.
const GREETING_TIMEOUT: Duration = Duration::from_secs(1);

/// No server has a longer version, in bytes.
const VERSION_MAX: usize = 60;

type Waiter = oneshot::Sender<Grant>;
type Idle = (Box<ServerConn>, Arc<Identity>);

/// What someone who wants a connection gets at once.
enum Acquired {
    Leased(Leased),
    /// There is room for a new one.
    Room(Room),
    Turn(oneshot::Receiver<Grant>),
}

/// What someone who waited is given.
enum Grant {
    Connection(Leased),
    Room(Room),
}

impl Grant {
    /// A connection that lives, or the room for a new one.
    fn ready(self) -> Result<Leased, Room> {
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
#[derive(Clone, Copy)]
pub(crate) struct Borrower<'a> {
    pub(crate) identity: &'a Arc<Identity>,
    pub(crate) credential: &'a Credential,
    /// The fingerprint of its settings: a connection that has heard them is preferred.
    pub(crate) state: u64,
}

/// One server of an upstream.
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) address: Arc<str>,
    route: Route,
    limits: Limits,
    tracking: Tracking,
    wait: Duration,
    /// Prepared statements that a connection keeps.
    pub(crate) statements: usize,
    /// Probes find out when it is back; otherwise sessions have to try.
    watched: bool,
    pub(super) standing: Standing,
    up: AtomicBool,
    /// What it says of its version, once a login has shown it.
    version: Mutex<Option<Arc<str>>>,
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
            tracking: Tracking::wanted(upstream),
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

    /// What the server tells clients of its version, as soon as that is known.
    pub(crate) fn version(&self) -> Option<Arc<str>> {
        locked(&self.version).clone()
    }

    /// Finds out what the server tells clients of its version, without logging in.
    pub(super) async fn ask_version(&self) -> Result<(), DialError> {
        let limit = self.route.timeout.min(GREETING_TIMEOUT);
        self.note_version(&version(&self.route, limit).await?);
        Ok(())
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
        borrower: Borrower<'_>,
    ) -> Result<Leased, LeaseError> {
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
    pub(crate) fn lease_idle(self: &Arc<Self>, borrower: Borrower<'_>) -> Option<Leased> {
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

    /// A connection outside the pool, as this identity.
    pub(crate) async fn dial(
        &self,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<ServerConn, DialError> {
        let connection = dial(&self.route, identity, credential).await?;
        self.note_version(&connection.session.server_version);
        Ok(connection)
    }

    /// A connection for the pool.
    async fn dial_tracking(
        &self,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<ServerConn, DialError> {
        let mut connection = self.dial(identity, credential).await?;
        if let Some(statement) = self.tracking.statement(&connection.session) {
            let limit = self.route.timeout;
            let told = timeout(limit, connection.track(statement)).await;
            told.map_err(|_| DialError::TimedOut(limit))??;
        }
        Ok(connection)
    }

    fn note_version(&self, version: &str) {
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
        Borrower { identity, state, .. }: Borrower<'_>,
    ) -> Result<Acquired, LeaseError> {
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
        Borrower { identity, credential, .. }: Borrower<'_>,
    ) -> Result<Leased, LeaseError> {
        let started = Instant::now();
        let dialled = self.dial_tracking(identity, credential).await;
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

    fn room(self: &Arc<Self>) -> Room {
        self.leased.fetch_add(1, Ordering::Relaxed);
        Room { server: Some(Arc::clone(self)) }
    }

    fn take_back(self: &Arc<Self>, mut connection: Box<ServerConn>, identity: Arc<Identity>) {
        if !self.is_up() || connection.conn.is_stale() {
            return self.forfeit();
        }
        let (born, state) = (connection.born, connection.heard.fingerprint());
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

    fn show(&self, policy: &Policy<Arc<Identity>, Idle, Waiter>) {
        let counts = policy.counts();
        self.metrics.connections(counts.open - counts.idle, counts.idle, counts.waiting);
    }
}

/// A place in the pool; it is free again when this is dropped.
struct Room {
    /// `None` once a connection has taken the place.
    server: Option<Arc<Server>>,
}

impl Room {
    fn fill(mut self, identity: Arc<Identity>, connection: Box<ServerConn>) -> Leased {
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
    connection: Option<Box<ServerConn>>,
}

impl Leased {
    pub(crate) fn connection(&mut self) -> &mut ServerConn {
        self.connection.as_mut().expect("only what consumes it empties it")
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        self.server.as_ref().expect("only what consumes it empties it")
    }

    /// Returns the connection to the pool: it is as its `heard` says.
    pub(crate) fn give_back(mut self) {
        if let (Some(server), Some(connection)) = (self.server.take(), self.connection.take()) {
            server.leased.fetch_sub(1, Ordering::Relaxed);
            server.take_back(connection, Arc::clone(&self.identity));
        }
    }

    /// As [`Self::give_back`], after a reset in the background: what was done on the connection the
    /// next user must not see.
    pub(crate) fn give_back_reset(self) {
        tokio::spawn(async move {
            let mut leased = self;
            if leased.reset().await {
                leased.give_back();
            }
        });
    }

    /// As [`Self::give_back`], after asking in the background for the number of the row that was
    /// inserted last: the session may want to know it, on whichever connection it then has.
    pub(crate) fn give_back_asking(self, then_reset: bool) -> oneshot::Receiver<u64> {
        let (answer, question) = oneshot::channel();
        tokio::spawn(async move {
            let mut leased = self;
            let limit = leased.server().route.timeout;
            let asked = leased.connection().query_number(TAKE_LAST_INSERT_ID);
            let Ok(Ok(id)) = timeout(limit, asked).await else { return };
            // A session that is gone does not want to know.
            let _ = answer.send(id);
            if !then_reset || leased.reset().await {
                leased.give_back();
            }
        });
        question
    }

    /// As [`Self::give_back_asking`] of a connection that nobody may have again, because somebody's
    /// `KILL QUERY` is on its way to it: the question may be hit, and then is asked again.
    pub(crate) fn close_asking(self) -> oneshot::Receiver<u64> {
        let (answer, question) = oneshot::channel();
        tokio::spawn(async move {
            let mut leased = self;
            let limit = leased.server().route.timeout;
            let connection = leased.connection();
            let asked = async {
                match connection.query_number(LAST_INSERT_ID).await {
                    Err(ServerLost::Violation(_)) => connection.query_number(LAST_INSERT_ID).await,
                    asked => asked,
                }
            };
            if let Ok(Ok(id)) = timeout(limit, asked).await {
                let _ = answer.send(id);
            }
        });
        question
    }

    /// Gives the connection these settings. One that has heard what is not among them is reset. The
    /// inner error is the server's, to one of them.
    pub(crate) async fn bring(
        &mut self,
        settings: &Settings,
    ) -> Result<Result<(), ErrPacket>, ServerLost> {
        let heard = &self.connection().heard;
        let commands: Vec<(Command, &[u8])> = match settings.missed_by(heard) {
            Missed::Nothing => return Ok(Ok(())),
            Missed::Entries(entries) => {
                entries.iter().map(|entry| (entry.command, &*entry.argument)).collect()
            }
            Missed::StartOver => {
                if !self.reset().await {
                    return Err(ServerLost::Unclean);
                }
                settings.entries().map(|entry| (entry.command, &*entry.argument)).collect()
            }
        };
        let connection = self.connection();
        connection.heard = settings.clone();
        connection.exchange(&commands).await
    }

    /// As [`Self::bring`], from settings that the same session had before: since what it sets is only
    /// ever set anew, nothing has to be reset.
    pub(crate) async fn bring_forward(
        &mut self,
        settings: &Settings,
    ) -> Result<Result<(), ErrPacket>, ServerLost> {
        let connection = self.connection();
        let entries: Vec<_> = match settings.missed_by(&connection.heard) {
            Missed::Nothing => return Ok(Ok(())),
            Missed::Entries(entries) => entries,
            Missed::StartOver => settings.entries().collect(),
        };
        let commands: Vec<(Command, &[u8])> =
            entries.iter().map(|entry| (entry.command, &*entry.argument)).collect();
        connection.heard = settings.clone();
        connection.exchange(&commands).await
    }

    /// Makes the connection as good as new; `false` if that cannot be done.
    pub(crate) async fn reset(&mut self) -> bool {
        let limit = self.server().route.timeout;
        let identity = Arc::clone(&self.identity);
        reset(self.connection(), &identity, limit).await
    }

    fn is_ready(&mut self) -> bool {
        let connection = self.connection();
        !connection.conn.is_stale() && connection.settle_here()
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
    if let Some(statement) = connection.tracking() {
        commands.push((Command::Query, statement.as_bytes()));
    }
    // The reset closes all statements, also those that were to be closed with the next command.
    connection.pending.clear();
    connection.statements.clear();
    connection.heard = Settings::default();
    let exchanged = async {
        let done = matches!(connection.exchange(&commands).await, Ok(Ok(())));
        // A reset leaves the database as it is, and there is no way back to none.
        let has_own = identity.database.is_some();
        done && (has_own || matches!(connection.query_number(NO_DATABASE).await, Ok(1)))
    };
    timeout(limit, exchanged).await.unwrap_or(false)
}
