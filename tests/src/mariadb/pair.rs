//! A primary and its replica.

use std::sync::OnceLock;

use crate::mariadb::MariaDb;
use crate::wait_for;

/// The `@@server_id` of the primary.
pub const PRIMARY_ID: u32 = 1;
/// The `@@server_id` of the first replica.
pub const REPLICA_ID: u32 = 2;

const BINARY_LOG: [&str; 4] =
    ["--log-bin=binlog", "--binlog-format=ROW", "--log-slave-updates", "--gtid-strict-mode=1"];

/// A primary and a replica that follows it by GTID.
#[derive(Debug)]
pub struct MariaDbPair {
    pub primary: MariaDb,
    pub replica: MariaDb,
}

impl MariaDbPair {
    /// Starts both, for a test that kills or changes them.
    #[must_use]
    pub fn start() -> Self {
        let primary = start(PRIMARY_ID, &[]);
        let replica = start(REPLICA_ID, &["--read-only=1"]);
        follow(&replica, &primary);
        Self { primary, replica }
    }

    /// The pair that tests of one process share: each works in a database of its own, and none
    /// stops or reconfigures a server.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MariaDbPair> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Waits until the replica has everything that the primary has now.
    pub fn wait_for_replica(&self) {
        let position = self.primary.query("select @@gtid_binlog_pos");
        let wait = format!("select master_gtid_wait('{}', 30)", position.trim());
        let reached = self.replica.query(&wait);
        assert_eq!(reached.trim(), "0", "the replica has not reached {position}");
    }

    /// Makes a database for one test, on both servers.
    #[must_use]
    pub fn database(&self, name: &'static str) -> &'static str {
        self.primary.execute(&format!("create or replace database {name}"));
        self.wait_for_replica();
        name
    }
}

fn start(id: u32, more: &[&str]) -> MariaDb {
    let id = format!("--server-id={id}");
    let arguments: Vec<&str> =
        [id.as_str()].into_iter().chain(BINARY_LOG).chain(more.iter().copied()).collect();
    MariaDb::start_with(&arguments)
}

fn follow(replica: &MariaDb, primary: &MariaDb) {
    let port = primary.port();
    replica.execute(&format!(
        "change master to master_host='127.0.0.1', master_port={port}, master_user='repl', \
         master_password='replpw', master_use_gtid=slave_pos, master_connect_retry=1; start slave"
    ));
    wait_for("the replica to follow the primary", || {
        let status = replica.query("show status like 'slave_running'");
        status.trim_end().ends_with("ON").then_some(())
    });
}
