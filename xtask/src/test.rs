//! `cargo xtask test`: everything from an empty machine to the last test.

use std::process::Command;

use anyhow::Result;

use crate::progress::Progress;
use crate::{debian_sid, plugins, prerequisites, shell};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only the tests whose names contain this
    filter: Option<String>,
}

/// Installs what is missing, builds, and runs every test. A missing server is an error.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut progress = Progress::new(7);
    prepare(&mut progress)?;
    progress.step("tests of the workspace", || {
        let mut command = shell::cargo(".");
        command.args(["test", "--workspace", "--locked"]);
        shell::run(filtered(&mut command, args))
    })?;
    progress.step("tests of the plugins, natively", || {
        for workspace in plugins::WORKSPACES {
            let mut command = plugins::cargo(workspace);
            command.args(["native-test", "--workspace", "--locked"]);
            shell::run(filtered(&mut command, args))?;
        }
        Ok(())
    })?;
    progress.finish("every test passed");
    Ok(())
}

/// Tests of a server whose packages come from a release of Debian that changes every day: they are
/// apart from the others.
struct Newer {
    name: &'static str,
    server: debian_sid::Unpacked,
    /// The feature of the tests, and the module that it adds.
    feature: &'static str,
    module: &'static str,
}

/// Installs MySQL 9 beside what all tests need, and runs the tests that are for it alone.
pub(crate) fn run_with_mysql9() -> Result<()> {
    let server = debian_sid::MYSQL9;
    Newer { name: "MySQL 9", server, feature: "mysql9", module: "mysql9::" }.run()
}

/// Installs PostgreSQL 18 beside what all tests need, and runs the tests that are for it alone.
pub(crate) fn run_with_postgres18() -> Result<()> {
    let server = debian_sid::POSTGRES18;
    Newer { name: "PostgreSQL 18", server, feature: "postgres18", module: "postgres18::" }.run()
}

impl Newer {
    fn run(&self) -> Result<()> {
        let mut progress = Progress::new(7);
        progress.step(self.name, || self.server.install())?;
        prepare(&mut progress)?;
        progress.step("the tests that are for it", || {
            let mut command = shell::cargo(".");
            command.args(["test", "--package", "tidegate-tests", "--locked"]);
            shell::run(command.args(["--features", self.feature, "--test", "e2e", self.module]))
        })?;
        progress.finish(&format!("every test with {} passed", self.name));
        Ok(())
    }
}

/// Five steps that come before any test.
fn prepare(progress: &mut Progress) -> Result<()> {
    progress.step("servers and clients", prerequisites::install_tools)?;
    progress.step("Python clients", prerequisites::install_python_clients)?;
    progress.step("Node clients", prerequisites::install_node_clients)?;
    progress.step("building the plugins", plugins::build)?;
    progress.step("building tidegate and its tests", build)
}

fn build() -> Result<()> {
    shell::run(shell::cargo(".").args(["build", "--workspace", "--locked"]))?;
    shell::run(shell::cargo(".").args(["test", "--workspace", "--no-run", "--locked"]))
}

fn filtered<'a>(command: &'a mut Command, args: &Args) -> &'a mut Command {
    if let Some(filter) = &args.filter {
        command.arg(filter);
    }
    command
}
