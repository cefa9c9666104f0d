//! What a process has used, by the kernel's own accounting.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The CPU time, user and system, of all threads that a process has now.
///
/// The sum of utime and stime in `/proc/<pid>/stat` is the same, in steps of 10 ms; these are nanoseconds.
pub(super) fn cpu(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(folder(process).join("task"))? {
        // A thread that ended since it was listed has nothing more to say.
        let Ok(statistics) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let spent = statistics.split(' ').next().unwrap_or_default();
        nanoseconds += spent.parse::<u64>().context("the kernel's schedstat")?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory in KiB.
pub(super) fn resident_kib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(folder(process).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.context("the kernel's VmRSS")?.parse().context("the kernel's VmRSS")
}

fn folder(process: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{process}"))
}
