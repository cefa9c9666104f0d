//! A connection on loan.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate_hook::current_worker;
use tokio::time::timeout;

use super::dial::ServerLost;
use super::server::{Room, Server};
use crate::protocol::{Connection as _, Protocol};

/// A connection on loan. Dropped, it is closed, and its place in the pool is free.
pub(crate) struct Leased<P: Protocol> {
    server: Option<Arc<Server<P>>>,
    identity: Arc<P::Identity>,
    connection: Option<Box<P::Connection>>,
}

impl<P: Protocol> Leased<P> {
    pub(super) fn new(
        server: Option<Arc<Server<P>>>,
        identity: Arc<P::Identity>,
        connection: Box<P::Connection>,
    ) -> Self {
        Self { server, identity, connection: Some(connection) }
    }

    pub(crate) fn connection(&mut self) -> &mut P::Connection {
        self.connection.as_mut().expect("only what consumes it empties it")
    }

    pub(crate) fn server(&self) -> &Arc<Server<P>> {
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

    /// Whether the server has executed what was written, or does so in time.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub(crate) async fn catch_up(
        &mut self,
        written: &P::Position,
        limit: Duration,
    ) -> Result<bool, ServerLost> {
        if self.server().standing.has_executed(written) {
            return Ok(true);
        }
        if limit.is_zero() {
            return Ok(false);
        }
        let has_reached = P::catch_up(self.connection(), written, limit).await?;
        if has_reached {
            self.server().standing.has_reached(written);
        }
        Ok(has_reached)
    }

    /// Makes the connection as good as new; `false` if that cannot be done.
    pub(crate) async fn reset(&mut self) -> bool {
        let limit = self.server().route.timeout;
        let identity = Arc::clone(&self.identity);
        timeout(limit, P::reset(self.connection(), &identity)).await.unwrap_or(false)
    }

    /// The connection lives, and is watched by the runtime of this worker.
    pub(super) fn is_ready(&mut self) -> bool {
        let connection = self.connection();
        let here = current_worker();
        let settled = *connection.home() == here || connection.conn().settle_here().is_ok();
        *connection.home() = here;
        settled && !connection.conn().is_stale()
    }

    pub(super) fn into_room(mut self) -> Room<P> {
        self.connection = None;
        Room::of(self.server.take())
    }
}

impl<P: Protocol> Drop for Leased<P> {
    fn drop(&mut self) {
        self.connection = None;
        drop(Room::of(self.server.take()));
    }
}
