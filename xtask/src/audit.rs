//! `cargo xtask audit`: what the dependencies are, where they come from and what they allow.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell;

/// The cargo-deny that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check the advisory database too; it is fetched from the network
    #[arg(long)]
    advisories: bool,
}

/// Runs cargo-deny over every workspace; installs it under the target directory if it is missing.
pub(crate) fn run(args: &Args) -> Result<()> {
    let deny = match shell::find("cargo-deny") {
        Some(deny) => deny,
        None => install()?,
    };
    let mut checks = vec!["licenses", "bans", "sources"];
    if args.advisories {
        checks.push("advisories");
    }
    for workspace in [".", "plugins", "tests/plugins"] {
        let manifest = shell::root().join(workspace).join("Cargo.toml");
        let mut command = Command::new(&deny);
        command.arg("--manifest-path").arg(manifest);
        command.arg("--config").arg(shell::root().join("deny.toml"));
        command.args(["--all-features", "check", "--hide-inclusion-graph"]);
        if workspace != "." {
            // What is known of the main workspace is no news in a smaller one.
            command.args(["--allow", "unmatched-skip"]);
            command.args(["--allow", "license-exception-not-encountered"]);
        }
        shell::run(command.args(&checks))
            .with_context(|| format!("the dependencies of {workspace}"))?;
    }
    Ok(())
}

fn install() -> Result<PathBuf> {
    let folder = shell::target_dir().join("tools");
    let deny = folder.join("bin/cargo-deny");
    if !deny.is_file() {
        eprintln!("installing cargo-deny {VERSION} (some minutes, once)");
        let mut command = shell::cargo(".");
        command.args(["install", "cargo-deny", "--locked", "--version", VERSION, "--root"]);
        shell::run(command.arg(&folder))?;
    }
    Ok(deny)
}
