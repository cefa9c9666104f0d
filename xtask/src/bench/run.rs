//! Every target under every load, interleaved in one run.
//!
//! Absolute numbers drift with the machine; so each round visits all targets before the next begins,
//! and what counts is ratios inside one run.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Args};

use super::plan::{Cell, Workload};
use super::process::allow_many_files;
use super::protocol::Benchmark;
use super::report;
use super::row::Row;
use super::scene::Scene;
use super::target::Target;
use crate::{plugins, shell};

#[derive(Args)]
pub(super) struct LoadArgs {
    /// Write one JSON object a measurement into this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Two rounds of one second, of what is needed most: a few minutes. What is named is measured
    /// in full
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
    targets: Vec<String>,
    /// Only these loads, separated by commas
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
}

/// The argument, where it takes names, with the names that the benchmark has.
pub(super) fn with_names(arg: Arg, benchmark: &Benchmark) -> Arg {
    let names: Vec<PossibleValue> = match arg.get_id().as_str() {
        "targets" => {
            benchmark.targets.iter().map(|target| PossibleValue::new(target.name)).collect()
        }
        "workloads" => {
            let named = benchmark.loads.iter();
            named.map(|load| PossibleValue::new(load.name).help(load.about)).collect()
        }
        _ => return arg,
    };
    arg.value_parser(PossibleValuesParser::new(names))
}

/// What is measured, how long and how often.
struct Plan {
    targets: Vec<Target>,
    cells: Vec<Cell>,
    rounds: u32,
    seconds: u32,
}

impl Plan {
    fn new(benchmark: &Benchmark, args: &LoadArgs) -> Self {
        let named = |names: &[String], name| names.iter().any(|named| named == name);
        let all = if args.quick { benchmark.quick_targets } else { benchmark.targets };
        let targets = match args.targets.as_slice() {
            [] => all.to_vec(),
            names => {
                let targets = benchmark.targets.iter();
                targets.filter(|target| named(names, target.name)).copied().collect()
            }
        };
        let cells = benchmark.loads.iter().flat_map(|load| match args.workloads.as_slice() {
            [] if args.quick => load.quick,
            [] => load.cells,
            names if named(names, load.name) => load.cells,
            _ => &[],
        });
        Self {
            targets,
            cells: cells.copied().collect(),
            rounds: args.rounds.unwrap_or(if args.quick { 2 } else { 5 }),
            seconds: args.seconds.unwrap_or(if args.quick { 1 } else { 4 }),
        }
    }
}

/// What was measured so far.
struct Results {
    rows: Vec<Row>,
    /// Where they are written to as they come.
    file: Option<File>,
    failed: u32,
}

impl Results {
    /// Takes what was measured. One measurement that fails does not cost the others.
    fn push(&mut self, measured: Result<Row>) -> Result<()> {
        let row = match measured {
            Ok(row) => row,
            Err(why) => {
                eprintln!("error: {why:#}");
                self.failed += 1;
                return Ok(());
            }
        };
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", serde_json::to_string(&row)?)?;
        }
        self.rows.push(row);
        Ok(())
    }
}

/// Runs the benchmark of a protocol.
pub(super) fn run(benchmark: &Benchmark, args: &LoadArgs) -> Result<()> {
    let plan = Plan::new(benchmark, args);
    let file = args
        .json
        .as_ref()
        .map(|path| File::create(path).with_context(|| format!("cannot write {}", path.display())));
    let mut results = Results { rows: Vec::new(), file: file.transpose()?, failed: 0 };
    install(benchmark, &plan.targets)?;
    build(&plan.targets)?;
    allow_many_files()?;
    let scene = Scene::set(benchmark, &plan.targets, &plan.cells)?;
    measure(&scene, &plan, &mut results)?;
    print!("{}", report::table(&results.rows, &plan.targets, &plan.cells));
    let failed = results.failed;
    ensure!(failed == 0, "{failed} measurements failed; the table is without them");
    Ok(())
}

fn install(benchmark: &Benchmark, targets: &[Target]) -> Result<()> {
    (benchmark.install)()?;
    for target in targets {
        if let Some(packages) = target.kind.unpacked() {
            packages.install().with_context(|| {
                format!("{} cannot be had; --targets can name the others only", target.name)
            })?;
        }
    }
    Ok(())
}

fn build(targets: &[Target]) -> Result<()> {
    let mut command = shell::cargo(".");
    command.args(["build", "--release", "--locked", "-p", "tidegate-bench-relay"]);
    let setups = || targets.iter().filter_map(|target| target.tidegate());
    if setups().next().is_some() {
        command.args(["-p", "tidegate"]);
    }
    if setups().any(|setup| setup.plugin.is_some()) {
        plugins::build()?;
    }
    shell::run(&mut command)
}

/// Memory first: a process that has served many clients has room to spare for new ones.
fn measure(scene: &Scene, plan: &Plan, results: &mut Results) -> Result<()> {
    let (idle, busy): (Vec<Cell>, Vec<Cell>) =
        plan.cells.iter().partition(|cell| cell.workload == Workload::Idle);
    for cell in idle {
        eprintln!("memory: {}", report::title(cell));
        for target in scene.targets(cell) {
            if let Some(measured) = scene.measure_idle(cell, target).transpose() {
                results.push(measured)?;
            }
        }
    }
    for round in 1..=plan.rounds {
        for cell in &busy {
            eprintln!("round {round} of {}: {}", plan.rounds, report::title(*cell));
            let targets = scene.targets(*cell);
            // Whoever comes first finds the machine rested; everybody is first in turn.
            let first = usize::try_from(round)? % targets.len();
            for target in targets.iter().cycle().skip(first).take(targets.len()) {
                results.push(scene.measure(*cell, target, round, plan.seconds))?;
            }
        }
    }
    Ok(())
}
