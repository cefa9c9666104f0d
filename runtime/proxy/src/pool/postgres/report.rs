//! What servers of PostgreSQL are asked about themselves.

use std::time::Duration;

use super::{Lsn, Rows, ServerConn};
use crate::pool::ServerLost;
use crate::pool::report::{Replication, Report};

/// Whether it is a replica, and how far it has come; of a replica, whether it hears its primary, and
/// how long ago what it has replayed last was written, unless it has replayed all it has received.
const QUESTION: &str = "SELECT pg_is_in_recovery(), \
     CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
          ELSE pg_current_wal_insert_lsn() END, \
     CASE WHEN NOT pg_is_in_recovery() THEN NULL \
          WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
          ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END, \
     (SELECT count(*) FROM pg_stat_wal_receiver), \
     current_setting('transaction_read_only')";

/// Asks a server about itself.
pub(super) async fn ask(
    connection: &mut ServerConn,
) -> Result<(Report<Lsn>, Option<String>), ServerLost> {
    Ok(match connection.query(QUESTION).await? {
        Ok(rows) => (read(&rows), None),
        Err(refusal) => {
            let report =
                Report { writable: false, replication: Replication::Unknown, executed: None };
            (report, Some(refusal.to_string()))
        }
    })
}

fn read(rows: &Rows) -> Report<Lsn> {
    let cell = |at: usize| {
        let cell = rows.first()?.get(at)?.as_deref()?;
        std::str::from_utf8(cell).ok()
    };
    let is_replica = cell(0) != Some("f");
    let hears = cell(3).is_some_and(|count| count != "0");
    let lag = cell(2).and_then(|seconds| seconds.parse().ok());
    let lag = lag.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).ok());
    Report {
        writable: !is_replica && cell(4) == Some("off"),
        replication: match is_replica {
            true => Replication::Running { lag: lag.filter(|_| hears) },
            false => Replication::None,
        },
        executed: cell(1).and_then(|lsn| lsn.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(cells: &str) -> Report<Lsn> {
        let cell = |text: &str| (text != "NULL").then(|| text.as_bytes().to_vec());
        read(&vec![cells.split(' ').map(cell).collect()])
    }

    #[test]
    fn a_primary_is_recognised() {
        let primary = report("f 0/3000060 NULL 0 off");
        assert!(primary.writable);
        assert_eq!(primary.replication, Replication::None);
        assert_eq!(primary.executed.unwrap().to_string(), "0/3000060");
        assert!(!report("f 0/3000060 NULL 0 on").writable);
    }

    #[test]
    fn a_replica_has_a_lag_while_it_hears_its_primary() {
        let lag = |cells| report(cells).replication;
        let running = |lag| Replication::Running { lag };
        assert_eq!(lag("t 0/5 1.5 1 on"), running(Some(Duration::from_millis(1500))));
        assert_eq!(lag("t 0/5 -0.01 1 on"), running(Some(Duration::ZERO)));
        assert_eq!(lag("t 0/5 0 0 on"), running(None));
        assert_eq!(lag("t 0/5 NULL 1 on"), running(None));
        assert!(!report("t 0/5 0 1 on").writable);
        assert!(!read(&Vec::new()).writable);
    }
}
