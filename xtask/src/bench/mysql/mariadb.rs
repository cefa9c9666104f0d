//! A MariaDB primary and its replica on free ports, in a temporary folder.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::sysbench::{self, Sysbench};
use crate::bench::plan::Cell;
use crate::bench::process::{Process, free_port};
use crate::bench::protocol::{RunningLoad, Server, Servers};
use crate::shell;

/// The client that everything runs as, and the account that the replica follows with.
const ACCOUNTS: &str = "
    create user app@'%' identified by 'apppw';
    grant all on *.* to app@'%';
    create user repl@'%' identified by 'replpw';
    grant replication slave on *.* to repl@'%';
    create database bench;";

/// Both servers, filled and in step.
pub(super) struct MariaDb {
    primary: Server,
    replica: Server,
}

impl MariaDb {
    /// Starts both servers and fills the table that the load works on.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let primary = server(folder, "primary", 1, &[])?;
        let replica = server(folder, "replica", 2, &["--read-only=1"])?;
        ask(primary.port, ACCOUNTS)?;
        follow(replica.port, primary.port)?;
        sysbench::prepare(primary.port)?;
        let servers = Self { primary, replica };
        servers.wait_for_replica()?;
        Ok(servers)
    }
}

impl Servers for MariaDb {
    fn protocol(&self) -> &'static str {
        "mysql"
    }

    fn primary(&self) -> &Server {
        &self.primary
    }

    fn replica(&self) -> &Server {
        &self.replica
    }

    fn wait_for_replica(&self) -> Result<()> {
        let position = ask(self.primary.port, "select @@gtid_binlog_pos")?;
        let wait = format!("select master_gtid_wait('{}', 60)", position.trim());
        let reached = ask(self.replica.port, &wait)?;
        anyhow::ensure!(reached.trim() == "0", "the replica does not follow the primary");
        Ok(())
    }

    fn start_load(
        &self,
        cell: Cell,
        port: u16,
        seconds: u32,
        folder: &Path,
    ) -> Result<Box<dyn RunningLoad>> {
        Ok(Box::new(Sysbench::start(cell, port, seconds, folder)?))
    }
}

fn server(folder: &Path, name: &str, id: u32, more: &[&str]) -> Result<Server> {
    let port = free_port()?;
    let data = folder.join(name);
    let mut install = Command::new("mariadb-install-db");
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    install.arg(format!("--datadir={}", data.display()));
    shell::run_quietly(as_its_user(&mut install))?;

    let mut command = Command::new(shell::find("mariadbd").context("mariadbd is missing")?);
    command.arg("--no-defaults");
    command.arg(format!("--datadir={}", data.display()));
    for (option, file) in [("socket", "socket"), ("pid-file", "pid"), ("log-bin", "binlog")] {
        command.arg(format!("--{option}={}", data.join(file).display()));
    }
    command.arg(format!("--port={port}")).arg(format!("--server-id={id}"));
    command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--gtid-strict-mode=1"]);
    command.args([
        "--max-connections=4000",
        "--back-log=1000",
        "--innodb-flush-log-at-trx-commit=0",
    ]);
    command.args(["--log-slave-updates", "--binlog-format=ROW"]).args(more);
    as_its_user(&mut command);
    let process = Process::start(&format!("mariadb-{name}"), command, folder, port)?;
    Ok(Server { port, process })
}

/// The server refuses to run as root; root runs it as the user that its package made.
fn as_its_user(command: &mut Command) -> &mut Command {
    // SAFETY: geteuid has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        command.arg("--user=mysql");
    }
    command
}

fn follow(replica: u16, primary: u16) -> Result<()> {
    let text = format!(
        "set global gtid_slave_pos = '';
        change master to master_host = '127.0.0.1', master_port = {primary}, master_user = 'repl',
            master_password = 'replpw', master_use_gtid = slave_pos;
        start slave;"
    );
    ask(replica, &text).map(drop)
}

/// Runs statements as root; the answer has no headings.
fn ask(port: u16, text: &str) -> Result<String> {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--user=root", "--skip-column-names", "--batch"]);
    command.arg("--host=127.0.0.1").arg(format!("--port={port}"));
    shell::output(command.args(["--execute", text]))
}
