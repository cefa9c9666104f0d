//! A PostgreSQL primary and its replica on free ports, in a temporary folder.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::pgbench::{self, Pgbench};
use crate::bench::plan::Cell;
use crate::bench::process::{Process, free_port, unprivileged};
use crate::bench::protocol::{RunningLoad, Server, Servers};
use crate::shell;

/// The user that Debian's package makes: the server refuses to be root.
pub(super) const SYSTEM_USER: &str = "postgres";
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

const INITDB: [&str; 6] = [
    "--username=postgres",
    "--auth-local=trust",
    "--auth-host=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
];

/// Not durable, and with nothing that begins work of its own in the middle of a measurement.
const SETTINGS: [&str; 9] = [
    "listen_addresses=127.0.0.1",
    "max_connections=6000",
    "shared_buffers=512MB",
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "checkpoint_timeout=1h",
    "max_wal_size=16GB",
    "wal_keep_size=1GB",
];

/// The client that every load comes from.
const ACCOUNT: &str = "create user app password 'apppw'";
const DATABASE: &str = "create database bench owner app";

/// Both servers, filled and in step.
pub(super) struct Postgres {
    primary: Server,
    replica: Server,
    /// Where the sockets are by which the superuser comes without a password.
    folder: PathBuf,
}

impl Postgres {
    /// Starts both servers and fills the tables that the load works on.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let own = folder.join("postgres");
        fs::create_dir(&own)?;
        let mut initdb = program("initdb", &own)?;
        // Its own it must be, as all that the servers write.
        if let Some(user) = unprivileged(&mut initdb, SYSTEM_USER)? {
            chown(&own, Some(user), None)?;
        }
        initdb.args(INITDB).arg("-D").arg(own.join("primary"));
        shell::run_quietly(&mut initdb)?;
        let primary = server(&own, "primary")?;
        for statement in [ACCOUNT, DATABASE] {
            ask(&own, primary.port, statement)?;
        }
        pgbench::fill(primary.port)?;

        let mut copy = program("pg_basebackup", &own)?;
        copy.arg("--host").arg(&own).args(["--username=postgres", "--write-recovery-conf"]);
        copy.arg(format!("--port={}", primary.port));
        copy.args(["--checkpoint=fast", "--no-sync", "--pgdata"]).arg(own.join("replica"));
        shell::run_quietly(&mut copy)?;
        let replica = server(&own, "replica")?;
        let servers = Self { primary, replica, folder: own };
        servers.wait_for_replica()?;
        Ok(servers)
    }
}

impl Servers for Postgres {
    fn protocol(&self) -> &'static str {
        "postgres"
    }

    fn primary(&self) -> &Server {
        &self.primary
    }

    fn replica(&self) -> &Server {
        &self.replica
    }

    fn wait_for_replica(&self) -> Result<()> {
        let position = ask(&self.folder, self.primary.port, "select pg_current_wal_flush_lsn()")?;
        let reached = format!("select pg_last_wal_replay_lsn() >= '{}'", position.trim());
        let deadline = Instant::now() + PATIENCE;
        while ask(&self.folder, self.replica.port, &reached)?.trim() != "t" {
            ensure!(Instant::now() < deadline, "the replica does not follow the primary");
            sleep(PAUSE);
        }
        Ok(())
    }

    fn start_load(
        &self,
        cell: Cell,
        port: u16,
        seconds: u32,
        folder: &Path,
    ) -> Result<Box<dyn RunningLoad>> {
        Ok(Box::new(Pgbench::start(cell, port, seconds, folder)?))
    }
}

/// Starts the server whose data are in a folder of this name, and waits until it takes clients.
fn server(folder: &Path, name: &str) -> Result<Server> {
    let port = free_port()?;
    let mut command = program("postgres", folder)?;
    command.arg("-D").arg(folder.join(name)).arg("-k").arg(folder);
    command.args(["-p", &port.to_string()]);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    let name = format!("postgres-{name}");
    // By this signal it leaves without waiting for anybody, and takes its shared memory along.
    let process = Process::start_ended_by(libc::SIGQUIT, &name, command, folder, port)?;
    let deadline = Instant::now() + PATIENCE;
    // It listens before it has replayed what it must.
    while let Err(why) = ask(folder, port, "select 1") {
        ensure!(Instant::now() < deadline, "{why:#}\n{}", process.log());
        sleep(PAUSE);
    }
    Ok(Server { port, process })
}

/// A program of the server's, as the user that owns its data.
fn program(name: &str, folder: &Path) -> Result<Command> {
    let path = shell::find(name).with_context(|| format!("{name} is missing"))?;
    let mut command = Command::new(path);
    // It may not enter the folder that we run in.
    command.current_dir(folder.parent().unwrap_or(folder));
    unprivileged(&mut command, SYSTEM_USER)?;
    Ok(command)
}

/// Runs a statement as the superuser; the answer has no headings.
fn ask(folder: &Path, port: u16, statement: &str) -> Result<String> {
    let mut command = Command::new(shell::find("psql").context("psql is missing")?);
    command.arg("--host").arg(folder).arg(format!("--port={port}"));
    command.args(["--username=postgres", "--dbname=postgres", "--no-psqlrc", "--quiet"]);
    command.args(["--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", statement]);
    shell::output(&mut command)
}
