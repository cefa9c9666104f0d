//! The servers and all targets, running; and how one of them is measured.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::plan::Cell;
use super::protocol::{Benchmark, RunningLoad, Servers};
use super::report;
use super::row::Row;
use super::target::{DIRECT, Running, Target};
use super::usage::{self, Usage};

/// How long clients are idle at most: longer than anything is measured meanwhile.
const IDLE_SECONDS: u32 = 3600;

pub(super) struct Scene {
    servers: Box<dyn Servers>,
    running: Vec<Running>,
    folder: TempDir,
}

/// What a target and the servers behind it have used until now.
struct Used {
    /// `None` without a proxy.
    proxy: Option<Usage>,
    servers: Duration,
}

impl Scene {
    /// Starts the servers, and each target once for every limit that a load sets it.
    pub(super) fn set(benchmark: &Benchmark, targets: &[Target], cells: &[Cell]) -> Result<Self> {
        let folder = scratch()?;
        eprintln!("starting the servers and {} targets", targets.len());
        let servers = (benchmark.start_servers)(folder.path())?;
        let mut running = Vec::new();
        for target in targets {
            let limits: BTreeSet<Option<u32>> =
                cells.iter().map(|cell| target.server_connections(*cell)).collect();
            for limit in limits {
                running.push(Running::start(*target, limit, &*servers, folder.path())?);
            }
        }
        Ok(Self { servers, running, folder })
    }

    /// Every target once, as it was started for this load.
    pub(super) fn targets(&self, cell: Cell) -> Vec<&Running> {
        self.running.iter().filter(|target| target.is_for(cell)).collect()
    }

    /// How much a proxy grows by clients that do nothing; `None` without a proxy.
    pub(super) fn measure_idle(&self, cell: Cell, target: &Running) -> Result<Option<Row>> {
        if target.target == DIRECT {
            return Ok(None);
        }
        // What the first clients make a process allocate once is not what a client costs.
        self.start_load(cell.a_few(), target, 1)?.finish()?;
        let before = target.resident_kib()?;
        let clients = self.start_load(cell, target, IDLE_SECONDS)?;
        sleep(Duration::from_secs(1));
        let with = target.resident_kib()?;
        drop(clients);
        let mut row = Row::new(self.servers.protocol(), target.target, cell, 1);
        row.rss_mib = with.map(|kib| kib / 1024.0);
        row.idle_client_kib =
            with.zip(before).map(|(with, before)| (with - before) / f64::from(cell.clients));
        Ok(Some(row))
    }

    pub(super) fn measure(
        &self,
        cell: Cell,
        target: &Running,
        round: u32,
        seconds: u32,
    ) -> Result<Row> {
        let idle = cell.idle_ones().map(|idle| self.start_load(idle, target, IDLE_SECONDS));
        let idle = idle.transpose()?;
        let mut load = self.start_load(cell, target, seconds)?;
        // Counted from here on, the logins of the clients are not taken for statements.
        let before = self.used(target)?;
        load.work().with_context(|| Self::name(cell, target))?;
        let after = self.used(target)?;
        let measured = load.finish().with_context(|| Self::name(cell, target))?;
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / measured.queries;
        let used = after.proxy.zip(before.proxy).map(|(after, before)| after.since(before));
        let mut row = Row::new(self.servers.protocol(), target.target, cell, round);
        row.qps = Some(measured.qps);
        row.p50_us = Some(measured.p50_us);
        row.p99_us = Some(measured.p99_us);
        row.proxy_cpu_us_per_query = used.map(|used| each(used.cpu));
        row.proxy_wakeups_per_query = used.map(|used| used.wakeups / measured.queries);
        row.server_cpu_us_per_query = Some(each(after.servers.saturating_sub(before.servers)));
        row.rss_mib = target.resident_kib()?.map(|kib| kib / 1024.0);
        drop(idle);
        self.rest(cell)?;
        Ok(row)
    }

    fn start_load(
        &self,
        cell: Cell,
        target: &Running,
        seconds: u32,
    ) -> Result<Box<dyn RunningLoad>> {
        let started = self.servers.start_load(cell, target.port, seconds, self.folder.path());
        started.with_context(|| Self::name(cell, target))
    }

    fn name(cell: Cell, target: &Running) -> String {
        format!("{}: {}", target.target.name, report::title(cell))
    }

    fn used(&self, target: &Running) -> Result<Used> {
        let proxy = target.usage()?;
        let [primary, replica] = [self.servers.primary(), self.servers.replica()]
            .map(|server| usage::cpu_of_family(server.process.id()));
        Ok(Used { proxy, servers: primary? + replica? })
    }

    /// Lets the servers finish what a load has left them to do: the next target is not to pay for it.
    fn rest(&self, cell: Cell) -> Result<()> {
        if cell.idle_clients > 0 {
            sleep(Duration::from_secs(2));
        }
        self.servers.wait_for_replica()
    }
}

/// A folder that the servers' own users can enter.
fn scratch() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("tidegate-bench-").tempdir()?;
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), everybody)?;
    Ok(folder)
}
