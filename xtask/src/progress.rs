//! Progress lines: which step runs, and how long the last one took.

use std::time::Instant;

use anyhow::Result;

/// Numbered steps of a known total.
pub(crate) struct Progress {
    done: usize,
    total: usize,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        Self { done: 0, total, started: Instant::now() }
    }

    /// Runs one step between two lines: its name, and the time that it took.
    pub(crate) fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.done += 1;
        let label = format!("[{}/{}] {name}", self.done, self.total);
        eprintln!("{label} …");
        let started = Instant::now();
        let result = work();
        let verdict = if result.is_ok() { "" } else { "failed after " };
        eprintln!("{label}: {verdict}{:.1} s", started.elapsed().as_secs_f64());
        result
    }

    /// The closing line.
    pub(crate) fn finish(self, what: &str) {
        eprintln!("{what} in {:.0} s", self.started.elapsed().as_secs_f64());
    }
}
