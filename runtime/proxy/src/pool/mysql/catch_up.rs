//! Waiting until a replica has executed what a session has written.

use std::io;
use std::time::Duration;

use tidegate_mysql_wire::gtid::GtidSet;
use tokio::time::timeout;
use tracing::debug;

use super::ServerConn;
use crate::pool::ServerLost;

/// Answers what a server has executed: MySQL, MariaDB.
pub(crate) const LAST_TRANSACTIONS: [&str; 2] =
    ["SELECT @@global.gtid_executed", "SELECT @@global.gtid_binlog_pos"];

/// The server keeps the time; so much later than that, it is not going to answer.
const GRACE: Duration = Duration::from_secs(1);

/// Whether the server has executed these transactions, or does so in time.
///
/// # Errors
/// The connection is of no more use.
pub(super) async fn catch_up(
    connection: &mut ServerConn,
    written: &GtidSet,
    limit: Duration,
) -> Result<bool, ServerLost> {
    let question = question(written, limit);
    let answer = timeout(limit + GRACE, connection.query(&question)).await;
    match answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
        Ok(rows) => Ok(rows.first().and_then(|row| row.first()?.as_deref()) == Some(b"0")),
        Err(refusal) => {
            debug!("cannot wait for transactions: {refusal}");
            Ok(false)
        }
    }
}

/// Answers 0 when the transactions are executed, something else when the time is over. To MySQL, a
/// time of 0 is for ever.
fn question(written: &GtidSet, limit: Duration) -> String {
    let seconds = limit.max(Duration::from_millis(1)).as_secs_f64();
    match written {
        GtidSet::MariaDb(_) => format!("SELECT MASTER_GTID_WAIT('{written}', {seconds:.3})"),
        GtidSet::MySql(_) => {
            format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{written}', {seconds:.3})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_server_has_its_function() {
        let ask = |text, limit| question(&GtidSet::parse(text).unwrap(), limit);
        assert_eq!(
            ask("0-1-5", Duration::from_millis(250)),
            "SELECT MASTER_GTID_WAIT('0-1-5', 0.250)"
        );
        assert_eq!(
            ask("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", Duration::from_nanos(1)),
            "SELECT WAIT_FOR_EXECUTED_GTID_SET('3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5', 0.001)"
        );
    }
}
