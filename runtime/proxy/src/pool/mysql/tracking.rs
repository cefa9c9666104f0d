//! Having a server tell what statements change in its session, also those that nobody sees: of a
//! routine, or a trigger.
//!
//! <https://dev.mysql.com/doc/refman/9.0/en/session-state-tracking.html>,
//! <https://mariadb.com/kb/en/session-tracking/>

use tidegate_config::{self as config, PoolMode, ReadAfterWrite};
use tidegate_mysql_wire::upstream::Session;

/// What a server is asked to tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tracking {
    /// That something has changed which a new session would not have.
    state: bool,
    /// The numbers of the transactions that are committed.
    gtids: bool,
}

impl Tracking {
    pub(super) fn wanted(upstream: &config::Upstream) -> Self {
        Self {
            state: upstream.pool.mode == PoolMode::Transaction,
            gtids: upstream.servers.len() > 1
                && matches!(upstream.read_after_write, ReadAfterWrite::Position { .. }),
        }
    }

    /// The statement that asks this server for it; `None` if nothing is wanted.
    pub(super) fn statement(self, session: &Session) -> Option<&'static str> {
        match (self.state, self.gtids, session.is_mariadb()) {
            (false, false, _) => None,
            (true, false, _) => Some("SET session_track_state_change = ON"),
            (false, true, false) => Some("SET session_track_gtids = OWN_GTID"),
            (true, true, false) => {
                Some("SET session_track_state_change = ON, session_track_gtids = OWN_GTID")
            }
            (false, true, true) => Some(
                "SET session_track_system_variables = \
                 CONCAT(@@session_track_system_variables, ',last_gtid')",
            ),
            (true, true, true) => Some(
                "SET session_track_state_change = ON, session_track_system_variables = \
                 CONCAT(@@session_track_system_variables, ',last_gtid')",
            ),
        }
    }
}
