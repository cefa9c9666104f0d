//! What is MariaDB's own: two programs, `CHANGE MASTER`, GTIDs of three numbers.

use std::path::Path;
use std::process::Command;

use crate::server::mysql_family::{MySqlFamily, settings, without_defaults};
use crate::server::programs::find_program;

/// MariaDB as its package installs it.
#[derive(Debug)]
pub enum MariaDbPrograms {}

impl MySqlFamily for MariaDbPrograms {
    const NAME: &'static str = "mariadb";
    const SETTINGS: &'static [&'static str] =
        &["--innodb-log-file-size=32M", "--lc-messages=en_US"];
    const USERS: &'static str = "
        revoke read_only admin on *.* from app@'%';
        grant slave monitor on *.* to mon@'%';
        grant select on mysql.global_priv to mon@'%';";
    const UNIQUE: &'static [&'static str] = &["pid"];
    const PAIR: &'static [&'static str] =
        &["--log-bin=binlog", "--binlog-format=ROW", "--log-slave-updates", "--gtid-strict-mode=1"];
    const REPLICATION: &'static str = "show status like 'slave_running'";
    const POSITION: &'static str = "select @@gtid_binlog_pos";

    fn program() -> Command {
        without_defaults::<Self>(&find_program("mariadbd"))
    }

    fn initialise(data: &Path) {
        let mut install = without_defaults::<Self>(&find_program("mariadb-install-db"));
        install.arg(format!("--datadir={}", data.display())).args(settings::<Self>());
        install.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        let output = install.output().expect("it was found a moment ago");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// What a former primary has, its binary log knows.
    fn follow(port: u16) -> String {
        format!(
            "set global gtid_slave_pos = @@gtid_binlog_pos; \
             change master to master_host='127.0.0.1', master_port={port}, master_user='repl', \
             master_password='replpw', master_use_gtid=slave_pos, master_connect_retry=1; \
             start slave"
        )
    }

    fn delay(seconds: u32) -> String {
        format!("stop replica; change master to master_delay={seconds}; start replica")
    }

    fn replicates(answer: &str) -> bool {
        answer.trim_end().ends_with("ON")
    }

    fn reach(position: &str) -> String {
        format!("select master_gtid_wait('{position}', 30)")
    }
}
