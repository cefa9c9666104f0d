//! What differs between protocols: the servers, the load, and the proxies to compare with.

use std::path::Path;

use anyhow::Result;

use super::plan::{Cell, Load};
use super::process::Process;
use super::target::Target;

/// The client that every load comes from.
pub(super) const USER: &str = "app";
pub(super) const PASSWORD: &str = "apppw";
pub(super) const DATABASE: &str = "bench";

/// More clients than any load has.
pub(super) const CLIENTS_MAX: u32 = 4000;

/// The benchmark of one protocol.
pub(super) struct Benchmark {
    pub(super) targets: &'static [Target],
    /// What is measured when there is little time.
    pub(super) quick_targets: &'static [Target],
    pub(super) loads: &'static [Load],
    /// Installs the servers and the programs that put them under load.
    pub(super) install: fn() -> Result<()>,
    pub(super) start_servers: fn(&Path) -> Result<Box<dyn Servers>>,
}

/// A primary and its replica, filled and in step.
pub(super) trait Servers {
    /// As rows and tidegate's configuration name it.
    fn protocol(&self) -> &'static str;

    fn primary(&self) -> &Server;

    fn replica(&self) -> &Server;

    /// Waits until the replica has done what the primary has.
    fn wait_for_replica(&self) -> Result<()>;

    /// Starts a load through `port` and waits until its clients are logged in.
    fn start_load(
        &self,
        cell: Cell,
        port: u16,
        seconds: u32,
        folder: &Path,
    ) -> Result<Box<dyn RunningLoad>>;
}

pub(super) struct Server {
    pub(super) port: u16,
    pub(super) process: Process,
}

/// A load whose clients are all logged in. Dropped, it ends at once.
pub(super) trait RunningLoad {
    /// Waits until what is measured is over. The clients may be gone by then, or still at work.
    fn work(&mut self) -> Result<()>;

    /// Waits for the end of the run.
    fn finish(self: Box<Self>) -> Result<Measured>;
}

/// What one run measured. Times are microseconds, of a statement or of a whole transaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) queries: f64,
    pub(super) qps: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}
