//! The load generator: starts pgbench and reads what it has logged.

use std::cmp;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::bench::plan::{Cell, Mode, Workload};
use crate::bench::process;
use crate::bench::protocol::{DATABASE, Measured, PASSWORD, RunningLoad, USER};
use crate::shell;

/// In units of 100,000 accounts.
const SCALE: u32 = 10;
const PAUSE: Duration = Duration::from_millis(2);
/// What the first statements of a client bring about is not what a statement costs.
const WARM_UP: Duration = Duration::from_millis(500);
/// Longer than any load. It would begin to count before its clients have connected.
const SECONDS_MAX: u32 = 3600;

/// A run whose clients are all logged in.
pub(super) struct Pgbench {
    child: Child,
    complaints: BufReader<ChildStderr>,
    /// Where it writes a line for each transaction, in a file for each thread.
    logs: TempDir,
    workload: Workload,
    window: Window,
}

/// When what is measured begins and ends, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    from: u64,
    until: u64,
}

/// Fills the tables that every load works on.
pub(super) fn fill(port: u16) -> Result<()> {
    let mut command = pgbench(port)?;
    command.args(["--initialize", "--quiet"]).arg(format!("--scale={SCALE}"));
    shell::run_quietly(&mut command)
}

impl Pgbench {
    /// Starts a load through `port` and waits until its clients are logged in and warm.
    pub(super) fn start(cell: Cell, port: u16, seconds: u32, folder: &Path) -> Result<Self> {
        let logs = tempfile::Builder::new().prefix("pgbench-").tempdir_in(folder)?;
        let mut command = load(cell, port, folder)?;
        command.arg(format!("--time={SECONDS_MAX}"));
        command.arg("--log").arg(format!("--log-prefix={}", logs.path().join("log").display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start pgbench")?;
        let complaints = child.stderr.take().context("pgbench has no standard error")?;
        let complaints = BufReader::new(complaints);
        let (workload, window) = (cell.workload, Window::default());
        let mut load = Self { child, complaints, logs, workload, window };
        load.wait_for_clients(cell)?;
        sleep(WARM_UP);
        let from = now()?;
        load.window = Window { from, until: from + micros(Duration::from_secs(seconds.into()))? };
        Ok(load)
    }

    /// It does not tell when its clients are logged in, but all have a connection by then.
    fn wait_for_clients(&mut self, cell: Cell) -> Result<()> {
        let mut said = String::new();
        // Until then it has a connection by which it prepares the run.
        while !said.ends_with("end.\n") {
            if self.complaints.read_line(&mut said)? == 0 {
                bail!("pgbench: {said}");
            }
        }
        let wanted = match cell.workload {
            Workload::Churn => 0,
            Workload::PointSelect | Workload::ReadWrite | Workload::Idle => {
                usize::try_from(cell.clients)?
            }
        };
        loop {
            sleep(PAUSE);
            if self.child.try_wait()?.is_some() {
                bail!("pgbench: {}", self.complaint()?);
            }
            if self.count_sockets()? >= wanted {
                return Ok(());
            }
        }
    }

    fn count_sockets(&self) -> Result<usize> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id()))?;
        let targets = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        Ok(targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count())
    }

    fn complaint(&mut self) -> Result<String> {
        let mut text = String::new();
        self.complaints.read_to_string(&mut text)?;
        Ok(text)
    }

    fn measured(&self) -> Result<Measured> {
        let mut latencies = Vec::new();
        for file in fs::read_dir(self.logs.path())? {
            let log = fs::read_to_string(file?.path())?;
            let found = latencies_us(&log, self.workload, self.window);
            latencies.extend(found.context("pgbench logs what cannot be read")?);
        }
        latencies.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (latencies.len() * percent).div_ceil(100);
            Some(f64::from(*latencies.get(rank.checked_sub(1)?)?))
        };
        let (p50, p99) = (percentile(50), percentile(99));
        let queries = f64::from(u32::try_from(latencies.len())?) * statements(self.workload);
        let seconds = Duration::from_micros(self.window.until - self.window.from).as_secs_f64();
        let (p50_us, p99_us) = p50.zip(p99).context("pgbench has not done anything")?;
        Ok(Measured { queries, qps: queries / seconds, p50_us, p99_us })
    }
}

