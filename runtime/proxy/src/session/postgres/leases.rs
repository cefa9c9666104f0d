//! The connections that a session holds: at most one to each server.

use tidegate_hook::Target;

use crate::pool::postgres::{Leased, Postgres};
use crate::protocol::Upstreams;
use crate::route::Place;

/// A connection that the session holds.
pub(super) struct Held {
    pub(super) leased: Leased,
    pub(super) place: Place,
    /// The next user must not see it as it is.
    pub(super) dirty: bool,
    /// Something was sent on it.
    pub(super) used: bool,
    /// Functions have run that nobody knows: they may have left something on it.
    pub(super) unseen: bool,
}

impl Held {
    pub(super) fn new(leased: Leased) -> Self {
        Self { place: leased.server().place, leased, dirty: false, used: false, unseen: false }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Leases(Vec<Held>);

impl Leases {
    pub(super) fn at(&mut self, place: Place) -> Option<&mut Held> {
        self.0.iter_mut().find(|held| held.place == place)
    }

    /// The connection that may serve a target, if the session holds one.
    pub(super) fn for_target(
        &self,
        target: Target,
        upstreams: &Upstreams<Postgres>,
    ) -> Option<Place> {
        let upstream = upstreams.get(target.upstream)?;
        self.0.iter().map(|held| held.place).find(|place| {
            place.upstream == target.upstream && upstream.serves(target.member, place.server)
        })
    }

    pub(super) fn add(&mut self, held: Held) {
        self.0.push(held);
    }

    /// Takes a connection out.
    pub(super) fn take(&mut self, place: Place) -> Option<Held> {
        let at = self.0.iter().position(|held| held.place == place)?;
        Some(self.0.swap_remove(at))
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Held> {
        self.0.drain(..)
    }
}
