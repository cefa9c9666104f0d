//! `cargo xtask demo`: tidegate in front of small servers, three for each protocol, a tour of what it
//! does, and then it is yours to play with.

mod plugins;
mod proxy;
mod servers;
mod tour;
mod welcome;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use tidegate_demo_upstreams::Protocol;
use tokio::signal::unix::{SignalKind, signal};

use crate::plugins::Plugins;
use crate::proxy::Proxy;
use crate::servers::Servers;

#[derive(Parser)]
struct Args {
    /// The proxy to show
    #[arg(long)]
    tidegate: PathBuf,
    /// Where the plugins were built; several folders are searched in turn
    #[arg(long, required = true)]
    components: Vec<PathBuf>,
    /// End after the tour
    #[arg(long)]
    check: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Whatever ends it, everything that was started and written is dropped with this future.
    tokio::select! {
        result = show(args) => result,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn show(args: Args) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("tidegate-demo-").tempdir()?;
    let mysql = Servers::start(Protocol::MySql, folder.path())?;
    let postgres = Servers::start(Protocol::Postgres, folder.path())?;
    let plugins = Plugins::install_samples(args.components, folder.path())?;
    // It is started in another folder.
    let tidegate = std::path::absolute(&args.tidegate)?;
    let proxy = Proxy::start(&tidegate, folder.path(), &mysql, &postgres).await?;
    let welcome = || welcome::print(&proxy, &mysql, &postgres, folder.path());
    welcome();
    tour::run(&proxy, &mysql, &postgres, &plugins)
        .await
        .with_context(|| format!("the tour failed; tidegate said:\n{}", proxy.log()))?;
    if args.check {
        println!("\nthe tour is over, and everything was as it should be");
        return Ok(());
    }
    welcome();
    println!("serving until Ctrl-C");
    std::future::pending().await
}
