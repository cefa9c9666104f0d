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
        let nanoseconds = self.schedstat.split(' ').next().unwrap_or_default();
        Ok(Usage {
            cpu: Duration::from_nanos(nanoseconds.parse().context("the kernel's schedstat")?),
            wakeups: field(&self.status, "voluntary_ctxt_switches:")?,
        })
    }
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
}
