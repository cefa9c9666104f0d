//! The plugin host: what it is made of, how it starts and stops.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use tidegate_hook::{Hooked, ListenerId, Targets};

use crate::background::BackgroundRuntime;
use crate::catalogue::Catalogue;
use crate::component::Compiler;
use crate::directory::Directory;
use crate::generation::{Chain, Generation};
use crate::metrics::Exporter;
use crate::plugin::Plugins;
use crate::pulse::Pulse;
use crate::reaper::Reaper;
use crate::reload::Reloader;
use crate::settings::{ListenerPlugins, Settings};
use crate::status::PluginStatus;
use crate::watch::Signal;

/// A plugin that was removed is forgotten after this time; until then it can come back to its
/// key-value store.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// Runs the plugins of a directory, and follows what changes there.
pub struct PluginHost {
    pub(crate) shared: Arc<Shared>,
    exporter: Exporter,
    signals: Sender<Signal>,
    reload: Mutex<Option<JoinHandle<()>>>,
}

/// Why the plugin host cannot run at all. A plugin that cannot be loaded is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    #[error("a thread of the plugin host does not start: {0}")]
    Thread(#[from] io::Error),
    #[error("the metrics of the plugin host cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// What the hot path, the reload thread and the admin interface share.
pub(crate) struct Shared {
    pub(crate) workers: usize,
    pub(crate) targets: Arc<Targets>,
    pub(crate) plugins: Plugins,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) reaper: Reaper,
    listeners: Vec<ListenerPlugins>,
    current: ArcSwap<Generation>,
    /// By the number of the listener.
    wanted: Box<[AtomicU8]>,
    catalogue: Mutex<Catalogue>,
    /// Plugins whose files are gone, and since when.
    removed: Mutex<Vec<(String, Instant)>>,
    live: Arc<AtomicUsize>,
    /// The number of the generation that serves; 0 before the first.
    published: AtomicU64,
    pub(crate) reloads: Reloads,
}

/// How reloads ended.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) ok: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl PluginHost {
    /// Starts the host and loads what is in the directory.
    ///
    /// A plugin that cannot be used is reported in the log and in [`Self::status`], and left out.
    ///
    /// # Errors
    /// When the engine, a thread or the metrics cannot be set up.
    pub fn start(settings: Settings) -> Result<Arc<Self>, StartError> {
        let compiler = Compiler::new().map_err(|error| StartError::Engine(error.to_string()))?;
        let pulse = Pulse::start(compiler.engine())?;
        let directory = Directory::new(settings.dir.clone());
        let registry = settings.registry.clone();
        let shared = Arc::new(Shared::new(settings, pulse, Reaper::start()?));
        let exporter = Exporter::register(&registry, &shared)?;
        let (signals, incoming) = channel();
        let background = BackgroundRuntime::start()?;
        let reloader =
            Reloader::new(Arc::clone(&shared), compiler, background, directory, signals.clone());
        let (loaded, is_loaded) = channel();
        let reload = thread::Builder::new()
            .name("plugin-reload".to_owned())
            .spawn(move || reloader.run(&incoming, move || drop(loaded)))?;
        // It ends with an error when the sender is dropped, which is the signal.
        is_loaded.recv().unwrap_or(());
        let reload = Mutex::new(Some(reload));
        Ok(Arc::new(Self { shared, exporter, signals, reload }))
    }

    /// Every plugin file and how it is doing, in the order of the chain; unusable ones last.
    #[must_use]
    pub fn status(&self) -> Vec<PluginStatus> {
        PluginStatus::all(&self.shared)
    }

    /// The number of the generation that serves; it grows by one with each that is published.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.generation_number()
    }

    /// How many generations are in memory: two while one replaces another, otherwise one.
    #[must_use]
    pub fn live_generations(&self) -> usize {
        self.shared.live_generations()
    }

    /// Stops following the directory and takes all plugins out of the chain.
    pub fn shutdown(&self) {
        let reload = lock(&self.reload).take();
        let Some(reload) = reload else { return };
        // An error means that the thread has ended already.
        self.signals.send(Signal::Stop).ok();
        reload.join().ok();
        self.shared.publish_nothing();
        self.exporter.unregister();
    }
}

impl Drop for PluginHost {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Shared {
    fn new(settings: Settings, pulse: Arc<Pulse>, reaper: Reaper) -> Self {
        let Settings { workers, targets, listeners, registry, .. } = settings;
        let live = Arc::default();
        let none = Generation::new(0, Vec::new(), &listeners, &live, reaper.clone());
        let highest = listeners.iter().map(|listener| usize::from(listener.id.0)).max();
        Self {
            workers: workers.max(1),
            targets,
            plugins: Plugins::new(workers, registry, Arc::clone(&pulse)),
            pulse,
            reaper,
            current: ArcSwap::from_pointee(none),
            wanted: (0..highest.map_or(0, |n| n + 1)).map(|_| AtomicU8::new(0)).collect(),
            catalogue: Mutex::default(),
            removed: Mutex::default(),
            live,
            published: AtomicU64::new(0),
            reloads: Reloads::default(),
            listeners,
        }
    }

