//! `cargo xtask bench hooks`: what one call into a plugin costs.

use anyhow::Result;
use clap::Args;

use crate::{plugins, shell};

#[derive(Args)]
pub(super) struct HooksArgs {
    /// Print one JSON object a case instead of the table
    #[arg(long)]
    json: bool,
    /// Fewer calls in fewer rounds
    #[arg(long)]
    quick: bool,
}

/// Builds and runs the benchmark that lives beside the plugin host.
pub(super) fn run(args: &HooksArgs) -> Result<()> {
    plugins::build()?;
    let mut command = shell::cargo(".");
    command.args(["run", "--release", "--locked", "--quiet"]);
    command.args(["-p", "tidegate-plugin-host", "--example", "bench_hooks", "--"]);
    if args.json {
        command.arg("--json");
    }
    if args.quick {
        command.arg("--quick");
    }
    shell::run(&mut command)
}
