//! What the load goes through: nothing, a relay, another proxy, or tidegate.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::mysql::router;
use super::others;
use super::plan::Cell;
use super::postgres::{odyssey, pgbouncer};
use super::process::{Process, free_port};
use super::protocol::Servers;
use super::tidegate::{self, Plugin, Pooling, Setup};
use super::usage::{self, Usage};
use crate::debian_sid::{self, Unpacked};
use crate::shell;

/// Something that answers as the primary would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// As on the command line and in the table.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Direct,
    Relay,
    Haproxy,
    MysqlRouter,
    Pgbouncer(Pooling),
    /// In transaction mode
    Odyssey,
    Tidegate(Setup),
}

pub(super) const DIRECT: Target = Target { name: "direct", kind: Kind::Direct };
pub(super) const RELAY: Target = Target { name: "relay", kind: Kind::Relay };
pub(super) const HAPROXY: Target = Target { name: "haproxy", kind: Kind::Haproxy };
pub(super) const MYSQL_ROUTER: Target = Target { name: "mysql-router", kind: Kind::MysqlRouter };
pub(super) const PGBOUNCER: Target =
    Target { name: "pgbouncer", kind: Kind::Pgbouncer(Pooling::Session) };
pub(super) const PGBOUNCER_POOLED: Target =
    Target { name: "pgbouncer-transaction", kind: Kind::Pgbouncer(Pooling::Transaction) };
pub(super) const ODYSSEY_POOLED: Target =
    Target { name: "odyssey-transaction", kind: Kind::Odyssey };

const fn tidegate(name: &'static str, pooling: Pooling, plugin: Option<Plugin>) -> Target {
    Target { name, kind: Kind::Tidegate(Setup { pooling, plugin }) }
}

pub(super) const PLAIN: Target = tidegate("tidegate", Pooling::Session, None);
pub(super) const NOOP: Target = tidegate("tidegate+noop", Pooling::Session, Some(Plugin::Noop));
pub(super) const SPLIT: Target =
    tidegate("tidegate+read-write-split", Pooling::Session, Some(Plugin::ReadWriteSplit));
pub(super) const POOLED: Target = tidegate("tidegate-transaction", Pooling::Transaction, None);
pub(super) const POOLED_SPLIT: Target = tidegate(
    "tidegate-transaction+read-write-split",
    Pooling::Transaction,
    Some(Plugin::ReadWriteSplit),
);

impl Kind {
    /// What it is unpacked from, where this machine's packages have none.
    pub(super) fn unpacked(self) -> Option<&'static Unpacked> {
        match self {
            Self::MysqlRouter => Some(&debian_sid::MYSQL_ROUTER),
            Self::Pgbouncer(_) => Some(&debian_sid::PGBOUNCER),
            Self::Odyssey => Some(&debian_sid::ODYSSEY),
            Self::Direct | Self::Relay | Self::Haproxy | Self::Tidegate(_) => None,
        }
    }

    /// How long it holds a server connection for a client, where it has a pool.
    fn pooling(self) -> Option<Pooling> {
        match self {
            Self::Pgbouncer(pooling) | Self::Tidegate(Setup { pooling, .. }) => Some(pooling),
            Self::Odyssey => Some(Pooling::Transaction),
            Self::Direct | Self::Relay | Self::Haproxy | Self::MysqlRouter => None,
        }
    }
}

impl Target {
    /// Its settings, where it is tidegate.
    pub(super) fn tidegate(self) -> Option<Setup> {
        match self.kind {
            Kind::Tidegate(setup) => Some(setup),
            _ => None,
        }
    }

    /// How many server connections it may use under a load, where it can share them.
    pub(super) fn server_connections(self, cell: Cell) -> Option<u32> {
        let shares = self.kind.pooling() == Some(Pooling::Transaction);
        cell.server_connections.filter(|_| shares)
    }
}

/// A target that takes clients.
pub(super) struct Running {
    pub(super) target: Target,
    /// The limit that it was started with.
    server_connections: Option<u32>,
    pub(super) port: u16,
    process: Option<Process>,
}

impl Running {
    /// Starts a target in front of the servers.
    pub(super) fn start(
        target: Target,
        server_connections: Option<u32>,
        servers: &dyn Servers,
        folder: &Path,
    ) -> Result<Self> {
        let port = free_port()?;
        let name = match server_connections {
            Some(limit) => format!("{}-{limit}", target.name),
            None => target.name.to_owned(),
        };
        let folder = folder.join(&name);
        fs::create_dir(&folder)?;
        let command = match target.kind {
            Kind::Direct => {
                let port = servers.primary().port;
                return Ok(Self { target, server_connections, port, process: None });
            }
            Kind::Relay => others::relay(port, servers),
            Kind::Haproxy => others::haproxy(port, servers, &folder)?,
            Kind::MysqlRouter => router::command(port, servers, &folder)?,
            Kind::Pgbouncer(pooling) => {
                pgbouncer::command(pooling, server_connections, port, servers, &folder)?
            }
            Kind::Odyssey => odyssey::command(server_connections, port, servers, &folder)?,
            Kind::Tidegate(setup) => {
                tidegate::command(setup, server_connections, port, servers, &folder)?
            }
        };
        let process = Process::start(&name, command, &folder, port)?;
        let log = process.log();
        // A plugin that was not loaded would be measured as one that costs nothing.
        ensure!(!log.contains("ERROR"), "{name} has a complaint:\n{log}");
        Ok(Self { target, server_connections, port, process: Some(process) })
    }

    /// Whether it is the one of its target that this load is for.
    pub(super) fn is_for(&self, cell: Cell) -> bool {
        self.server_connections == self.target.server_connections(cell)
    }

    /// What the proxy has used until now; `None` without a proxy.
    pub(super) fn usage(&self) -> Result<Option<Usage>> {
        self.process.as_ref().map(|process| Usage::of(process.id())).transpose()
    }

    /// The proxy's resident memory in KiB; `None` without a proxy.
    pub(super) fn resident_kib(&self) -> Result<Option<f64>> {
        self.process.as_ref().map(|process| usage::resident_kib(process.id())).transpose()
    }
}

/// A program that `cargo build --release` made.
pub(super) fn release(program: &str) -> PathBuf {
    shell::target_dir().join("release").join(program)
}
