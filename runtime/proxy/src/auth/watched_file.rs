//! Users from a file, which is read again when it has changed.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tracing::{info, warn};

use crate::locked;

/// The file is not looked at more often than this.
const RECHECK: Duration = Duration::from_secs(1);

/// A file, and what it said when it could last be understood.
pub(super) struct WatchedFile<T> {
    path: PathBuf,
    state: Mutex<State<T>>,
}

struct State<T> {
    contents: Arc<T>,
    modified: Option<SystemTime>,
    checked: Instant,
}

impl<T> WatchedFile<T> {
    /// `contents` is what was read of it a moment ago.
    pub(super) fn new(path: &Path, contents: T) -> Self {
        let contents = Arc::new(contents);
        let state = State { contents, modified: modified(path), checked: Instant::now() };
        Self { path: path.to_owned(), state: Mutex::new(state) }
    }

    pub(super) fn contents(&self) -> Arc<T> {
        Arc::clone(&locked(&self.state).contents)
    }

    /// Has the file read again if it has changed; whether something else is known now. A bad one
    /// changes nothing and is reported.
    pub(super) fn recheck<E: Display>(&self, read: impl FnOnce(&Path) -> Result<T, E>) -> bool {
        let mut state = locked(&self.state);
        if state.checked.elapsed() < RECHECK {
            return false;
        }
        state.checked = Instant::now();
        let modified = modified(&self.path);
        if modified == state.modified {
            return false;
        }
        state.modified = modified;
        match read(&self.path) {
            Ok(contents) => {
                info!(file = %self.path.display(), "users were read again");
                state.contents = Arc::new(contents);
                true
            }
            Err(error) => {
                let file = self.path.display();
                warn!(%file, "the users stay as they were: {error}");
                false
            }
        }
    }

    /// As if it had not been looked at for long.
    #[cfg(test)]
    pub(super) fn is_due(&self) {
        locked(&self.state).checked -= RECHECK;
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    fn write(path: &Path, text: &str, age: u64) {
        fs::write(path, text).unwrap();
        let time = SystemTime::now().checked_sub(Duration::from_secs(age)).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_bad_one_changes_nothing() {
        let name = format!("tidegate-watched-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        write(&path, "1", 30);
        let file = WatchedFile::new(&path, 1);
        let read = |path: &Path| fs::read_to_string(path).unwrap().parse::<u32>();
        write(&path, "2", 20);
        assert!(!file.recheck(read), "it was looked at a moment ago");
        file.is_due();
        assert!(file.recheck(read));
        assert_eq!(*file.contents(), 2);
        file.is_due();
        assert!(!file.recheck(read), "it is still the same");
        write(&path, "bad", 10);
        file.is_due();
        assert!(!file.recheck(read));
        assert_eq!(*file.contents(), 2);
        fs::remove_file(&path).unwrap();
        file.is_due();
        assert!(!file.recheck(|_| "gone".parse::<u32>()));
        assert_eq!(*file.contents(), 2);
    }
}
