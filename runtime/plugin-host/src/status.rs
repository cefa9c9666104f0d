//! What the admin interface can say about plugins.

use std::fmt::Write;

use crate::failure::FailureKind;
use crate::host::Shared;
use crate::loaded::Loaded;
use crate::plugin::Hook;

/// How a plugin is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// It is in the chain and called.
    Live,
    /// It is in the chain, keeps failing, and is left alone for a while.
    Degraded,
    /// It could not be loaded, and no earlier version of it serves.
    Failed,
}

/// One plugin file.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PluginStatus {
    pub name: String,
    pub state: PluginState,
    /// Counts the versions of this plugin since the start; 0 if none was ever live.
    pub version: u64,
    /// Why the file as it is now is not live, or else the latest failed call.
    pub last_error: Option<String>,
    /// The interfaces of the contract that it exports.
    pub hooks: Vec<&'static str>,
    /// The interfaces that it imports: all that it can do.
    pub imports: Vec<String>,
    /// Of its component, in hexadecimal.
    pub sha256: String,
    /// Calls into it, of all hooks but `ticker`.
    pub calls: u64,
    /// Verdicts that were reused without a call.
    pub cache_hits: u64,
    pub failures: u64,
    /// The most memory that one of its instances has used, in bytes.
    pub memory_high_water: usize,
}

impl PluginStatus {
    pub(crate) fn all(shared: &Shared) -> Vec<Self> {
        let generation = shared.current();
        let mut all: Vec<Self> = generation.plugins.iter().map(|p| Self::of(p)).collect();
        for (name, error) in shared.catalogue().errors() {
            match all.iter_mut().find(|status| status.name == name) {
                Some(status) => status.last_error = Some(error),
                None => all.push(Self::failed(name, error)),
            }
        }
        all
    }

    fn of(loaded: &Loaded) -> Self {
        let (counters, compiled) = (&loaded.plugin.counters, &loaded.blueprint.compiled);
        let degraded = loaded.is_degraded();
        Self {
            name: loaded.plugin.name.to_string(),
            state: if degraded { PluginState::Degraded } else { PluginState::Live },
            version: loaded.version,
            last_error: loaded.last_failure().map(|failure| failure.to_string()),
            hooks: compiled.exports.names(),
            imports: compiled.imports.clone(),
            sha256: hexadecimal(&compiled.hash),
            calls: Hook::ALL.into_iter().map(|hook| counters.calls(hook)).sum(),
            cache_hits: counters.hits(),
            failures: FailureKind::ALL.into_iter().map(|kind| counters.failures(kind)).sum(),
            memory_high_water: counters.memory_high_water(),
        }
    }

    fn failed(name: String, error: String) -> Self {
        Self {
            name,
            state: PluginState::Failed,
            version: 0,
            last_error: Some(error),
            hooks: Vec::new(),
            imports: Vec::new(),
            sha256: String::new(),
            calls: 0,
            cache_hits: 0,
            failures: 0,
            memory_high_water: 0,
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