    /// The place of a worker; threads that are none share the places there are.
    pub(crate) fn worker(&self, number: usize) -> usize {
        if number < self.workers { number } else { number % self.workers }
    }

    pub(crate) fn current(&self) -> Guard<Arc<Generation>> {
        self.current.load()
    }

    pub(crate) fn wanted(&self, listener: ListenerId) -> Hooked {
        let bits = self.wanted.get(usize::from(listener.0));
        bits.map_or(Hooked::empty(), |bits| Hooked::from_bits_retain(bits.load(Ordering::Acquire)))
    }

    pub(crate) fn live_generations(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// Has a first generation been published?
    pub(crate) fn is_loaded(&self) -> bool {
        self.generation_number() != 0
    }

    pub(crate) fn catalogue(&self) -> MutexGuard<'_, Catalogue> {
        lock(&self.catalogue)
    }

    pub(crate) fn listener_names(&self) -> Vec<String> {
        self.listeners.iter().map(|listener| listener.name.clone()).collect()
    }

    /// Makes the usable plugins the ones that serve. `gone`: those that are not among them any more.
    pub(crate) fn publish(&self, took: Duration, gone: &[String]) {
        let usable = self.catalogue().usable();
        self.warn_of_missing(&usable.iter().map(|p| &*p.plugin.name).collect::<Vec<_>>());
        usable.iter().for_each(|plugin| plugin.go_live());
        let number = self.current().number + 1;
        let generation = self.generation(number, usable);
        let names: Vec<String> = generation.plugins.iter().map(|p| p.to_string()).collect();
        tracing::info!(
            target: "plugin", generation = number, took_ms = took.as_millis(),
            "plugins live: {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        );
        self.swap(generation);
        self.reloads.ok.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        lock(&self.removed).extend(gone.iter().map(|name| (name.clone(), now)));
    }

    /// Notes a reload that could not be.
    pub(crate) fn keep_generation(&self) {
        let generation = self.generation_number();
        tracing::warn!(target: "plugin", generation, "nothing was reloaded");
        self.reloads.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn publish_nothing(&self) {
        let number = self.current().number + 1;
        self.swap(self.generation(number, Vec::new()));
        *self.catalogue() = Catalogue::default();
    }

    fn generation(&self, number: u64, plugins: Vec<Arc<crate::loaded::Loaded>>) -> Generation {
        Generation::new(number, plugins, &self.listeners, &self.live, self.reaper.clone())
    }

    fn swap(&self, generation: Generation) {
        let hooked = |id| generation.chain(id).map_or(Hooked::empty(), Chain::hooked);
        let wanted: Vec<_> = self.listeners.iter().map(|l| (l.id, hooked(l.id))).collect();
        let number = generation.number;
        // A hook that is new is wanted before its plugin serves, one that ends until it does not,
        // so that none is left out while both generations are in use.
        for (listener, hooked) in &wanted {
            self.set_wanted(*listener, self.wanted(*listener) | *hooked);
        }
        self.current.store(Arc::new(generation));
        for (listener, hooked) in wanted {
            self.set_wanted(listener, hooked);
        }
        self.published.store(number, Ordering::Release);
    }

    fn set_wanted(&self, listener: ListenerId, hooked: Hooked) {
        if let Some(wanted) = self.wanted.get(usize::from(listener.0)) {
            wanted.store(hooked.bits(), Ordering::Release);
        }
    }

    fn generation_number(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    fn warn_of_missing(&self, names: &[&str]) {
        for listener in &self.listeners {
            let wanted = listener.plugins.iter().flatten();
            for missing in wanted.filter(|name| !names.contains(&name.as_str())) {
                tracing::warn!(
                    target: "plugin", listener = listener.name,
                    "the listener wants plugin {missing}, which is not loaded"
                );
            }
        }
    }

    /// Frees expired keys, and plugins that have been gone for a while.
    pub(crate) fn collect_garbage(&self) {
        let now = self.pulse.now_ms();
        self.plugins.all().iter().for_each(|plugin| plugin.kv.collect(now));
        let mut removed = lock(&self.removed);
        let in_use: Vec<_> = self.catalogue().usable();
        removed.retain(|(name, since)| {
            let back = in_use.iter().any(|plugin| *plugin.plugin.name == **name);
            if !back && since.elapsed() > FORGET_AFTER {
                self.plugins.forget(name);
            }
            !back && since.elapsed() <= FORGET_AFTER
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
