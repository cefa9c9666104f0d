//! `cargo xtask bench`: what tidegate costs, beside what it is compared with.

mod hooks;
mod mysql;
mod others;
mod plan;
mod postgres;
mod process;
mod protocol;
mod report;
mod row;
mod run;
mod scene;
mod target;
mod tidegate;
mod usage;

use anyhow::Result;
use clap::{Args, Subcommand};

use mysql::MYSQL;
use postgres::POSTGRES;
use run::LoadArgs;

#[derive(Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// MySQL through tidegate, other proxies and a bare relay, against a real MariaDB
    #[command(mut_args(|arg| run::with_names(arg, &MYSQL)))]
    Mysql(LoadArgs),
    /// PostgreSQL through tidegate, other proxies and a bare relay, against a real server
    #[command(mut_args(|arg| run::with_names(arg, &POSTGRES)))]
    Postgres(LoadArgs),
    /// One hook call, by size of the statement; reload; recovery from a trap
    Hooks(hooks::HooksArgs),
}

/// Runs one benchmark. The result goes to standard output, progress to standard error.
///
/// # Errors
/// A missing program, a build that fails, a server that does not start, a statement that fails.
pub(crate) fn run(args: BenchArgs) -> Result<()> {
    match args.bench {
        Bench::Mysql(args) => run::run(&MYSQL, &args),
        Bench::Postgres(args) => run::run(&POSTGRES, &args),
        Bench::Hooks(args) => hooks::run(&args),
    }
}
