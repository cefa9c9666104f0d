//! `cargo xtask bench mysql`: every target under every load, interleaved in one run.
//!
//! Absolute numbers drift with the machine; so each round visits all targets before the next begins,
//! and what counts is ratios inside one run.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum as _};
use tempfile::TempDir;

use super::mariadb::MariaDb;
use super::plan::{self, A_FEW, Cell, IDLE, Load};
use super::process::allow_many_files;
use super::report;
use super::row::Row;
use super::sysbench::Sysbench;
use super::target::{self, DIRECT, Kind, Running, Target};
use crate::{debian_sid, plugins, prerequisites, shell};

#[derive(Args)]
pub(super) struct MysqlArgs {
    /// Print one JSON object a measurement instead of the table
    #[arg(long)]
    json: bool,
    /// Two rounds of one second, in session mode without MySQL Router, of selects and logins: a minute
    /// or two. Whatever else is named is measured too
    #[arg(long)]
    quick: bool,
    /// How often every target is measured under every load [default: 5, quick: 2]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// How long one measurement takes [default: 4, quick: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,
    /// Only these targets, separated by commas
    #[arg(long, value_delimiter = ',')]
    targets: Vec<Target>,
    /// Only these loads, separated by commas
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<Load>,
}

/// A measurement needs to know how long and how often.
struct Plan {
    cells: Vec<Cell>,
    rounds: u32,
    seconds: u32,
}

/// What is measured, and where.
struct Scene {
    servers: MariaDb,
    running: Vec<Running>,
    folder: TempDir,
}

pub(super) fn run(args: &MysqlArgs) -> Result<()> {
    let (targets, loads): (&[Target], &[Load]) = match args.quick {
        true => (&target::QUICK, &plan::QUICK),
        false => (Target::value_variants(), Load::value_variants()),
    };
    let targets = all_unless_named(&args.targets, targets);
    let loads = all_unless_named(&args.workloads, loads);
    let plan = Plan {
        cells: plan::cells(&loads),
        rounds: args.rounds.unwrap_or(if args.quick { 2 } else { 5 }),
        seconds: args.seconds.unwrap_or(if args.quick { 1 } else { 4 }),
    };
    let idle = loads.contains(&Load::Idle).then_some(IDLE);
    install(&targets)?;
    build(&targets)?;
    allow_many_files()?;
    let scene = Scene::set(&targets, plan.cells.iter().copied().chain(idle))?;

    let mut rows = Vec::new();
    let mut emit = |row: Row| {
        if args.json {
            println!("{}", serde_json::to_string(&row)?);
        }
        rows.push(row);
        Ok(())
    };
    if idle.is_some() {
        scene.measure_idle(&mut emit)?;
    }
    scene.measure_rounds(&plan, &mut emit)?;
    if !args.json {
        print!("{}", report::table(&rows, &targets, &plan.cells));
    }
    Ok(())
}

fn all_unless_named<T: Copy>(named: &[T], all: &[T]) -> Vec<T> {
    if named.is_empty() { all.to_vec() } else { named.to_vec() }
}

fn install(targets: &[Target]) -> Result<()> {
    prerequisites::install_bench_tools()?;
    if targets.iter().any(|target| target.kind == Kind::MysqlRouter) {
        let installed = debian_sid::MYSQL_ROUTER.install();
        installed.context("MySQL Router cannot be had; --targets can name the others only")?;
    }
    Ok(())
}

fn build(targets: &[Target]) -> Result<()> {
    let mut command = shell::cargo(".");
    command.args(["build", "--release", "--locked", "-p", "tidegate-bench-relay"]);
    if targets.iter().any(|target| target.tidegate().is_some()) {
        command.args(["-p", "tidegate"]);
        plugins::build()?;
    }
    shell::run(&mut command)
}

