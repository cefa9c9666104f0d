//! What probes have found out about one server.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_telemetry::ServerMetrics;
use tracing::{info, warn};

use super::report::Report;
use crate::locked;
use crate::protocol::Position;
use crate::route::Role;

/// A server's role, its fitness for reads, and what it has executed.
pub(crate) struct Standing<G> {
    role: AtomicU8,
    fit: AtomicBool,
    /// The newest position that is known.
    executed: Mutex<Option<G>>,
    metrics: Arc<ServerMetrics>,
}

impl<G: Position> Standing<G> {
    pub(super) fn new(role: Role, metrics: &Arc<ServerMetrics>) -> Self {
        metrics.set_primary(role == Role::Primary);
        metrics.set_fit(true);
        Self {
            role: AtomicU8::new(role as u8),
            fit: AtomicBool::new(true),
            executed: Mutex::default(),
            metrics: Arc::clone(metrics),
        }
    }

    pub(super) fn role(&self) -> Role {
        match self.role.load(Ordering::Relaxed) {
            role if role == Role::Primary as u8 => Role::Primary,
            role if role == Role::Replica as u8 => Role::Replica,
            _ => Role::Unknown,
        }
    }

    /// Near enough to the primary to serve reads, as far as anybody knows.
    pub(super) fn is_fit(&self) -> bool {
        self.fit.load(Ordering::Relaxed)
    }

    pub(super) fn set_role(&self, role: Role, address: &str) {
        let before = self.role();
        self.role.store(role as u8, Ordering::Relaxed);
        if before != role {
            info!(server = address, ?role, "role of the server has changed");
            self.metrics.set_primary(role == Role::Primary);
            if before != Role::Unknown {
                self.metrics.role_changed();
            }
        }
    }

    /// Takes note of what the server says, in the role that it has now.
    pub(super) fn note(&self, report: &Report<G>, max_lag: Option<Duration>, address: &str) {
        let fitness = match self.role() {
            Role::Replica => report.fitness(max_lag),
            Role::Primary | Role::Unknown => Ok(()),
        };
        self.metrics.set_lag(report.lag());
        self.metrics.set_fit(fitness.is_ok());
        let before = self.fit.swap(fitness.is_ok(), Ordering::Relaxed);
        match fitness {
            Err(unfit) if before => {
                warn!(server = address, "replica is left out of reads: {unfit}")
            }
            Ok(()) if !before => info!(server = address, "server takes reads again"),
            _ => {}
        }
        locked(&self.executed).clone_from(&report.executed);
    }

    /// Whether the server is known to have executed these transactions. Those that a primary has
    /// not, nobody will.
    pub(super) fn has_executed(&self, written: &G) -> bool {
        self.role() == Role::Primary
            || locked(&self.executed).as_ref().is_some_and(|known| known.contains(written))
    }

    /// What the server is not known to have executed.
    pub(super) fn missing(&self, written: &G) -> G {
        match &*locked(&self.executed) {
            Some(known) => written.without(known),
            None => written.clone(),
        }
    }

    /// The server has told a session that it has executed these transactions.
    pub(super) fn has_reached(&self, written: &G) {
        locked(&self.executed).get_or_insert_with(G::default).merge(written.clone());
    }
}

#[cfg(test)]
mod tests {
    use tidegate_mysql_wire::gtid::GtidSet;
    use tidegate_telemetry::Telemetry;

    use super::super::report::Replication;
    use super::*;

    fn standing(role: Role) -> Standing<GtidSet> {
        let telemetry = Telemetry::new().unwrap();
        Standing::new(role, &telemetry.server("orders", "db:3306"))
    }

    fn report(replication: Replication, executed: &str) -> Report<GtidSet> {
        let executed = Some(GtidSet::parse(executed).unwrap());
        Report { writable: false, replication, executed }
    }

    const STOPPED: Replication = Replication::Stopped { error: 0 };

    #[test]
    fn only_a_replica_can_be_unfit() {
        let standing = standing(Role::Primary);
        standing.note(&report(STOPPED, ""), None, "db:3306");
        assert!(standing.is_fit());
        standing.set_role(Role::Replica, "db:3306");
        standing.note(&report(STOPPED, ""), None, "db:3306");
        assert!(!standing.is_fit());
        standing.note(&report(Replication::Running { lag: None }, ""), None, "db:3306");
        assert!(standing.is_fit());
    }

    #[test]
    fn the_newest_position_is_remembered() {
        let set = |text| GtidSet::parse(text).unwrap();
        let standing = standing(Role::Replica);
        assert!(!standing.has_executed(&set("0-1-5")), "nobody knows");
        standing.note(&report(Replication::Unknown, "0-1-5"), None, "db:3306");
        assert!(standing.has_executed(&set("0-1-5")) && !standing.has_executed(&set("0-1-6")));
        standing.has_reached(&set("0-1-6"));
        assert!(standing.has_executed(&set("0-1-6")));
        assert_eq!(standing.missing(&set("0-1-6,1-1-1")), set("1-1-1"));
        // It may have been set up anew from an old copy.
        standing.note(&report(Replication::Unknown, "0-1-2"), None, "db:3306");
        assert!(!standing.has_executed(&set("0-1-6")));
        standing.set_role(Role::Primary, "db:3306");
        assert!(standing.has_executed(&set("0-1-99")), "there is no newer one than the primary");
    }
}
