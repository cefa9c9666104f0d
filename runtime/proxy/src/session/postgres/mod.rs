//! A PostgreSQL client's session.
//!
//! [`login`] lets the client in. [`Session::run`] then does two things in turn: [`requests`] takes what
//! the client has sent, asks the plugins, chooses a server ([`place`]) and writes what it is to hear
//! ([`batch`]); [`pipe`] moves bytes in both directions, and [`replies`] follows what the server says.
//! What statements leave behind is read off them in [`trace`] and noted in [`settle`].

mod batch;
mod farewell;
mod leases;
mod login;
mod mirror;
mod pins;
mod pipe;
mod place;
mod prepared;
mod replies;
mod reply;
mod requests;
mod retry;
mod settle;
mod statement;
mod trace;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tidegate_hook::{SessionContext, Target};
use tidegate_postgres_wire::auth::Credential;
use tidegate_postgres_wire::message::{ErrorResponse, TransactionStatus};
use tidegate_wire::Violation;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tracing::{debug, info};

use self::leases::Leases;
use self::pins::Pins;
use self::pipe::{Broken, Moved, Pipe};
use self::prepared::Prepared;
use self::replies::Owed;
use crate::conn::Conn;
use crate::pool::postgres::{Identity, Postgres, Settings, Shown};
use crate::route::{Bonds, Place};
use crate::stop::{Interrupted, Stop};

type Counted = crate::listener::Counted<Postgres>;
type Listed = crate::sessions::Listed<Postgres>;
type Listener = crate::listener::Listener<Postgres>;

/// Why a session has ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The client said so, or closed between two requests.
    #[error("the client left")]
    Quit,
    #[error("the client's connection was lost: {0}")]
    ClientLost(io::Error),
    #[error("the client broke the protocol: {0}")]
    Violation(#[from] Violation),
    /// What bound the session to a server went with the server. The client was told.
    #[error("the session lost its server: {0}")]
    Server(String),
    #[error("tidegate is shutting down")]
    Stopped,
    #[error("idle for too long")]
    Idle,
    #[error("killed")]
    Killed,
}

impl From<Interrupted> for End {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Stopped => Self::Stopped,
            Interrupted::Idle => Self::Idle,
            Interrupted::Killed => Self::Killed,
        }
    }
}

/// A client that has logged in, and all that it holds.
pub(crate) struct Session {
    listener: Arc<Listener>,
    client: Conn,
    context: Box<SessionContext>,
    listed: Listed,
    identity: Arc<Identity>,
    credential: Credential,
    /// Where statements go that nobody routes elsewhere.
    default: Target,
    leases: Leases,
    bonds: Bonds,
    /// The connection that is talked to.
    active: Option<Place>,
    pipe: Pipe,
    /// What is known of the requests that are on their way.
    owed: Owed,
    /// Statements have run that nobody looked at: what state they left is unknown.
    opaque: bool,
    /// What a session begins with, what it has said since, and what that was before the transaction.
    initial: Settings,
    settings: Settings,
    before: Option<Settings>,
    /// What the client was told of its settings.
    told: Shown,
    prepared: Prepared,
    pins: Pins,
    /// Of the last `ReadyForQuery` that the client was sent.
    status: TransactionStatus,
    written: Option<place::Written>,
    /// Portals that were bound, and not executed yet, by statements of this transaction.
    portals: Vec<batch::Portal>,
    /// What this transaction has pinned, and what it has given up, unless it is undone.
    pinned: Vec<pins::Pin>,
    unpinned: Vec<pins::Pin>,
    /// The client has said all that it will, and is given so long to take the answers.
    client_left: Option<Instant>,
}

/// Serves one client from its first byte to its last; `counted` is dropped then.
///
/// The login has a task of its own, which is larger than that of a session and short-lived.
pub(crate) async fn serve(
    listener: Arc<Listener>,
    socket: TcpStream,
    stop: Arc<Stop>,
    counted: Counted,
) {
    if let Some(mut session) = login::login(&listener, socket, &stop).await {
        tokio::spawn(async move {
            let end = session.run(&stop).await;
            Box::pin(session.close(&end)).await;
            drop(counted);
        });
    }
}

impl Session {
    async fn run(&mut self, stop: &Stop) -> End {
        loop {
            if let Err(end) = self.next(stop).await {
                return end;
            }
        }
    }

    async fn next(&mut self, stop: &Stop) -> Result<(), End> {
        self.take_requests().await?;
        if self.follow().await? {
            return Ok(());
        }
        if let Some(limit) = self.client_left {
            if !self.is_busy() || self.is_unsynced() {
                return Err(End::Quit);
            }
            let waited = Box::pin(tokio::time::timeout_at(limit, self.wait(None))).await;
            return waited.unwrap_or(Err(End::Quit));
        }
        self.wait(Some(stop)).await
    }

