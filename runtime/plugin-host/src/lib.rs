//! Runs plugins: WebAssembly components that decide where sessions and statements go.
//!
//! This is the only crate that knows wasmtime. The data plane sees it as [`tidegate_hook::Hooks`];
//! the server starts it with [`PluginHost::start`] and asks it for its [`PluginStatus`].
//!
//! Where to look:
//!
//! * `hooks` is the hot path: one call of the data plane, through the chain, to a verdict.
//! * `loaded` is one plugin as it runs now: an instance per worker, its verdict cache, its health.
//! * `instance` is one WebAssembly instance; `imports` and `wasi` are what it can call.
//! * `reload` follows the directory; `generation` is what it publishes.
//! * `plugin` is what of a plugin outlives its versions: key-value store, metrics, log limit.
//! * `background` runs `ticker` hooks, which may wait; nothing else here may.
//!
//! What holds everywhere:
//!
//! * A hot hook never blocks, never does I/O and ends at its deadline. All that it can call returns
//!   at once.
//! * An instance that failed in any way is dropped, never called again.
//! * Nothing that a plugin is given is a secret: names, texts, numbers.
//! * What is slow (compiling, starting, dropping) happens on threads of this crate's own.

mod background;
mod bindings;
mod cache;
mod catalogue;
mod component;
mod decision;
mod directory;
mod failure;
mod generation;
mod health;
mod hooks;
mod host;
mod imports;
mod instance;
mod kv;
mod limits;
mod link;
mod loaded;
mod log_limit;
mod metrics;
mod overrun;
mod plugin;
mod printed;
mod priority;
mod pulse;
mod reaper;
mod reload;
mod request;
mod settings;
mod sidecar;
mod state;
mod status;
mod user_metrics;
mod wasi;
mod watch;

pub use failure::FailureKind;
pub use host::{PluginHost, StartError};
pub use settings::{ListenerPlugins, Settings};
pub use status::{PluginState, PluginStatus};
