//! The files of the plugin directory, read again only where they have changed.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::component::FILE_BYTES_MAX;

/// A sidecar file is written by hand.
const SIDECAR_BYTES_MAX: u64 = 1 << 20;
/// A file that changed this recently may change again without a new time stamp.
const SETTLED: Duration = Duration::from_secs(2);

/// The content of a file, as far as equality goes.
pub(crate) type Hash = [u8; 32];

/// A plugin's files as they are now.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) name: String,
    pub(crate) wasm: Content,
    pub(crate) sidecar: Option<Content>,
}

/// One file. Its bytes are there if it was read in this scan, or cannot be had.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) path: PathBuf,
    pub(crate) hash: Hash,
    pub(crate) bytes: Option<Result<Vec<u8>, Unreadable>>,
}

/// Why a file's bytes cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    TooLarge,
    Failed(String),
}

impl Content {
    /// The bytes, read now if they were not before.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, Unreadable> {
        self.bytes.unwrap_or_else(|| read(&self.path, FILE_BYTES_MAX))
    }
}

/// A directory, and what its files were when they were last read.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    seen: BTreeMap<PathBuf, Seen>,
}

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    settled: bool,
    hash: Hash,
}

/// What tells that a file has changed, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    file: u64,
}

impl Directory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, seen: BTreeMap::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The plugins that are there, by name. `thorough`: read even what looks unchanged.
    pub(crate) fn scan(&mut self, thorough: bool) -> io::Result<Vec<Files>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(plugin_name(&entry?.path()));
        }
        names.sort();
        let mut kept = BTreeMap::new();
        let plugins = names.into_iter().filter_map(|name| {
            let wasm = self.path.join(format!("{name}.wasm"));
            let sidecar = self.path.join(format!("{name}.toml"));
            let wasm = self.content(wasm, FILE_BYTES_MAX, thorough, &mut kept)?;
            let sidecar = self.content(sidecar, SIDECAR_BYTES_MAX, thorough, &mut kept);
            Some(Files { name, wasm, sidecar })
        });
        let plugins = plugins.collect();
        self.seen = kept;
        Ok(plugins)
    }

    /// `None` if there is no such file.
    fn content(
        &self,
        path: PathBuf,
        max: u64,
        thorough: bool,
        kept: &mut BTreeMap<PathBuf, Seen>,
    ) -> Option<Content> {
        let metadata = fs::metadata(&path).ok().filter(Metadata::is_file)?;
        let stamp = Stamp::of(&metadata);
        let seen = self.seen.get(&path).filter(|seen| seen.settled && seen.stamp == stamp);
        let (hash, settled, bytes) = match seen.filter(|_| !thorough) {
            Some(seen) => (seen.hash, true, None),
            None => {
                let bytes = read(&path, max);
                if bytes.is_err() && !path.exists() {
                    // It went while it was looked at.
                    return None;
                }
                (hash(&bytes), stamp.is_settled(), Some(bytes))
            }
        };
        kept.insert(path.clone(), Seen { stamp, settled, hash });
        Some(Content { path, hash, bytes })
    }
}

/// The name of the plugin whose component this is. Hidden files and those of editors are none.
fn plugin_name(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let first = stem.chars().next()?;
    let named = path.extension().is_some_and(|extension| extension == "wasm");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (named && first.is_ascii_alphanumeric() && stem.chars().all(plain)).then(|| stem.to_owned())
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>, Unreadable> {
    let failed = |error: io::Error| Unreadable::Failed(error.to_string());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(max + 1).read_to_end(&mut bytes).map_err(failed)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|len| len <= max);
    if fits { Ok(bytes) } else { Err(Unreadable::TooLarge) }
}

fn hash(bytes: &Result<Vec<u8>, Unreadable>) -> Hash {
    match bytes {
        Ok(bytes) => Sha256::digest(bytes).into(),
        Err(Unreadable::TooLarge) => [1; 32],
        Err(Unreadable::Failed(why)) => Sha256::digest(why).into(),
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().ok(), len: metadata.len(), file: inode(metadata) }
    }

    fn is_settled(&self) -> bool {
        let age = self.modified.and_then(|modified| modified.elapsed().ok());
        age.is_some_and(|age| age > SETTLED)
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_metadata: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_components_with_plain_names_are_plugins() {
        for name in ["a.wasm", "10-auth_router.v2.wasm"] {
            assert!(plugin_name(Path::new(name)).is_some(), "{name}");
        }
        for name in [".a.wasm", "a.wasm~", "a.wasm.tmp", "a.toml", "~a.wasm", "a b.wasm", ".wasm"] {
            assert_eq!(plugin_name(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn content_is_read_again_when_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let mut directory = Directory::new(dir.path().to_owned());
        let hashes = |directory: &mut Directory, thorough| {
            let plugins = directory.scan(thorough).unwrap();
            let hash = |files: Files| (files.name, files.wasm.hash, files.sidecar.map(|s| s.hash));
            plugins.into_iter().map(hash).collect::<Vec<_>>()
        };
        assert!(hashes(&mut directory, true).is_empty());
        fs::write(dir.path().join("b.wasm"), "one").unwrap();
        fs::write(dir.path().join("a.wasm"), "one").unwrap();
        let before = hashes(&mut directory, true);
        assert_eq!(before.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        fs::write(dir.path().join("a.wasm"), "two").unwrap();
        fs::write(dir.path().join("b.toml"), "").unwrap();
        // Not thorough, and the same length within the same second: it must be noticed anyway.
        let after = hashes(&mut directory, false);
        assert_ne!(before[0].1, after[0].1);
        assert_eq!(before[1].1, after[1].1);
        assert!(after[1].2.is_some());
        fs::remove_file(dir.path().join("a.wasm")).unwrap();
        assert_eq!(hashes(&mut directory, false), after[1..]);
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error_and_not_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Directory::new(dir.path().join("missing")).scan(true).is_err());
    }
}