    /// Waits until there is more to do. Without `stop`, the client is not listened to.
    async fn wait(&mut self, stop: Option<&Stop>) -> Result<(), End> {
        let busy = self.is_busy();
        let deadline = self.owed.deadline();
        let Self { pipe, client, leases, active, listed, client_left, .. } = self;
        let mut server = active.and_then(|place| leases.at(place));
        let reads_client = stop.is_some()
            && client_left.is_none()
            && pipe.to_server.len() <= requests::BACKLOG_MAX
            && server.as_mut().is_none_or(|held| !held.leased.connection().scanner.is_full());
        let moving = std::future::poll_fn(|cx| {
            let server = server.as_mut().map(|held| &mut held.leased.connection().conn);
            pipe.poll(cx, client, server, reads_client)
        });
        let moved = match (stop, busy) {
            (Some(stop), false) => {
                let limit = self.listener.config().idle_timeout;
                // An open transaction is let finish, as long as the worker waits.
                let may_stop = self.bonds.transaction.is_none();
                stop.idle(moving, limit, may_stop, || listed.is_killed()).await?
            }
            _ => match deadline {
                None => moving.await,
                Some(deadline) => match Box::pin(tokio::time::timeout_at(deadline, moving)).await {
                    Ok(moved) => moved,
                    Err(_) => return Box::pin(self.end_statement()).await,
                },
            },
        };
        match moved {
            Ok(Moved::Client | Moved::Server) => Ok(()),
            Err(broken) => Box::pin(self.broken(broken)).await,
        }
    }

    /// The server owes answers, or something is on its way.
    fn is_busy(&mut self) -> bool {
        let active = self.active;
        let owes = active
            .and_then(|place| self.leases.at(place))
            .is_some_and(|held| !held.leased.connection().scanner.is_idle());
        owes || !self.pipe.is_empty()
    }

    async fn broken(&mut self, broken: Broken) -> Result<(), End> {
        match broken {
            // It may have sent its last request, and still wait for the answer.
            Broken::ClientClosed if self.client.inbox.is_empty() && self.pipe.rest == 0 => {
                self.client_left.get_or_insert_with(|| Instant::now() + farewell::LIMIT);
                Ok(())
            }
            Broken::ClientClosed => Err(End::ClientLost(io::ErrorKind::UnexpectedEof.into())),
            Broken::Client(error) => Err(End::ClientLost(error)),
            Broken::Server(error) => self.lost(&error.to_string()).await,
            Broken::ServerClosed => self.lost("the server closed the connection").await,
        }
    }

    /// Says farewell where the client can still hear it, and gives everything back.
    async fn close(&mut self, end: &End) {
        if let Some(error) = farewell::of(end) {
            self.say_farewell(&error).await;
        }
        self.send_the_last().await;
        if self.is_in_vain() {
            self.end_in_vain();
        }
        drop(tokio::time::timeout(farewell::LIMIT, self.client.shut_down()).await);
        match end {
            End::Quit | End::Stopped | End::Idle | End::Killed => {
                debug!(session = self.context.id, "{end}");
            }
            _ => info!(
                session = self.context.id,
                listener = %self.context.listener_name,
                user = %self.context.user,
                "session ended: {end}"
            ),
        }
        if let Some(failure) = farewell::failure(end) {
            self.listener.metrics().session_failed(failure);
        }
        self.give_back_all();
        self.listener.closed(&mut self.context, self.client.traffic());
    }

    async fn say_farewell(&mut self, error: &ErrorResponse) {
        // In the middle of a message there is no place for another.
        if self.pipe.forward > 0 {
            return;
        }
        let mut out = std::mem::take(&mut self.pipe.to_client);
        error.encode(&mut out);
        let limit = Instant::now() + farewell::LIMIT;
        // Whether it arrives changes nothing any more.
        drop(tokio::time::timeout_at(limit, self.client.send(&out)).await);
    }

    /// What a client has sent before it left, servers get as if it had not.
    async fn send_the_last(&mut self) {
        let out = std::mem::take(&mut self.pipe.to_server);
        let held = self.active.and_then(|place| self.leases.at(place));
        if let Some(held) = held.filter(|_| !out.is_empty()) {
            let sent = held.leased.connection().conn.send(&out);
            drop(tokio::time::timeout(farewell::LIMIT, sent).await);
        }
    }

    /// Sends what waits for the client, and nothing else.
    async fn flush(&mut self) -> Result<(), End> {
        let out = std::mem::take(&mut self.pipe.to_client);
        self.client.send(&out).await.map_err(End::ClientLost)
    }
}

/// Bytes that tidegate answers with, in the order of the requests that they are for.
type Answers = VecDeque<BytesMut>;
