//! A primary and its replica.

use std::sync::OnceLock;

use crate::server::{
    MariaDbPrograms, MySqlPrograms, Postgres18Programs, PostgresPrograms, Programs, Server,
};

/// The number of the primary: its `@@server_id`, or its `cluster_name`.
pub const PRIMARY_ID: u32 = 1;
/// The number of the replica.
pub const REPLICA_ID: u32 = 2;

/// A primary and a replica that follows it.
#[derive(Debug)]
pub struct Pair<P: Programs> {
    pub primary: Server<P>,
    pub replica: Server<P>,
}

/// A pair of MariaDB.
pub type MariaDbPair = Pair<MariaDbPrograms>;
/// A pair of MySQL 9.
pub type MySqlPair = Pair<MySqlPrograms>;
/// A pair of PostgreSQL.
pub type PostgresPair = Pair<PostgresPrograms>;
/// A pair of PostgreSQL 18.
pub type Postgres18Pair = Pair<Postgres18Programs>;

/// A static has a type, so each pair needs its own.
macro_rules! shared {
    ($($pair:ty)*) => {$(
        impl $pair {
            /// The pair that tests of one process share: each works in a database of its own, and
            /// none stops or reconfigures a server.
            #[must_use]
            pub fn shared() -> &'static Self {
                static SHARED: OnceLock<$pair> = OnceLock::new();
                SHARED.get_or_init(Self::start)
            }
        }
    )*};
}

shared! { MariaDbPair MySqlPair PostgresPair Postgres18Pair }

impl<P: Programs> Pair<P> {
    /// Starts both, for a test that kills or changes them.
    #[must_use]
    pub fn start() -> Self {
        let mut primary = Server::create(P::numbered(PRIMARY_ID));
        primary.start_again();
        let more = P::replica().iter().map(ToString::to_string);
        let mut replica = Server::create(P::numbered(REPLICA_ID).into_iter().chain(more).collect());
        P::follow(&mut replica, primary.port());
        Self { primary, replica }
    }

    /// Waits until the replica has everything that the primary has now.
    pub fn wait_for_replica(&self) {
        P::reach(&self.replica, P::position(&self.primary).trim());
    }

    /// Makes the replica the primary as an operator does, without losing a transaction; the old
    /// primary follows it.
    pub fn switch_over(&mut self) {
        P::retire(self);
        self.promote();
        P::follow(&mut self.primary, self.replica.port());
    }

    /// The replica follows nobody any more and can be written to.
    pub fn promote(&self) {
        P::promote(&self.replica);
    }

    /// The replica executes everything so many seconds late.
    pub fn delay(&self, seconds: u32) {
        P::delay(&self.replica, seconds);
    }

    /// Makes a database for one test, on both servers.
    #[must_use]
    pub fn database<'a>(&self, name: &'a str) -> &'a str {
        self.primary.execute(&P::recreate(name));
        self.wait_for_replica();
        name
    }
}
