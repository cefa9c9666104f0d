//! Follows the plugin directory: builds what changed, off the data path, and publishes all or
//! nothing.
//!
//! What changes together goes live together: if one of the changed files cannot be used, the
//! generation that serves stays as it is. A file that is already known to be unusable does not hold
//! up later changes; its latest good version stays in the chain, or it is left out if it has none.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::background::BackgroundRuntime;
use crate::component::{Compiled, Compiler, LoadError};
use crate::directory::{Content, Directory, Files, Unreadable};
use crate::host::Shared;
use crate::instance::Blueprint;
use crate::loaded::Loaded;
use crate::priority::give_way;
use crate::sidecar::{Sidecar, SidecarError};
use crate::watch::{Signal, Watch};

/// How often the files are looked at, whatever the watcher says.
const RESCAN: Duration = Duration::from_millis(500);
/// A change is acted on when nothing has happened for this long …
const QUIET: Duration = Duration::from_millis(50);
/// … or when this much time has passed.
const QUIET_MAX: Duration = Duration::from_millis(200);
/// How long a retired generation is waited for. Calls end at their deadlines, so it will go.
const RETIRE_MAX: Duration = Duration::from_secs(15);

/// The thread that reloads.
pub(crate) struct Reloader {
    shared: Arc<Shared>,
    compiler: Compiler,
    background: BackgroundRuntime,
    directory: Directory,
    signals: Sender<Signal>,
    watch: Option<Watch>,
    /// The directory could not be read; this has been logged.
    unreadable: bool,
}

impl Reloader {
    pub(crate) fn new(
        shared: Arc<Shared>,
        compiler: Compiler,
        background: BackgroundRuntime,
        directory: Directory,
        signals: Sender<Signal>,
    ) -> Self {
        Self { shared, compiler, background, directory, signals, watch: None, unreadable: false }
    }

    /// Loads what is there, says so, and then follows the directory until it is told to stop.
    pub(crate) fn run(mut self, signals: &Receiver<Signal>, loaded: impl FnOnce()) {
        // Before the first compilation, whose threads live on.
        give_way();
        self.scan(true);
        loaded();
        loop {
            match signals.recv_timeout(RESCAN) {
                Ok(Signal::Changed) if settle(signals) => self.scan(true),
                Err(RecvTimeoutError::Timeout) => self.scan(false),
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.shared.collect_garbage();
        }
    }

    /// Looks at the files once and acts on what has changed.
    fn scan(&mut self, thorough: bool) {
        self.watch_if_possible();
        let found = match self.directory.scan(thorough) {
            Ok(found) => found,
            Err(error) => return self.report_unreadable(&error),
        };
        self.unreadable = false;
        let (gone, changed) = {
            let catalogue = self.shared.catalogue();
            (catalogue.missing(&found), catalogue.changed(found))
        };
        if gone.is_empty() && changed.is_empty() && self.shared.is_loaded() {
            return;
        }
        self.wait_for_retired();
        let started = Instant::now();
        let all_usable = self.try_all(changed);
        for name in &gone {
            self.shared.catalogue().remove(name);
        }
        if all_usable || !self.shared.is_loaded() {
            self.shared.publish(started.elapsed(), &gone);
        } else {
            self.shared.keep_generation();
        }
    }

    /// Builds what changed. Returns whether all of it can be used.
    fn try_all(&self, changed: Vec<Files>) -> bool {
        let mut all_usable = true;
        for files in changed {
            let result = self.build(&files).map(Arc::new);
            if let Err(error) = &result {
                all_usable = false;
                tracing::error!(
                    target: "plugin", plugin = files.name,
                    "{} cannot be used: {error}", files.wasm.path.display()
                );
            }
            self.shared.catalogue().tried(&files, result);
        }
        all_usable
    }

    fn build(&self, files: &Files) -> Result<Loaded, LoadError> {
        let sidecar = self.sidecar(files.sidecar.as_ref())?;
        let compiled = self.compiled(files)?;
        let blueprint = Blueprint {
            compiled,
            plugin: self.shared.plugins.get(&files.name),
            targets: Arc::clone(&self.shared.targets),
            config: Arc::new(sidecar.config.clone()),
            sidecar: Arc::new(sidecar),
        };
        let ticks = blueprint.compiled.exports.ticker.is_some();
        let background = ticks.then(|| self.background.instantiate(&blueprint)).transpose()?;
        let version = self.shared.catalogue().next_version(&files.name);
        let reaper = self.shared.reaper.clone();
        Loaded::start(blueprint, version, self.shared.workers, background, reaper)
    }

    fn sidecar(&self, content: Option<&Content>) -> Result<Sidecar, LoadError> {
        let Some(content) = content else {
            return Ok(Sidecar::default());
        };
        let bytes = content.clone().into_bytes()?;
        let text = String::from_utf8(bytes).map_err(|_| SidecarError::not_utf8())?;
        Ok(Sidecar::parse(&text, &self.shared.listener_names())?)
    }

    fn compiled(&self, files: &Files) -> Result<Arc<Compiled>, LoadError> {
        let known = self.shared.catalogue().compiled(&files.name, &files.wasm.hash);
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        let bytes = files.wasm.clone().into_bytes()?;
        self.compiler.compile(&files.name, &bytes, files.wasm.hash).map(Arc::new)
    }

    /// The generation before the one that serves must be gone before the next is made, so that
    /// there are never more than two.
    fn wait_for_retired(&self) {
        let deadline = Instant::now() + RETIRE_MAX;
        while self.shared.live_generations() > 1 {
            if Instant::now() > deadline {
                tracing::warn!(target: "plugin", "a retired generation of plugins is still in use");
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn watch_if_possible(&mut self) {
        if self.watch.is_none() {
            self.watch = Watch::start(self.directory.path(), &self.signals).ok();
        }
    }

    /// What was loaded stays: a directory that is away for a moment must not take plugins down.
    fn report_unreadable(&mut self, error: &std::io::Error) {
        self.watch = None;
        if !self.unreadable {
            let dir = self.directory.path().display();
            tracing::warn!(target: "plugin", "the plugin directory {dir} cannot be read: {error}");
        }
        self.unreadable = true;
        if !self.shared.is_loaded() {
            self.shared.publish(Duration::ZERO, &[]);
        }
    }
}

/// Waits until nothing changes any more. Returns whether to go on at all.
fn settle(signals: &Receiver<Signal>) -> bool {
    let deadline = Instant::now() + QUIET_MAX;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match signals.recv_timeout(left.min(QUIET)) {
            Ok(Signal::Changed) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}

impl From<Unreadable> for LoadError {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::TooLarge => Self::TooLarge,
            Unreadable::Failed(why) => Self::Read(why),
        }
    }
}
