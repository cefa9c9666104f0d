//! Reading what the session itself has written, also from replicas.

use tidegate_config::ReadAfterWrite;
use tidegate_hook::{Member, Target};
use tidegate_mysql_wire::gtid::GtidSet;
use tidegate_sql::Kind;
use tracing::debug;

use super::Session;
use super::leases::Held;
use super::statement::is_change;
use crate::pool::mysql::{LAST_TRANSACTIONS, LeaseError, Leased};
use crate::route::Place;

/// What the session has written to one upstream, as far as some replica may not have it yet.
#[derive(Debug)]
pub(super) struct Written {
    upstream: usize,
    /// Something was written since the primary was asked for its position.
    is_news: bool,
    transactions: GtidSet,
}

/// What some replica may not have.
enum Missing {
    Nothing,
    Some(GtidSet),
    /// The primary does not say.
    Unknown,
}

/// To all upstreams; mostly it is one.
pub(super) type AllWritten = Vec<Written>;

impl Session {
    /// Takes note of a statement that may have changed something.
    /// A server that tells what it has `committed` need not be asked.
    pub(super) fn note_written(&mut self, place: Place, kind: Kind, committed: Option<&GtidSet>) {
        if !is_change(kind) && kind != Kind::Unknown && committed.is_none() {
            return;
        }
        let upstream = place.upstream;
        let follows = self.listener.upstreams().get(upstream).is_some_and(|upstream| {
            upstream.servers.len() > 1 && upstream.read_after_write != ReadAfterWrite::None
        });
        if !follows {
            return;
        }
        let known = self.written.iter().position(|written| written.upstream == upstream);
        let at = known.unwrap_or(self.written.len());
        if known.is_none() {
            let transactions = GtidSet::default();
            self.written.push(Written { upstream, is_news: true, transactions });
        }
        if let Some(written) = self.written.get_mut(at) {
            written.is_news = committed.is_none();
            if let Some(committed) = committed {
                written.transactions.merge(committed.clone());
            }
        }
    }

    /// A statement for a replica must wait until the replica has what the session has written.
    pub(super) fn must_follow(&self, target: Target) -> bool {
        target.member == Member::Replica
            && self.written.iter().any(|written| written.upstream == target.upstream)
    }

    /// The connection for a statement for a replica, after the session has written.
    pub(super) async fn place_after_write(&mut self, target: Target) -> Result<Place, LeaseError> {
        let primary = Target { member: Member::Primary, ..target };
        let upstreams = self.listener.upstreams();
        let Some(upstream) = upstreams.get(target.upstream).cloned() else {
            return self.place_at(target).await;
        };
        let ReadAfterWrite::Position { wait } = upstream.read_after_write else {
            return self.place_at(primary).await;
        };
        let transactions = match self.transactions(primary).await? {
            Missing::Nothing => return self.place_at(target).await,
            Missing::Unknown => return self.place_at(primary).await,
            Missing::Some(transactions) => transactions,
        };
        let Some(place) = self.leases.for_target(target, self.listener.upstreams()) else {
            let leased = upstream.lease_after(&transactions, self.borrower()).await?;
            return Ok(self.hold(leased));
        };
        let caught_up = match self.leases.at(place) {
            Some(held) => held.leased.catch_up(&transactions, wait).await,
            None => Ok(false),
        };
        match caught_up {
            Ok(true) => Ok(place),
            Ok(false) => self.place_at(primary).await,
            Err(lost) => {
                debug!(session = self.context.id, "a replica was lost while catching up: {lost}");
                self.leases.drop_at(place);
                self.prepared.forget(place);
                self.place_at(primary).await
            }
        }
    }

    /// What the session has written and some replica may not have.
    async fn transactions(&mut self, primary: Target) -> Result<Missing, LeaseError> {
        let of = |written: &Written| written.upstream == primary.upstream;
        let Some(at) = self.written.iter().position(of) else {
            return Ok(Missing::Nothing);
        };
        let is_news = self.written.get(at).is_some_and(|written| written.is_news);
        let position = if is_news { self.position(primary).await? } else { None };
        let upstreams = self.listener.upstreams();
        let (Some(written), Some(upstream)) =
            (self.written.get_mut(at), upstreams.get(primary.upstream))
        else {
            return Ok(Missing::Nothing);
        };
        if is_news {
            let Some(position) = position else {
                return Ok(Missing::Unknown);
            };
            written.is_news = false;
            written.transactions.merge(position);
        }
        written.transactions = upstream.still_missing(&written.transactions);
        if !written.transactions.is_empty() {
            return Ok(Missing::Some(written.transactions.clone()));
        }
        self.written.swap_remove(at);
        Ok(Missing::Nothing)
    }

    /// What the primary has executed: more than the session has written, and never less.
    async fn position(&mut self, primary: Target) -> Result<Option<GtidSet>, LeaseError> {
        if let Some(place) = self.leases.for_target(primary, self.listener.upstreams())
            && let Some(held) = self.leases.at(place)
        {
            return Ok(ask(&mut held.leased).await);
        }
        let Some(upstream) = self.listener.upstreams().get(primary.upstream) else {
            return Ok(None);
        };
        let mut leased = upstream.lease(primary.member, self.borrower()).await?;
        let position = ask(&mut leased).await;
        match position {
            Some(_) => leased.give_back(),
            // It is not known what became of the question.
            None => drop(leased),
        }
        Ok(position)
    }

    /// Takes a connection for the session.
    pub(super) fn hold(&mut self, leased: Leased) -> Place {
        let held = Held::new(leased);
        let place = held.place;
        self.leases.drop_at(place);
        self.leases.add(held);
        place
    }
}

async fn ask(leased: &mut Leased) -> Option<GtidSet> {
    let connection = leased.connection();
    let mariadb = connection.session.is_mariadb();
    let rows = connection.query(LAST_TRANSACTIONS[usize::from(mariadb)]).await.ok()?.ok()?;
    let text = rows.first()?.first()?.as_deref()?;
    GtidSet::parse(std::str::from_utf8(text).ok()?).ok()
}
