//! What is MySQL's own: one program for everything, `CHANGE REPLICATION SOURCE`, GTIDs by UUID.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::mysql_family::{MySqlFamily, settings, without_defaults};
use crate::tidegate::target_dir;

/// MySQL 9 from the folder where `cargo xtask mysql9` installs it.
#[derive(Debug)]
pub enum MySqlPrograms {}

/// A program of MySQL 9: `mysqld`, `mysql`, `mysqldump`.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn find_mysql_program(name: &str) -> PathBuf {
    let program = target_dir().join("tests/mysql9/bin").join(name);
    assert!(
        program.is_file(),
        "{} is missing; `cargo xtask mysql9` installs it",
        program.display()
    );
    program
}

impl MySqlFamily for MySqlPrograms {
    const NAME: &'static str = "mysql";
    const SETTINGS: &'static [&'static str] = &[
        "--innodb-redo-log-capacity=32M",
        "--innodb-doublewrite=OFF",
        "--mysqlx=OFF",
        "--secure-file-priv=",
    ];
    /// Without the privilege `connection_admin`, `app` heeds `read_only`.
    const USERS: &'static str = "
        revoke connection_admin on *.* from app@'%';
        create user sha256@'%' identified with sha256_password by 'sha256pw';
        grant select on *.* to sha256@'%';";
    /// The UUID is in `auto.cnf`; a server without that file makes another.
    const UNIQUE: &'static [&'static str] = &["pid", "auto.cnf"];
    const PAIR: &'static [&'static str] =
        &["--log-bin=binlog", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"];
    const REPLICATION: &'static str = "show replica status";
    const POSITION: &'static str = "select @@global.gtid_executed";

    fn program() -> Command {
        without_defaults::<Self>(&find_mysql_program("mysqld"))
    }

    fn initialise(data: &Path) {
        let mut initialise = Self::program();
        initialise.arg("--initialize-insecure").arg(format!("--datadir={}", data.display()));
        initialise.args(settings::<Self>());
        let output = initialise.output().expect("it was found a moment ago");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn follow(port: u16) -> String {
        format!(
            "change replication source to source_host='127.0.0.1', source_port={port}, \
             source_user='repl', source_password='replpw', source_auto_position=1, \
             source_ssl=1, source_connect_retry=1; start replica"
        )
    }

    fn delay(seconds: u32) -> String {
        format!("stop replica; change replication source to source_delay={seconds}; start replica")
    }

    /// The eleventh and the twelfth column tell of the two threads that do the work.
    fn replicates(answer: &str) -> bool {
        answer.split('\t').skip(10).take(2).eq(["Yes", "Yes"])
    }

    fn reach(position: &str) -> String {
        format!("select wait_for_executed_gtid_set('{position}', 30)")
    }
}