/// A folder that the server's own user can enter.
fn scratch() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("tidegate-bench-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

impl Scene {
    /// Starts the servers, and each target once for every limit that a load sets it.
    fn set(targets: &[Target], cells: impl Iterator<Item = Cell> + Clone) -> Result<Self> {
        let folder = scratch()?;
        eprintln!("starting MariaDB and {} targets", targets.len());
        let servers = MariaDb::start(folder.path())?;
        let mut running = Vec::new();
        for target in targets {
            let limits: BTreeSet<Option<u32>> =
                cells.clone().map(|cell| target.server_connections(cell)).collect();
            for limit in limits {
                running.push(Running::start(*target, limit, &servers, folder.path())?);
            }
        }
        Ok(Self { servers, running, folder })
    }

    /// Every target once, as it was started for this load.
    fn targets(&self, cell: Cell) -> Vec<&Running> {
        self.running.iter().filter(|target| target.is_for(cell)).collect()
    }

    fn load(&self, cell: Cell, target: &Running, seconds: u32) -> Result<Sysbench> {
        Sysbench::start(cell, target.port, seconds, self.folder.path())
    }

    /// Memory first: a process that has served many clients has room to spare for new ones.
    fn measure_idle(&self, emit: &mut impl FnMut(Row) -> Result<()>) -> Result<()> {
        for running in self.targets(IDLE).into_iter().filter(|running| running.target != DIRECT) {
            eprintln!("memory of {} idle clients: {}", IDLE.clients, running.target.name);
            // What the first clients make a process allocate once is not what a client costs.
            self.load(A_FEW, running, 1)?.finish()?;
            let before = running.resident_kib()?;
            let clients = self.load(IDLE, running, 60)?;
            sleep(Duration::from_secs(1));
            let with = running.resident_kib()?;
            drop(clients);
            let mut row = Row::new(running.target, IDLE, 1);
            row.rss_mib = with.map(|kib| kib / 1024.0);
            row.idle_client_kib =
                with.zip(before).map(|(with, before)| (with - before) / f64::from(IDLE.clients));
            emit(row)?;
        }
        Ok(())
    }

    fn measure_rounds(&self, plan: &Plan, emit: &mut impl FnMut(Row) -> Result<()>) -> Result<()> {
        for round in 1..=plan.rounds {
            for cell in &plan.cells {
                eprintln!("round {round} of {}: {}", plan.rounds, report::title(*cell));
                let targets = self.targets(*cell);
                // Whoever comes first finds the machine rested; everybody is first in turn.
                let first = usize::try_from(round)? % targets.len();
                for target in targets.iter().cycle().skip(first).take(targets.len()) {
                    emit(self.measure(*cell, target, round, plan.seconds)?)?;
                }
            }
        }
        Ok(())
    }

    fn measure(&self, cell: Cell, target: &Running, round: u32, seconds: u32) -> Result<Row> {
        let idle = self.idle_beside(cell, target, seconds)?;
        let load = self.load(cell, target, seconds)?;
        // Counted from here on, the logins of the clients are not taken for statements.
        let before = target.usage()?;
        let measured = load.finish()?;
        let used = target.usage()?.zip(before).map(|(after, before)| after.since(before));
        let mut row = Row::new(target.target, cell, round);
        row.qps = Some(measured.qps);
        row.p50_us = Some(measured.p50_us);
        row.p99_us = Some(measured.p99_us);
        row.proxy_cpu_us_per_query =
            used.map(|used| used.cpu.as_secs_f64() * 1e6 / measured.queries);
        row.proxy_wakeups_per_query = used.map(|used| used.wakeups / measured.queries);
        row.rss_mib = target.resident_kib()?.map(|kib| kib / 1024.0);
        drop(idle);
        self.rest(cell)?;
        Ok(row)
    }

    /// Clients that do nothing all the while, where the load has such.
    fn idle_beside(&self, cell: Cell, target: &Running, seconds: u32) -> Result<Option<Sysbench>> {
        let clients = (cell.idle_clients > 0).then_some(cell.idle_clients);
        clients.map(|clients| self.load(Cell { clients, ..IDLE }, target, seconds + 60)).transpose()
    }

    /// Lets the servers finish what a load has left them to do: the next target is not to pay for it.
    fn rest(&self, cell: Cell) -> Result<()> {
        if cell.idle_clients > 0 {
            sleep(Duration::from_secs(1));
        }
        self.servers.wait_for_replica()
    }
}
