//! What the server tells the plugin host once, at the start.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_hook::{ListenerId, Targets};

/// How to run plugins.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where `name.wasm` and `name.toml` are dropped. It may appear later.
    pub dir: PathBuf,
    /// How many worker threads call hooks; see [`tidegate_hook::set_current_worker`].
    pub workers: usize,
    /// Every name that a plugin may route to.
    pub targets: Arc<Targets>,
    /// The listeners, and which plugins each of them wants.
    pub listeners: Vec<ListenerPlugins>,
    /// Where the metrics of the host and of plugins appear.
    pub registry: prometheus::Registry,
}

/// Which plugins a listener wants, and in which order.
#[derive(Clone, Debug)]
pub struct ListenerPlugins {
    pub id: ListenerId,
    pub name: String,
    /// `None`: all, by the `order` of their sidecar files, then by file name.
    pub plugins: Option<Vec<String>>,
}
