//! `cargo xtask bench mysql`: every target under every load, interleaved in one run.
//!
//! Absolute numbers drift with the machine; so each round visits all targets before the next begins,
//! and what counts is ratios inside one run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum as _};

use super::mariadb::MariaDb;
use super::plan::{self, Cell, IDLE, Load, Mode, Workload};
use super::report;
use super::row::Row;
use super::sysbench::Sysbench;
use super::target::{Running, Target};
use crate::{plugins, prerequisites, shell};

#[derive(Args)]
pub(super) struct MysqlArgs {
    /// Print one JSON object a measurement instead of the table
    #[arg(long)]
    json: bool,
    /// Two rounds of one second: a minute or two in all
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

pub(super) fn run(args: &MysqlArgs) -> Result<()> {
    let targets = all_unless_named(&args.targets, Target::value_variants());
    let loads = all_unless_named(&args.workloads, Load::value_variants());
    prerequisites::install_bench_tools()?;
    build(&targets)?;

    let folder = scratch()?;
    eprintln!("starting MariaDB and {} targets", targets.len());
    let servers = MariaDb::start(folder.path())?;
    let running: Vec<Running> = targets
        .iter()
        .map(|target| Running::start(*target, &servers, folder.path()))
        .collect::<Result<_>>()?;
    let plan = Plan {
        cells: plan::cells(&loads),
        rounds: args.rounds.unwrap_or(if args.quick { 2 } else { 5 }),
        seconds: args.seconds.unwrap_or(if args.quick { 1 } else { 4 }),
    };

    let mut rows = Vec::new();
    let mut emit = |row: Row| {
        if args.json {
            println!("{}", serde_json::to_string(&row)?);
        }
        rows.push(row);
        Ok(())
    };
    if loads.contains(&Load::Idle) {
        measure_idle(&running, folder.path(), &mut emit)?;
    }
    measure_rounds(&plan, &running, folder.path(), &mut emit)?;
    if !args.json {
        print!("{}", report::table(&rows, &targets, &plan.cells));
    }
    Ok(())
}

fn all_unless_named<T: Copy>(named: &[T], all: &[T]) -> Vec<T> {
    if named.is_empty() { all.to_vec() } else { named.to_vec() }
}

fn build(targets: &[Target]) -> Result<()> {
    let mut command = shell::cargo(".");
    command.args(["build", "--release", "--locked", "-p", "tidegate-bench-relay"]);
    if targets.iter().any(|target| target.is_tidegate()) {
        command.args(["-p", "tidegate"]);
        plugins::build()?;
    }
    shell::run(&mut command)
}

/// A folder that the server's own user can enter.
fn scratch() -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("tidegate-bench-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Memory first: a process that has served many clients has room to spare for new ones.
fn measure_idle(
    running: &[Running],
    folder: &Path,
    emit: &mut impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    let a_few = Cell { workload: Workload::PointSelect, mode: Mode::Text, clients: 4 };
    for target in running.iter().filter(|target| target.target != Target::Direct) {
        eprintln!("memory of {} idle clients: {}", IDLE.clients, target.target.name());
        // What the first clients make a process allocate once is not what a client costs.
        Sysbench::start(a_few, target.port, 1, folder)?.finish()?;
        let before = target.resident_kib()?;
        let clients = Sysbench::start(IDLE, target.port, 60, folder)?;
        sleep(Duration::from_secs(1));
        let with = target.resident_kib()?;
        drop(clients);
        let mut row = Row::new(target.target, IDLE, 1);
        row.rss_mib = with.map(|kib| kib / 1024.0);
        row.idle_client_kib =
            with.zip(before).map(|(with, before)| (with - before) / f64::from(IDLE.clients));
        emit(row)?;
    }
    Ok(())
}

fn measure_rounds(
    plan: &Plan,
    running: &[Running],
    folder: &Path,
    emit: &mut impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    for round in 1..=plan.rounds {
        for cell in &plan.cells {
            eprintln!("round {round} of {}: {}", plan.rounds, report::title(*cell));
            // Whoever comes first finds the machine rested; everybody is first in turn.
            let first = usize::try_from(round)? % running.len();
            for target in running.iter().cycle().skip(first).take(running.len()) {
                emit(measure(*cell, target, round, plan.seconds, folder)?)?;
            }
        }
    }
    Ok(())
}

fn measure(cell: Cell, target: &Running, round: u32, seconds: u32, folder: &Path) -> Result<Row> {
    let load = Sysbench::start(cell, target.port, seconds, folder)?;
    // Counted from here on, the logins of the clients are not taken for statements.
    let before = target.cpu()?;
    let measured = load.finish()?;
    let after = target.cpu()?;
    let mut row = Row::new(target.target, cell, round);
    row.qps = Some(measured.qps);
    row.p50_us = Some(measured.p50_us);
    row.p99_us = Some(measured.p99_us);
    row.proxy_cpu_us_per_query = after
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before).as_secs_f64() * 1e6 / measured.queries);
    row.rss_mib = target.resident_kib()?.map(|kib| kib / 1024.0);
    Ok(row)
}
