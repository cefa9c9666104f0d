//! The connections that a session holds: at most one to each server, from its first use on.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use tidegate_hook::Target;
use tidegate_mysql_wire::capabilities::Capabilities;

use crate::pool::{Leased, Upstream};
use crate::route::Place;

/// A statement as one server knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerStatement {
    pub(super) id: u32,
    /// Which of the client's parameter types this server was told last; 0 for none.
    pub(super) types: u32,
}

/// A connection that the session holds.
pub(super) struct Held {
    pub(super) leased: Leased,
    pub(super) place: Place,
    /// So many entries of the session's history have been said on it.
    pub(super) replayed: usize,
    /// The session's prepared statements that this server knows, by the client's number.
    pub(super) statements: HashMap<u32, ServerStatement>,
    /// Commands without a reply, to go out with the next one that has.
    pub(super) pending: BytesMut,
    /// The number of the first packet of the reply to what was sent last.
    pub(super) reply_sequence: u8,
    /// Something was done on it that the next user must not see.
    pub(super) used: bool,
}

impl Held {
    pub(super) fn new(leased: Leased) -> Self {
        Self {
            place: leased.server().place,
            leased,
            replayed: 0,
            statements: HashMap::new(),
            pending: BytesMut::new(),
            reply_sequence: 1,
            used: false,
        }
    }

    /// The server leaves out the EOF packets after column definitions.
    pub(super) fn deprecates_eof(&mut self) -> bool {
        let agreed = self.leased.connection().session.capabilities;
        agreed.contains(Capabilities::DEPRECATE_EOF)
    }

    /// Its server has closed it, or said something unasked.
    pub(super) fn is_stale(&mut self) -> bool {
        self.leased.connection().conn.is_stale()
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
    pub(super) fn for_target(&self, target: Target, upstreams: &[Arc<Upstream>]) -> Option<Place> {
        let upstream = upstreams.get(target.upstream)?;
        self.0.iter().map(|held| held.place).find(|place| {
            place.upstream == target.upstream && upstream.serves(target.member, place.server)
        })
    }

    pub(super) fn add(&mut self, held: Held) {
        self.0.push(held);
    }

    /// Closes the connection to a server: it is lost, or nobody may use it again.
    pub(super) fn drop_at(&mut self, place: Place) {
        self.0.retain(|held| held.place != place);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.0.iter_mut()
    }

    /// Gives everything back to the pools.
    pub(super) fn give_back(&mut self) {
        for held in self.0.drain(..) {
            held.leased.give_back(held.used);
        }
    }
}
