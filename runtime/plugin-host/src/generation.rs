//! What is published at once: which plugins run for which listener, and in which order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_hook::{Hooked, ListenerId};

use crate::loaded::Loaded;
use crate::reaper::Reaper;
use crate::settings::ListenerPlugins;

/// One published set of plugins. It is dropped with the last call that uses it.
pub(crate) struct Generation {
    pub(crate) number: u64,
    /// All of them, by order and name.
    pub(crate) plugins: Vec<Arc<Loaded>>,
    /// By the number of the listener.
    chains: Vec<Chain>,
    mark: Option<LiveMark>,
    reaper: Reaper,
}

/// The plugins of one listener, for each hook those that have it.
#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) connection: Vec<Arc<Loaded>>,
    pub(crate) connection_observer: Vec<Arc<Loaded>>,
    pub(crate) sql: Vec<Arc<Loaded>>,
    pub(crate) sql_observer: Vec<Arc<Loaded>>,
}

/// Counts a generation until all that it held is gone.
struct LiveMark(Arc<AtomicUsize>);

impl LiveMark {
    fn new(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(live))
    }
}

impl Drop for LiveMark {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Generation {
    /// Arranges the plugins, which come in the order of their names, for each listener.
    pub(crate) fn new(
        number: u64,
        mut plugins: Vec<Arc<Loaded>>,
        listeners: &[ListenerPlugins],
        live: &Arc<AtomicUsize>,
        reaper: Reaper,
    ) -> Self {
        plugins.sort_by(|one, two| {
            let key = |p: &Loaded| (p.blueprint.sidecar.order, Arc::clone(&p.plugin.name));
            key(one).cmp(&key(two))
        });
        let mut chains = Vec::new();
        for listener in listeners {
            let position = usize::from(listener.id.0);
            if chains.len() <= position {
                chains.resize_with(position + 1, Chain::default);
            }
            if let Some(chain) = chains.get_mut(position) {
                *chain = Chain::new(arrange(listener, &plugins));
            }
        }
        let mark = Some(LiveMark::new(live));
        Self { number, plugins, chains, mark, reaper }
    }

    /// The plugins of a listener; `None` for one that there was not in the settings.
    pub(crate) fn chain(&self, listener: ListenerId) -> Option<&Chain> {
        self.chains.get(usize::from(listener.0))
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.chains.clear();
        self.plugins.clear();
        // The mark stands in the line behind the stores that have just been handed over.
        if let Some(mark) = self.mark.take() {
            self.reaper.bury(mark);
        }
    }
}

/// The plugins that a listener wants, among those that want it.
fn arrange(listener: &ListenerPlugins, plugins: &[Arc<Loaded>]) -> Vec<Arc<Loaded>> {
    let wants_it = |plugin: &&Arc<Loaded>| {
        let listeners = plugin.blueprint.sidecar.listeners.as_ref();
        listeners.is_none_or(|names| names.contains(&listener.name))
    };
    let candidates = plugins.iter().filter(wants_it);
    let Some(names) = &listener.plugins else {
        return candidates.cloned().collect();
    };
    let candidates: Vec<_> = candidates.collect();
    let find = |name: &String| candidates.iter().find(|p| *p.plugin.name == **name);
    names.iter().filter_map(find).map(|plugin| Arc::clone(plugin)).collect()
}

impl Chain {
    fn new(plugins: Vec<Arc<Loaded>>) -> Self {
        let mut chain = Self::default();
        for plugin in plugins {
            let exports = &plugin.blueprint.compiled.exports;
            for (has, list) in [
                (exports.connection.is_some(), &mut chain.connection),
                (exports.connection_observer.is_some(), &mut chain.connection_observer),
                (exports.sql.is_some(), &mut chain.sql),
                (exports.sql_observer.is_some(), &mut chain.sql_observer),
            ] {
                if has {
                    list.push(Arc::clone(&plugin));
                }
            }
        }
        chain
    }

    /// The hooks that are worth calling.
    pub(crate) fn hooked(&self) -> Hooked {
        let mut hooked = Hooked::empty();
        hooked.set(Hooked::CONNECTION, !self.connection.is_empty());
        hooked.set(Hooked::CONNECTION_OBSERVER, !self.connection_observer.is_empty());
        hooked.set(Hooked::SQL, !self.sql.is_empty());
        hooked.set(Hooked::SQL_OBSERVER, !self.sql_observer.is_empty());
        hooked
    }
}
