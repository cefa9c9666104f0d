//! A primary and its replica.

use std::sync::OnceLock;

use crate::server::{MariaDbPrograms, MySqlPrograms, Programs, Server};
use crate::wait_for;

/// The `@@server_id` of the primary.
pub const PRIMARY_ID: u32 = 1;
/// The `@@server_id` of the first replica.
pub const REPLICA_ID: u32 = 2;

/// A primary and a replica that follows it by GTID.
#[derive(Debug)]
pub struct Pair<P: Programs> {
    pub primary: Server<P>,
    pub replica: Server<P>,
}

/// A pair of MariaDB.
pub type MariaDbPair = Pair<MariaDbPrograms>;
/// A pair of MySQL 9.
pub type MySqlPair = Pair<MySqlPrograms>;

impl MariaDbPair {
    /// The pair that tests of one process share: each works in a database of its own, and none
    /// stops or reconfigures a server.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MariaDbPair> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }
}

impl MySqlPair {
    /// As [`MariaDbPair::shared`].
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MySqlPair> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }
}

impl<P: Programs> Pair<P> {
    /// Starts both, for a test that kills or changes them.
    #[must_use]
    pub fn start() -> Self {
        let primary = start(PRIMARY_ID, &[]);
        let replica = start(REPLICA_ID, &["--read-only=1"]);
        follow(&replica, &primary);
        Self { primary, replica }
    }

    /// Waits until the replica has everything that the primary has now.
    pub fn wait_for_replica(&self) {
        let position = self.primary.query(P::POSITION);
        let reached = self.replica.query(&P::reach(position.trim()));
        assert_eq!(reached.trim(), "0", "the replica has not reached {position}");
    }

    /// Makes the replica the primary as an operator does, without losing a transaction; the old
    /// primary follows it.
    pub fn switch_over(&self) {
        self.primary.execute("set global read_only = 1");
        self.wait_for_replica();
        self.promote();
        follow(&self.primary, &self.replica);
    }

    /// The replica follows nobody any more and can be written to.
    pub fn promote(&self) {
        self.replica.execute("stop replica; reset replica all; set global read_only = 0");
    }

    /// The replica executes everything so many seconds late.
    pub fn delay(&self, seconds: u32) {
        self.replica.execute(&P::delay(seconds));
    }

    /// Makes a database for one test, on both servers.
    #[must_use]
    pub fn database<'a>(&self, name: &'a str) -> &'a str {
        self.primary.execute(&format!("drop database if exists {name}; create database {name}"));
        self.wait_for_replica();
        name
    }
}

fn start<P: Programs>(id: u32, more: &[&str]) -> Server<P> {
    let id = format!("--server-id={id}");
    let arguments: Vec<&str> = [id.as_str()].iter().chain(P::PAIR).chain(more).copied().collect();
    Server::start_with(&arguments)
}

fn follow<P: Programs>(replica: &Server<P>, primary: &Server<P>) {
    replica.execute(&P::follow(primary.port()));
    wait_for("the replica to follow the primary", || {
        P::replicates(&replica.query(P::REPLICATION)).then_some(())
    });
}
