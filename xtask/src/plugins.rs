//! Builds the workspaces of plugins; they are apart because they are built for WebAssembly.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{prerequisites, shell};

/// The sample plugins, and those that only the tests use.
pub(crate) const WORKSPACES: [&str; 2] = ["plugins", "tests/plugins"];

/// Builds every plugin as a component.
pub(crate) fn build() -> Result<()> {
    prerequisites::install_wasm_target()?;
    WORKSPACES.into_iter().try_for_each(|workspace| build_in(workspace, &[]))
}

/// Builds the sample plugins, and of the others only those that the demo shows.
pub(crate) fn build_for_demo() -> Result<()> {
    prerequisites::install_wasm_target()?;
    build_in("plugins", &[])?;
    build_in("tests/plugins", &["--package", "route-all"])
}

/// Where the components of a workspace are once they are built.
pub(crate) fn components(workspace: &str) -> PathBuf {
    shell::root().join(workspace).join("target/wasm32-wasip2/release")
}

/// Cargo in a workspace of plugins, which keeps its own target directory whatever the user's is.
pub(crate) fn cargo(workspace: &str) -> Command {
    let mut command = shell::cargo(workspace);
    command.env_remove("CARGO_TARGET_DIR");
    command
}

fn build_in(workspace: &str, only: &[&str]) -> Result<()> {
    let mut command = cargo(workspace);
    command.args(["build", "--release", "--locked"]);
    shell::run(command.args(["--target", "wasm32-wasip2"]).args(only))
}
