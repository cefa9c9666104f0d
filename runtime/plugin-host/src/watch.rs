//! Tells that something in the directory may have changed.

use std::path::Path;
use std::sync::mpsc::Sender;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// What the reload thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Changed,
    Stop,
}

/// Watches a directory for as long as it lives.
pub(crate) struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Starts to watch. Where that cannot be done, the regular look at the files does the work.
    pub(crate) fn start(dir: &Path, signals: &Sender<Signal>) -> notify::Result<Self> {
        let signals = signals.clone();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event.map_or(true, |event| may_be_change(event.kind)) {
                    // The receiver is gone only when the host stops.
                    signals.send(Signal::Changed).ok();
                }
            })?;
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
        Ok(Self { _watcher: watcher })
    }
}

/// Reading is no change; to take our own for one would never end.
fn may_be_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}
