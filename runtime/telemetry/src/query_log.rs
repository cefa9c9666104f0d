//! The query log: one JSON object a line for each statement.
//!
//! Sessions never wait for the disk. They put finished lines into a bounded queue; a thread of its
//! own writes them. What finds the queue full is dropped and counted.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use prometheus::IntCounter;
use serde::{Serialize, Serializer};

use crate::labels::{KindLabel, OutcomeLabel, VerdictLabel};
use crate::listener::ListenerMetrics;
use crate::timestamp::Rfc3339;

/// No more lines than this wait for the disk.
const QUEUE: usize = 8192;
/// No more of a statement than this is logged, in bytes; with [`QUEUE`] it bounds the memory.
const QUERY_MAX: usize = 2048;
/// How long the writer looks away when there is nothing to write. While it looks away, senders
/// need not wake it, which would cost them a system call for each statement.
const NAP: Duration = Duration::from_millis(10);
/// After so many naps in a row without a line it sleeps until it is woken.
const NAPS_MAX: u32 = 100;

/// One statement, as it ended. Secrets and literals must not be in it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueryLogEntry<'a> {
    /// When it ended.
    #[serde(rename = "ts", serialize_with = "rfc3339")]
    pub time: SystemTime,
    pub listener: &'a str,
    pub session: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a str>,
    pub user: &'a str,
    /// The client's address.
    pub client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<&'a str>,
    #[serde(serialize_with = "hexadecimal")]
    pub digest: u64,
    /// The normalised text, without literals.
    #[serde(serialize_with = "shortened")]
    pub query: &'a str,
    #[serde(serialize_with = "kind")]
    pub kind: KindLabel,
    /// Where it was meant to go: `orders/replica`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'a str>,
    /// Where it went: the server's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<&'a str>,
    /// Returned, or affected where none are returned.
    pub rows: u64,
    #[serde(rename = "duration_us", serialize_with = "microseconds")]
    pub duration: Duration,
    #[serde(serialize_with = "outcome")]
    pub outcome: OutcomeLabel,
    /// The protocol's code; 0 without an error.
    #[serde(skip_serializing_if = "is_zero")]
    pub error_code: u32,
    /// `None` when no plugin was asked.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "verdict")]
    pub verdict: Option<VerdictLabel>,
    /// The plugin that decided last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<&'a str>,
    /// What plugins have noted.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "map")]
    pub tags: &'a [(String, String)],
}

/// An open query log. Dropping it writes what waits and closes the file.
#[derive(Debug)]
pub struct QueryLog {
    /// `None` only while it is dropped.
    lines: Option<SyncSender<Message>>,
    writer: Option<JoinHandle<()>>,
    dropped: IntCounter,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Reopen,
}

impl QueryLog {
    /// Opens or creates the file to append to it.
    ///
    /// # Errors
    /// The file cannot be opened, or there can be no further thread.
    pub fn open(path: &Path, metrics: &ListenerMetrics) -> io::Result<Self> {
        let file = append(path)?;
        let (lines, queue) = sync_channel(QUEUE);
        let dropped = metrics.query_log_dropped();
        let writer = Writer {
            path: path.to_owned(),
            file,
            pending: Vec::new(),
            lines: 0,
            dropped: dropped.clone(),
            failing: false,
        };
        let thread = std::thread::Builder::new().name("query-log".to_owned());
        let writer = thread.spawn(move || writer.run(&queue))?;
        Ok(Self {
            lines: Some(lines),
            writer: Some(writer),
            dropped,
        })
    }

    /// Logs a statement; never waits.
    pub fn record(&self, entry: &QueryLogEntry<'_>) {
        let mut line = Vec::with_capacity(512);
        let written = serde_json::to_writer(&mut line, entry);
        line.push(b'\n');
        let sent = match (&self.lines, written) {
            (Some(lines), Ok(())) => lines.try_send(Message::Line(line)).is_ok(),
            _ => false,
        };
        if !sent {
            self.dropped.inc();
        }
    }

    /// Opens the file anew, after it was moved away. Lines recorded before go to the old one.
    pub fn reopen(&self) {
        if let Some(lines) = &self.lines {
            // The writer is there as long as the sender is.
            let _ = lines.send(Message::Reopen);
        }
    }
}

impl Drop for QueryLog {
    fn drop(&mut self) {
        // The writer ends when nobody can send any more.
        drop(self.lines.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// The thread's own state.
struct Writer {
    path: PathBuf,
    file: File,
    /// Lines to be written at once, and their number.
    pending: Vec<u8>,
    lines: u64,
    dropped: IntCounter,
    /// The last write failed; said once, not for each line.
    failing: bool,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Message>) {
        let mut naps = 0;
        loop {
            match queue.try_recv() {
                Ok(message) => {
                    naps = 0;
                    self.take(message);
                }
                Err(TryRecvError::Empty) => {
                    self.flush();
                    naps += 1;
                    if naps <= NAPS_MAX {
                        std::thread::sleep(NAP);
                    } else if let Ok(message) = queue.recv() {
                        naps = 0;
                        self.take(message);
                    }
                }
                Err(TryRecvError::Disconnected) => return self.flush(),
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Line(line) => {
                self.pending.extend_from_slice(&line);
                self.lines += 1;
                if self.pending.len() >= 64 << 10 {
                    self.flush();
                }
            }
            Message::Reopen => {
                self.flush();
                self.reopen();
            }
        }
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        match self.file.write_all(&self.pending) {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.dropped.inc_by(self.lines);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(path = ?self.path, %error, "the query log cannot be written");
                }
            }
        }
        self.pending.clear();
        self.lines = 0;
    }

    fn reopen(&mut self) {
        match append(&self.path) {
            Ok(file) => self.file = file,
            Err(error) => {
                tracing::error!(path = ?self.path, %error, "the query log stays with its old file");
            }
        }
    }
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Rfc3339(*time))
}

fn hexadecimal<S: Serializer>(digest: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{digest:016x}"))
}

fn shortened<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text[..text.floor_char_boundary(QUERY_MAX)])
}

fn kind<S: Serializer>(kind: &KindLabel, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

fn outcome<S: Serializer>(outcome: &OutcomeLabel, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.as_str())
}

fn verdict<S: Serializer>(
    verdict: &Option<VerdictLabel>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    verdict.map(VerdictLabel::as_str).serialize(serializer)
}

fn microseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn map<S: Serializer>(tags: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter().map(|(key, value)| (key, value)))
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_zero(code: &u32) -> bool {
    *code == 0
}

#[cfg(test)]
mod tests;
