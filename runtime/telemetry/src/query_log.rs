//! The query log: one JSON object a line for each statement.
//!
//! Sessions never wait for the disk, nor for each other. A thread puts its lines into a buffer of
//! its own; a writer looks at all buffers now and then. What finds its buffer full is dropped and
//! counted. Lines of one thread stay in their order; those of two may change places.

mod entry;
mod json;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, park, park_timeout};
use std::time::Duration;

use prometheus::IntCounter;

use crate::listener::ListenerMetrics;
use crate::sharded::Sharded;

pub use entry::QueryLogEntry;

/// A thread's buffer takes no further line beyond this many bytes: what comes while a disk stalls.
const BUFFER_MAX: usize = 2 << 20;
/// A buffer that has grown to this many bytes wakes the writer, and none keeps more when empty.
const BUFFER_USUAL: usize = 256 << 10;
/// How long the writer looks away. Meanwhile nobody need wake it, which would cost a system call
/// for each statement, unless its buffer has become large.
const NAP: Duration = Duration::from_millis(10);
/// After so many naps in a row without a line it sleeps until it is woken.
const NAPS_MAX: u32 = 100;

/// An open query log. Dropping it writes what is left and closes the file.
#[derive(Debug)]
pub struct QueryLog {
    shared: Arc<Shared>,
    /// `None` only while it is dropped.
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    buffers: Sharded<Mutex<Buffer>>,
    output: Mutex<Output>,
    dropped: IntCounter,
    /// The writer sleeps, and the next line has to wake it.
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// Finished lines of one thread.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    lines: u64,
}

#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
    /// Changes places with a thread's buffer, so that the thread need not wait for the disk.
    spare: Buffer,
    /// The last write failed; said once, not for each line.
    failing: bool,
}

impl QueryLog {
    /// Opens or creates the file to append to it.
    ///
    /// # Errors
    /// The file cannot be opened, or there can be no further thread.
    pub fn open(path: &Path, metrics: &ListenerMetrics) -> io::Result<Self> {
        let (path, file) = (path.to_owned(), append(path)?);
        let output = Output { path, file, spare: Buffer::default(), failing: false };
        let shared = Arc::new(Shared {
            buffers: Sharded::new(Mutex::default),
            output: Mutex::new(output),
            dropped: metrics.query_log_dropped(),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let thread = std::thread::Builder::new().name("query-log".to_owned());
        let writer = thread.spawn({
            let shared = Arc::clone(&shared);
            move || shared.write_until_stopped()
        })?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// Logs a statement; never waits for the disk.
    pub fn record(&self, entry: &QueryLogEntry<'_>) {
        let mut buffer = locked(self.shared.buffers.mine());
        let before = buffer.bytes.len();
        if !buffer.append(entry) {
            self.shared.dropped.inc();
        }
        let after = buffer.bytes.len();
        drop(buffer);
        let large = before < BUFFER_USUAL && after >= BUFFER_USUAL;
        if large || self.shared.asleep.load(Ordering::Acquire) {
            self.wake();
        }
    }

    /// Opens the file anew, after it was moved away. Lines recorded before go to the old one.
    ///
    /// # Errors
    /// The file cannot be opened; the log stays with the old one.
    pub fn reopen(&self) -> io::Result<()> {
        self.shared.flush();
        let mut output = locked(&self.shared.output);
        output.file = append(&output.path)?;
        Ok(())
    }

    fn wake(&self) {
        if let Some(writer) = &self.writer {
            writer.thread().unpark();
        }
    }
}

impl Drop for QueryLog {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        if let Some(writer) = self.writer.take() {
            // It ends without a result; if it has panicked, that was reported.
            let _ = writer.join();
        }
    }
}

impl Buffer {
    /// Answers false if there is no room.
    fn append(&mut self, entry: &QueryLogEntry<'_>) -> bool {
        let room = self.bytes.len() < BUFFER_MAX;
        if room {
            entry.write(&mut self.bytes);
            self.lines += 1;
        }
        room
    }
}

impl Shared {
    fn write_until_stopped(&self) {
        let mut idle = 0;
        while !self.stop.load(Ordering::Acquire) {
            idle = if self.flush() { 0 } else { idle + 1 };
            if idle < NAPS_MAX {
                park_timeout(NAP);
            } else {
                self.sleep();
            }
        }
        self.flush();
    }

    /// Waits for a line, or for the end.
    ///
    /// A line that comes before the buffers are looked at is found there. One that comes after
    /// finds `asleep` set, because it takes the same lock later.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::Release);
        let empty = self.buffers.iter().all(|buffer| locked(buffer).lines == 0);
        if empty && !self.stop.load(Ordering::Acquire) {
            park();
        }
        self.asleep.store(false, Ordering::Release);
    }

    /// Writes what all threads have; answers whether there was anything.
    fn flush(&self) -> bool {
        let mut output = locked(&self.output);
        let mut any = false;
        for buffer in self.buffers.iter() {
            std::mem::swap(&mut *locked(buffer), &mut output.spare);
            any |= output.spare.lines > 0;
            self.dropped.inc_by(output.write());
        }
        any
    }
}

impl Output {
    /// Writes and empties the spare buffer; answers how many lines were lost.
    fn write(&mut self) -> u64 {
        let lines = std::mem::take(&mut self.spare.lines);
        let written = self.file.write_all(&self.spare.bytes);
        self.spare.bytes.clear();
        self.spare.bytes.shrink_to(BUFFER_USUAL);
        match written {
            Ok(()) => {
                self.failing &= lines == 0;
                0
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(path = ?self.path, %error, "the query log cannot be written");
                }
                lines
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// A thread that panicked while it held the lock has left whole lines.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
