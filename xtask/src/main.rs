//! The project's own commands: `cargo xtask <command>`.

mod audit;
mod bench;
mod debian_sid;
mod demo;
mod plugins;
mod prerequisites;
mod progress;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The commands of the tidegate project")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show tidegate at work in front of embedded servers, and serve until Ctrl-C
    Demo(demo::Args),
    /// Install what the tests need, build, and run every test
    Test(test::Args),
    /// Download MySQL 9 from Debian sid, and run the tests that are for it alone
    Mysql9,
    /// Download PostgreSQL 18 from Debian sid, and run the tests that are for it alone
    Postgres18,
    /// Build the sample plugins and the plugins that the tests use
    Plugins,
    /// Measure tidegate beside what it is compared with
    Bench(bench::BenchArgs),
    /// Check that the code keeps the rules of the house
    Tidy,
    /// Check licences, duplicates and sources of all dependencies
    Audit(audit::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Mysql9 => test::run_with_mysql9(),
        Command::Postgres18 => test::run_with_postgres18(),
        Command::Plugins => plugins::build(),
        Command::Bench(args) => bench::run(args),
        Command::Tidy => tidy::run(),
        Command::Audit(args) => audit::run(&args),
    }
}
