//! `cargo xtask demo`: from a fresh checkout to a running proxy, with nothing installed but Rust.

use std::process::Command;

use anyhow::Result;

use crate::progress::Progress;
use crate::{plugins, prerequisites, shell};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after the tour; the exit code says whether all was well
    #[arg(long)]
    check: bool,
}

/// Builds what is shown, then becomes the demo itself: Ctrl-C is its business.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut progress = Progress::new(4);
    progress.step("the target of plugins", prerequisites::install_wasm_target)?;
    progress.step("building the sample plugins", plugins::build_for_demo)?;
    progress.step("building tidegate (minutes, the first time)", build_tidegate)?;
    progress.step("building the demo", build_driver)?;
    let built = shell::target_dir();
    let mut command = Command::new(built.join("debug/tidegate-demo"));
    command.arg("--tidegate").arg(built.join("release/tidegate"));
    for workspace in plugins::WORKSPACES {
        command.arg("--components").arg(plugins::components(workspace));
    }
    if args.check {
        command.arg("--check");
    }
    shell::become_it(&mut command)
}

fn build_tidegate() -> Result<()> {
    let mut command = shell::cargo(".");
    command.args(["build", "--release", "--locked", "--package", "tidegate"]);
    shell::run(&mut command)
}

/// Unoptimised: the embedded servers are small, and optimising SQLite takes a minute.
fn build_driver() -> Result<()> {
    let mut command = shell::cargo(".");
    command.args(["build", "--locked", "--package", "tidegate-demo-upstreams"]);
    shell::run(&mut command)
}
