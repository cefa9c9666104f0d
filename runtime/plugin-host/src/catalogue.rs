//! What is known of each plugin file: what was tried last, what came of it, what can be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::component::{Compiled, LoadError};
use crate::directory::{Files, Hash};
use crate::loaded::Loaded;

/// All plugin files, by name.
#[derive(Default)]
pub(crate) struct Catalogue {
    entries: BTreeMap<String, Entry>,
}

/// One plugin file.
#[derive(Default)]
pub(crate) struct Entry {
    tried: Option<Tried>,
    /// The latest version that started; it serves until a newer one does.
    usable: Option<Arc<Loaded>>,
    /// Why the files as they are now cannot be used.
    error: Option<LoadError>,
    versions: u64,
}

/// The content of the files that were tried last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tried {
    wasm: Hash,
    sidecar: Option<Hash>,
}

impl Tried {
    fn of(files: &Files) -> Self {
        Self { wasm: files.wasm.hash, sidecar: files.sidecar.as_ref().map(|sidecar| sidecar.hash) }
    }
}

impl Catalogue {
    /// Which of these files are not what was tried last.
    pub(crate) fn changed(&self, found: Vec<Files>) -> Vec<Files> {
        let is_new = |files: &Files| {
            let entry = self.entries.get(&files.name);
            entry.and_then(|entry| entry.tried) != Some(Tried::of(files))
        };
        found.into_iter().filter(is_new).collect()
    }

    /// The plugins whose files are not among these.
    pub(crate) fn missing(&self, found: &[Files]) -> Vec<String> {
        let gone = |name: &&String| !found.iter().any(|files| files.name == **name);
        self.entries.keys().filter(gone).cloned().collect()
    }

    /// The compiled component of this content, if it is the one in use.
    pub(crate) fn compiled(&self, name: &str, wasm: &Hash) -> Option<Arc<Compiled>> {
        let compiled = &self.entries.get(name)?.usable.as_ref()?.blueprint.compiled;
        (compiled.hash == *wasm).then(|| Arc::clone(compiled))
    }

    /// The number of the plugin's next version.
    pub(crate) fn next_version(&self, name: &str) -> u64 {
        self.entries.get(name).map_or(0, |entry| entry.versions) + 1
    }

    /// Notes what came of trying these files.
    pub(crate) fn tried(&mut self, files: &Files, result: Result<Arc<Loaded>, LoadError>) {
        let entry = self.entries.entry(files.name.clone()).or_default();
        entry.tried = Some(Tried::of(files));
        match result {
            Ok(loaded) => {
                entry.versions = loaded.version;
                entry.error = None;
                entry.usable = Some(loaded);
            }
            Err(error) => entry.error = Some(error),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }

    /// What a generation is made of.
    pub(crate) fn usable(&self) -> Vec<Arc<Loaded>> {
        self.entries.values().filter_map(|entry| entry.usable.clone()).collect()
    }

    /// The plugins whose files cannot be used as they are, and why.
    pub(crate) fn errors(&self) -> Vec<(String, String)> {
        let error = |(name, entry): (&String, &Entry)| {
            Some((name.clone(), entry.error.as_ref()?.to_string()))
        };
        self.entries.iter().filter_map(error).collect()
    }
}