impl RunningLoad for Pgbench {
    fn work(&mut self) -> Result<()> {
        let left = self.window.until.saturating_sub(now()?);
        if left > 0 {
            sleep(Duration::from_micros(left));
            // Whoever slept too long has let the clients work for longer.
            self.window.until = now()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Measured> {
        self.work()?;
        // It takes this for the end of its time, and writes down all that it has counted.
        process::signal(&mut self.child, libc::SIGALRM);
        let complaint = self.complaint()?;
        if !self.child.wait()?.success() {
            bail!("pgbench: {complaint}");
        }
        self.measured()
    }
}

impl Drop for Pgbench {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// pgbench with a connection to the database through `port`.
fn pgbench(port: u16) -> Result<Command> {
    let mut command = Command::new(shell::find("pgbench").context("pgbench is missing")?);
    // A client asks for what it is told to only, and not for encryption first.
    command.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
    command.env("PGPASSWORD", PASSWORD);
    command.arg("--host=127.0.0.1").arg(format!("--port={port}"));
    command.arg(format!("--username={USER}")).env("PGDATABASE", DATABASE);
    Ok(command)
}

/// pgbench with what its clients do.
fn load(cell: Cell, port: u16, folder: &Path) -> Result<Command> {
    let mut command = pgbench(port)?;
    match cell.workload {
        Workload::PointSelect => command.arg("--builtin=select-only"),
        Workload::ReadWrite => command.arg("--builtin=simple-update"),
        Workload::Churn => command.args(["--builtin=select-only", "--connect"]),
        Workload::Idle => command.arg("--file").arg(idle_script(folder)?),
    };
    command.arg(match cell.mode {
        Mode::Text | Mode::Simple => "--protocol=simple",
        Mode::Extended => "--protocol=extended",
        Mode::Prepared => "--protocol=prepared",
    });
    // A thread that connects does nothing else meanwhile.
    let threads = if cell.workload == Workload::Churn { cell.clients } else { 2 };
    command.arg(format!("--jobs={}", cmp::min(threads, cell.clients)));
    command.arg(format!("--client={}", cell.clients));
    Ok(command)
}

/// Clients that are logged in and do nothing.
fn idle_script(folder: &Path) -> Result<PathBuf> {
    let script = folder.join("idle.sql");
    fs::write(&script, "\\sleep 3600 s\n")?;
    Ok(script)
}

/// How many statements a transaction has.
fn statements(workload: Workload) -> f64 {
    match workload {
        Workload::ReadWrite => 5.0,
        Workload::PointSelect | Workload::Churn | Workload::Idle => 1.0,
    }
}

fn now() -> Result<u64> {
    micros(SystemTime::now().duration_since(UNIX_EPOCH)?)
}

fn micros(duration: Duration) -> Result<u64> {
    Ok(duration.as_micros().try_into()?)
}

/// How long the transactions took that were completed in time.
fn latencies_us(log: &str, workload: Workload, window: Window) -> Option<Vec<u32>> {
    let mut latencies = Vec::new();
    let mut last_of = HashMap::new();
    for line in log.lines() {
        let transaction = Transaction::parse(line)?;
        let end = transaction.end_us;
        let before = last_of.insert(transaction.client, end);
        let took = match workload {
            // What is logged begins after the login. But a client has no pause between conversations.
            Workload::Churn => before.map(|before| end.saturating_sub(before)),
            _ => Some(transaction.took_us),
        };
        if (window.from..window.until).contains(&end) {
            latencies.push(u32::try_from(took.unwrap_or(transaction.took_us)).ok()?);
        }
    }
    Some(latencies)
}

/// A line of the log: the client, its transaction, microseconds, the script, when it was completed.
struct Transaction<'a> {
    client: &'a str,
    took_us: u64,
    end_us: u64,
}

impl<'a> Transaction<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(' ');
        let client = fields.next()?;
        let mut number = |skipped| fields.nth(skipped)?.parse::<u64>().ok();
        let took_us = number(1)?;
        let (seconds, micros) = (number(1)?, number(0)?);
        let end_us = seconds.checked_mul(1_000_000)?.checked_add(micros)?;
        Some(Self { client, took_us, end_us })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "0 1 150 0 1700000000 999900
1 1 250 0 1700000001 100
0 2 300 0 1700000001 400
1 2 350 0 1700000001 900
";
    const WINDOW: Window = Window { from: 1_700_000_001_000_000, until: 1_700_000_001_000_900 };

    #[test]
    fn a_log_is_read() {
        let latencies = latencies_us(LOG, Workload::PointSelect, WINDOW);
        assert_eq!(latencies, Some(vec![250, 300]));
    }

    #[test]
    fn a_conversation_lasts_from_the_end_of_the_last() {
        let latencies = latencies_us(LOG, Workload::Churn, WINDOW);
        assert_eq!(latencies, Some(vec![250, 500]));
    }

    #[test]
    fn a_line_that_is_cut_short_is_noticed() {
        assert_eq!(latencies_us("0 1 150 0 17000", Workload::Churn, WINDOW), None);
    }
}
