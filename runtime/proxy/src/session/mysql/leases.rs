//! The connections that a session holds: at most one to each server.

use tidegate_hook::Target;
use tidegate_mysql_wire::capabilities::Capabilities;

use crate::pool::mysql::{Leased, Mysql};
use crate::protocol::Upstreams;
use crate::route::Place;

/// A connection that the session holds.
pub(super) struct Held {
    pub(super) leased: Leased,
    pub(super) place: Place,
    /// The number of the first packet of the reply to what was sent last.
    pub(super) reply_sequence: u8,
    /// Something was done on it that its settings do not tell.
    pub(super) used: bool,
    /// The next user must not see it as it is.
    pub(super) dirty: bool,
    /// A row was inserted on it whose number the server chose.
    pub(super) inserted: bool,
    /// What it answers to `LAST_INSERT_ID()` is what the session must read.
    pub(super) knows_insert_id: bool,
    /// What it answers to `SHOW WARNINGS` is of this session.
    pub(super) has_own_messages: bool,
}

impl Held {
    pub(super) fn new(leased: Leased) -> Self {
        Self {
            place: leased.server().place,
            leased,
            reply_sequence: 1,
            used: false,
            dirty: false,
            inserted: false,
            knows_insert_id: false,
            has_own_messages: false,
        }
    }

    /// What its server and tidegate have agreed on.
    pub(super) fn capabilities(&mut self) -> Capabilities {
        self.leased.connection().session.capabilities
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
    pub(super) fn for_target(&self, target: Target, upstreams: &Upstreams<Mysql>) -> Option<Place> {
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

    /// Takes out a connection of which nothing is needed any more.
    pub(super) fn take(&mut self, unneeded: impl Fn(&Held) -> bool) -> Option<Held> {
        let at = self.0.iter().position(unneeded)?;
        Some(self.0.swap_remove(at))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.0.iter_mut()
    }

    /// Gives everything back to the pools.
    pub(super) fn give_back(&mut self) {
        for held in self.0.drain(..) {
            match held.used {
                true => held.leased.give_back_reset(),
                false => held.leased.give_back(),
            }
        }
    }
}
