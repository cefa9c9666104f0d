//! Which connection a session's requests go to.

use tidegate_config::ReadAfterWrite;
use tidegate_hook::{Member, Target};
use tidegate_postgres_wire::message::ErrorResponse;
use tidegate_postgres_wire::upstream::LoginError;
use tracing::{debug, warn};

use super::Session;
use super::leases::Held;
use super::statement::is_change;
use crate::pool::ServerLost;
use crate::pool::postgres::{Borrower, DialError, LeaseError, Leased, Lsn};
use crate::protocol::Position as _;
use crate::route::{Place, Route, route};

/// How many connections may turn out to be lost before a request could be sent on one.
const TRIES: usize = 3;

/// Answers how far the primary has come: further than what the session has written, and never less.
const POSITION: &str = "SELECT pg_current_wal_insert_lsn()";

/// What the session has written to one upstream, as far as some replica may not have it yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    upstream: usize,
    /// `None`: the primary was not asked yet.
    position: Option<Lsn>,
}

impl Session {
    pub(super) fn borrower(&self) -> Borrower<'_> {
        Borrower {
            identity: &self.identity,
            credential: &self.credential,
            state: self.settings.fingerprint(),
        }
    }

    /// Where requests must go, whatever anybody wishes.
    pub(super) fn bound(&mut self) -> Option<Place> {
        let bond = self.bonds.pin.or(self.bonds.transaction).or_else(|| self.unsynced());
        bond.filter(|place| self.leases.at(*place).is_some())
    }

    /// Where something was sent that a `Sync`, or the data of a COPY, has to follow.
    fn unsynced(&mut self) -> Option<Place> {
        let place = self.active?;
        let scanner = &self.leases.at(place)?.leased.connection().scanner;
        (scanner.is_unsynced() || scanner.waits_for_data()).then_some(place)
    }

    pub(super) fn is_unsynced(&mut self) -> bool {
        self.unsynced().is_some()
    }

    /// The connection that requests go to, which has heard what the session has said. One that is lost
    /// before that is replaced: nothing was sent yet that could be carried out twice.
    pub(super) async fn place(&mut self, wished: Option<Target>) -> Result<Place, LeaseError> {
        if let Some(place) = self.bound() {
            return Ok(place);
        }
        let target = match route(self.bonds, wished, self.default) {
            // What bound the session was lost with its server and said so; it starts anew.
            Route::Held(_) => self.default,
            Route::To(target) => target,
        };
        let mut tries = TRIES;
        loop {
            let place = match self.must_follow(target) {
                true => Box::pin(self.place_after_write(target)).await?,
                false => self.place_at(target).await?,
            };
            if !self.is_behind(place) {
                return Ok(place);
            }
            let lost = match Box::pin(self.catch_up(place)).await {
                Ok(Ok(())) => return Ok(place),
                Ok(Err(refused)) => {
                    warn!(session = self.context.id, "a setting was refused: {refused}");
                    let server = self.drop_at(place);
                    let source = DialError::Login(LoginError::Refused(refused));
                    return Err(LeaseError::Dial { server, source });
                }
                Err(lost) => lost,
            };
            let server = self.drop_at(place);
            tries -= 1;
            if tries == 0 {
                return Err(LeaseError::Lost { server, source: lost });
            }
            debug!(session = self.context.id, server, "lost before a request: {lost}");
        }
    }

    /// A connection that serves a target: one that the session holds, or another one.
    async fn place_at(&mut self, target: Target) -> Result<Place, LeaseError> {
        if let Some(place) = self.leases.for_target(target, self.listener.upstreams()) {
            let busy = self.active == Some(place);
            let stale = !busy
                && self.leases.at(place).is_some_and(|h| h.leased.connection().conn.is_stale());
            if !stale {
                return Ok(place);
            }
            debug!(session = self.context.id, "an idle connection was closed by its server");
            self.drop_at(place);
        }
        let upstream = self.listener.upstreams().get(target.upstream);
        let upstream = upstream.ok_or_else(|| LeaseError::NoServer { target: String::new() })?;
        let borrower = self.borrower();
        let leased = match upstream.lease_idle(target.member, borrower) {
            Some(leased) => leased,
            // What is rare is boxed: an idle session is as large as its largest wait.
            None => Box::pin(upstream.lease(target.member, borrower)).await?,
        };
        Ok(self.hold(leased))
    }

    /// Takes a connection for the session.
    pub(super) fn hold(&mut self, leased: Leased) -> Place {
        let held = Held::new(leased);
        let place = held.place;
        self.leases.add(held);
        place
    }

    /// Gives up a connection. Answers the address of its server.
    pub(super) fn drop_at(&mut self, place: Place) -> String {
        if self.active == Some(place) {
            self.active = None;
        }
        let held = self.leases.take(place);
        held.map_or_else(|| "a server".to_owned(), |held| held.leased.server().address.to_string())
    }

    /// The session has said something elsewhere that this connection has not heard, or it has heard
    /// what this session has not said.
    fn is_behind(&mut self, place: Place) -> bool {
        let Some(held) = self.leases.at(place) else { return false };
        let connection = held.leased.connection();
        !connection.heard.is_same(&self.settings) || !connection.shown.is_same(&self.told)
    }

    /// Brings a connection to where the session is, and the client to what the connection says. The
    /// inner error is the server's, to one of the session's settings.
    async fn catch_up(&mut self, place: Place) -> Result<Result<(), ErrorResponse>, ServerLost> {
        let Some(held) = self.leases.at(place) else { return Ok(Ok(())) };
        if let Err(refused) = held.leased.bring(&self.settings).await? {
            return Ok(Err(refused));
        }
        let connection = held.leased.connection();
        for status in self.told.changed_to(&connection.shown) {
            status.encode(&mut self.pipe.to_client);
        }
        self.told = connection.shown.clone();
        Ok(Ok(()))
    }

    /// Takes note of statements that may have changed something.
    pub(super) fn note_written(&mut self, place: Place, kind: tidegate_sql::Kind) {
        let upstream = place.upstream;
        let follows = self.listener.upstreams().get(upstream).is_some_and(|upstream| {
            upstream.servers.len() > 1 && upstream.read_after_write != ReadAfterWrite::None
        });
        if follows && is_change(kind) {
            self.written = Some(Written { upstream, position: None });
        }
    }

    /// A statement for a replica must wait until the replica has what the session has written.
    fn must_follow(&self, target: Target) -> bool {
        target.member == Member::Replica
            && self.written.is_some_and(|written| written.upstream == target.upstream)
    }

    /// The connection for a statement for a replica, after the session has written.
    async fn place_after_write(&mut self, target: Target) -> Result<Place, LeaseError> {
        let primary = Target { member: Member::Primary, ..target };
        let Some(upstream) = self.listener.upstreams().get(target.upstream).cloned() else {
            return self.place_at(target).await;
        };
        let ReadAfterWrite::Position { wait } = upstream.read_after_write else {
            return self.place_at(primary).await;
        };
        let Some(position) = self.position(primary).await? else {
            return self.place_at(primary).await;
        };
        if upstream.still_missing(&position).is_empty() {
            self.written = None;
            return self.place_at(target).await;
        }
        let Some(place) = self.leases.for_target(target, self.listener.upstreams()) else {
            let leased = upstream.lease_after(&position, self.borrower()).await?;
            return Ok(self.hold(leased));
        };
        let caught_up = match self.leases.at(place) {
            Some(held) => held.leased.catch_up(&position, wait).await,
            None => Ok(false),
        };
        match caught_up {
            Ok(true) => Ok(place),
            Ok(false) => self.place_at(primary).await,
            Err(lost) => {
                debug!(session = self.context.id, "a replica was lost while catching up: {lost}");
                self.drop_at(place);
                self.place_at(primary).await
            }
        }
    }

    /// What the session has written; `None` if the primary does not say.
    async fn position(&mut self, primary: Target) -> Result<Option<Lsn>, LeaseError> {
        if let Some(Written { position: Some(position), .. }) = self.written {
            return Ok(Some(position));
        }
        let position = match self.leases.for_target(primary, self.listener.upstreams()) {
            Some(place) => match self.leases.at(place) {
                Some(held) => ask(&mut held.leased).await,
                None => None,
            },
            None => {
                let Some(upstream) = self.listener.upstreams().get(primary.upstream) else {
                    return Ok(None);
                };
                let mut leased = upstream.lease(primary.member, self.borrower()).await?;
                let position = ask(&mut leased).await;
                if position.is_some() {
                    leased.give_back();
                }
                position
            }
        };
        if let Some(written) = &mut self.written {
            written.position = position;
        }
        Ok(position)
    }
}

async fn ask(leased: &mut Leased) -> Option<Lsn> {
    let rows = leased.connection().query(POSITION).await.ok()?.ok()?;
    std::str::from_utf8(rows.first()?.first()?.as_deref()?).ok()?.parse().ok()
}
