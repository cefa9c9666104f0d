//! Builds the workspaces of plugins; they are apart because they are built for WebAssembly.

use anyhow::Result;

use crate::{prerequisites, shell};

/// The sample plugins, and those that only the tests use.
pub(crate) const WORKSPACES: [&str; 2] = ["plugins", "tests/plugins"];

/// Builds every plugin as a component.
pub(crate) fn build() -> Result<()> {
    prerequisites::install_wasm_target()?;
    for workspace in WORKSPACES {
        let mut command = shell::cargo(workspace);
        command.args([
            "build",
            "--release",
            "--locked",
            "--target",
            "wasm32-wasip2",
        ]);
        shell::run(&mut command)?;
    }
    Ok(())
}
