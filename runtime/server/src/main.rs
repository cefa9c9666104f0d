//! `tidegate`: a proxy for databases that its users program with WebAssembly plugins.
//!
//! This file reads the command line; `run` puts the process together.

mod admin;
mod exit;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tidegate_config::Config;

use crate::exit::Exit;

/// A programmable proxy for MySQL, MariaDB and PostgreSQL.
///
/// It authenticates clients, keeps connections to your servers, and asks the plugins that you drop
/// into a directory where each session and each statement goes.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP opens the query logs anew.
    Run(ConfigFile),
    /// Read the configuration, say what is wrong with it, and stop.
    Check(ConfigFile),
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(short, long, default_value = "tidegate.toml", value_name = "FILE")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(file) => load(&file.config).and_then(|config| run::run(&config)),
        Command::Check(file) => load(&file.config).map(|config| {
            println!(
                "{}: ok ({} upstreams, {} listeners)",
                file.config.display(),
                config.upstreams.len(),
                config.listeners.len()
            );
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("{}", exit.message);
            ExitCode::from(exit.code)
        }
    }
}

fn load(path: &Path) -> Result<Config, Exit> {
    let config = tidegate_config::load(path).map_err(|errors| Exit::config(&errors))?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(config)
}
