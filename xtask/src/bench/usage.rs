//! What a process has used, by the kernel's own accounting.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// What all threads that a process has now have used until now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// CPU time, user and system.
    ///
    /// The sum of utime and stime in `/proc/<pid>/stat` is the same, in steps of 10 ms; these are nanoseconds.
    pub(super) cpu: Duration,
    /// How often a thread had nothing to do and slept; it was woken as often.
    pub(super) wakeups: f64,
}

impl Usage {
    /// Reads it for a process.
    pub(super) fn of(process: u32) -> Result<Self> {
        let mut all = Self::default();
        for thread in fs::read_dir(folder(process).join("task"))? {
            // A thread that ended since it was listed has nothing more to say.
            let Some(statistics) = Statistics::read(&thread?.path()) else { continue };
            let one = statistics.parse()?;
            all = Self { cpu: all.cpu + one.cpu, wakeups: all.wakeups + one.wakeups };
        }
        Ok(all)
    }

    /// What was used since an earlier reading.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            wakeups: (self.wakeups - before.wakeups).max(0.0),
        }
    }
}

/// Two files of a thread, as the kernel writes them.
struct Statistics {
    schedstat: String,
    status: String,
}

impl Statistics {
    fn read(thread: &Path) -> Option<Self> {
        let file = |name: &str| fs::read_to_string(thread.join(name)).ok();
        Some(Self { schedstat: file("schedstat")?, status: file("status")? })
    }

    fn parse(&self) -> Result<Usage> {
        Ok(Usage {
            cpu: cpu(&self.schedstat)?,
            wakeups: field(&self.status, "voluntary_ctxt_switches:")?,
        })
    }
}

/// CPU time of a process and all its children, with those threads and children that have ended.
pub(super) fn cpu_of_family(process: u32) -> Result<Duration> {
    let mut children = Duration::ZERO;
    for thread in fs::read_dir(folder(process).join("task"))? {
        let Ok(ids) = fs::read_to_string(thread?.path().join("children")) else { continue };
        for child in ids.split_whitespace() {
            // A child that ended since it was listed is among those that are waited for below.
            let statistics = fs::read_to_string(format!("/proc/{child}/schedstat"));
            children += statistics.map_or(Ok(Duration::ZERO), |text| cpu(&text))?;
        }
    }
    let statistics = fs::read_to_string(folder(process).join("stat"))?;
    Ok(children + ticks(&statistics).context("the kernel's stat")?)
}

/// CPU time of a process and of the children that it has waited for, by its `/proc/<pid>/stat`.
fn ticks(statistics: &str) -> Option<Duration> {
    // The program's name is in parentheses, and may have anything in it.
    let (_, fields) = statistics.rsplit_once(')')?;
    // utime, stime, cutime, cstime
    let fields = fields.split_whitespace().skip(11).take(4).map(str::parse);
    let ticks: u64 = fields.collect::<Result<Vec<u64>, _>>().ok()?.iter().sum();
    // SAFETY: sysconf has no preconditions.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
    Some(Duration::from_micros(ticks * (1_000_000 / per_second)))
}

/// CPU time of a thread, by its `schedstat`.
fn cpu(statistics: &str) -> Result<Duration> {
    let nanoseconds = statistics.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(nanoseconds.parse().context("the kernel's schedstat")?))
}

/// Resident memory in KiB.
pub(super) fn resident_kib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(folder(process).join("status"))?;
    field(&status, "VmRSS:")
}

/// A number of `/proc/<pid>/status`.
fn field<T: std::str::FromStr>(status: &str, name: &'static str) -> Result<T> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).with_context(|| format!("the kernel's {name}"))
}

fn folder(process: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{process}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_says_what_it_used() {
        let statistics = Statistics {
            schedstat: "1500 20 3\n".to_owned(),
            status: "Name:\tx\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t9\n"
                .to_owned(),
        };
        let expected = Usage { cpu: Duration::from_nanos(1500), wakeups: 7.0 };
        assert_eq!(statistics.parse().unwrap(), expected);
    }

    #[test]
    fn a_process_has_used_what_it_and_its_children_have() {
        let statistics = "7 (a (b) c) S 1 7 7 0 -1 4194560 0 0 0 0 150 20 30 4 20 0 1 0 99\n";
        // A tick is 10 ms wherever Linux runs.
        assert_eq!(ticks(statistics), Some(Duration::from_millis(2040)));
        assert_eq!(ticks("7 (cut short"), None);
    }
}
