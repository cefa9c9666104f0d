//! The load generator: starts sysbench and reads what it measured.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::bench::plan::{Cell, Mode, Workload};
use crate::bench::protocol::{DATABASE, Measured, PASSWORD, RunningLoad, USER};
use crate::shell;

const ROWS: u32 = 10_000;
const CHURN: &str = include_str!("churn.lua");

/// A run whose clients are all logged in.
pub(super) struct Sysbench {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it has written since.
    said: String,
}

/// Fills the table that every load works on.
pub(super) fn prepare(port: u16) -> Result<()> {
    let mut command = Command::new("sysbench");
    command.arg("oltp_point_select");
    shell::run_quietly(connection(&mut command, port).arg("prepare"))
}

impl Sysbench {
    /// Starts a load through `port` and waits until its clients are logged in.
    pub(super) fn start(cell: Cell, port: u16, seconds: u32, folder: &Path) -> Result<Self> {
        let mut command = Command::new("sysbench");
        match cell.workload {
            Workload::PointSelect => command.arg("oltp_point_select"),
            Workload::ReadWrite => command.arg("oltp_read_write"),
            Workload::Churn => command.arg(churn_script(folder)?),
            // One statement a second for all of them together: they are idle, and sysbench has its event.
            Workload::Idle => command.args(["oltp_point_select", "--rate=1"]),
        };
        connection(&mut command, port);
        command.arg(format!("--threads={}", cell.clients));
        command.arg(format!("--time={seconds}"));
        command.arg(match cell.mode {
            Mode::Prepared => "--db-ps-mode=auto",
            Mode::Text | Mode::Simple | Mode::Extended => "--db-ps-mode=disable",
        });
        command.args(["--rand-type=uniform", "--histogram=on", "run"]);
        Self::spawn(command)?.wait_for_clients()
    }

    fn spawn(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start sysbench")?;
        let output = child.stdout.take().context("sysbench has no output")?;
        Ok(Self { child, output: BufReader::new(output), said: String::new() })
    }

    fn wait_for_clients(mut self) -> Result<Self> {
        let mut said = String::new();
        while !said.ends_with("Threads started!\n") {
            if self.output.read_line(&mut said)? == 0 {
                bail!("sysbench: {said}{}", self.complaint()?);
            }
        }
        Ok(self)
    }

    fn complaint(&mut self) -> Result<String> {
        let mut text = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut text)?;
        }
        Ok(text)
    }
}

impl RunningLoad for Sysbench {
    fn work(&mut self) -> Result<()> {
        self.output.read_to_string(&mut self.said)?;
        let complaint = self.complaint()?;
        if !self.child.wait()?.success() {
            bail!("sysbench: {}{complaint}", self.said);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Measured> {
        self.work()?;
        let said = &self.said;
        parse(said).with_context(|| format!("cannot read what sysbench says:\n{said}"))
    }
}

impl Drop for Sysbench {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn connection(command: &mut Command, port: u16) -> &mut Command {
    command.args(["--db-driver=mysql", "--mysql-host=127.0.0.1"]);
    command.arg(format!("--mysql-port={port}"));
    command.arg(format!("--mysql-user={USER}")).arg(format!("--mysql-password={PASSWORD}"));
    command.arg(format!("--mysql-db={DATABASE}")).arg(format!("--table-size={ROWS}"))
}

fn churn_script(folder: &Path) -> Result<std::path::PathBuf> {
    let script = folder.join("churn.lua");
    std::fs::write(&script, CHURN)?;
    Ok(script)
}

fn parse(said: &str) -> Option<Measured> {
    // "    queries:                             12345  (6172.31 per sec.)"
    let totals = said.lines().find_map(|line| line.trim().strip_prefix("queries:"))?;
    let (queries, rate) = totals.split_once('(')?;
    let histogram: Vec<(f64, u64)> = said.lines().filter_map(bucket).collect();
    Some(Measured {
        queries: queries.trim().parse().ok()?,
        qps: rate.split_whitespace().next()?.parse().ok()?,
        p50_us: percentile(&histogram, 50)?,
        p99_us: percentile(&histogram, 99)?,
    })
}

/// A line such as `       0.099 |*******      1532`: milliseconds, a bar, how many.
fn bucket(line: &str) -> Option<(f64, u64)> {
    let (value, bar) = line.split_once('|')?;
    let milliseconds: f64 = value.trim().parse().ok()?;
    let count = bar.trim_start_matches('*').trim().parse().ok()?;
    Some((milliseconds * 1000.0, count))
}

fn percentile(histogram: &[(f64, u64)], percent: u64) -> Option<f64> {
    let total: u64 = histogram.iter().map(|(_, count)| count).sum();
    let rank = (total * percent).div_ceil(100);
    let mut seen = 0;
    let reached = |(_, count): &&(f64, u64)| {
        seen += count;
        seen >= rank
    };
    histogram.iter().find(reached).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "
Latency histogram (values are in milliseconds)
       value  ------------- distribution ------------- count
       0.047 |*********                                  50
       0.050 |**************************************** 48
       0.900 |                                         1
       9.000 |                                         1

SQL statistics:
    queries performed:
        read:                            100
    queries:                             100    (50.25 per sec.)
";

    #[test]
    fn a_report_is_read() {
        let expected = Measured { queries: 100.0, qps: 50.25, p50_us: 47.0, p99_us: 900.0 };
        assert_eq!(parse(SAID), Some(expected));
    }

    #[test]
    fn a_report_without_statements_is_refused() {
        assert_eq!(parse("FATAL: no such table\n"), None);
    }
}
