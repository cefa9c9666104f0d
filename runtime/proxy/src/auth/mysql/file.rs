//! Users from a file, which is read again when it has changed.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use tidegate_config::{Protocol, User, load_users};
use tracing::{info, warn};

use super::decoys::Decoys;
use super::{Found, Users};
use crate::locked;

/// The file is not looked at more often than this.
const RECHECK: Duration = Duration::from_secs(1);

pub(crate) struct UsersFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    users: Users,
    modified: Option<SystemTime>,
    checked: Instant,
}

impl UsersFile {
    pub(super) fn new(path: &Path, users: Vec<User>, decoys: &Decoys) -> Self {
        let users = Users::new(users, decoys);
        let state = State { users, modified: modified(path), checked: Instant::now() };
        Self { path: path.to_owned(), state: Mutex::new(state) }
    }

    pub(super) fn find(&self, user: &str, decoys: &Decoys) -> Found {
        self.recheck(decoys);
        locked(&self.state).users.find(user, decoys)
    }

    /// `None` if the file is still the same.
    pub(super) fn find_again(&self, user: &str, decoys: &Decoys) -> Option<Found> {
        self.recheck(decoys).then(|| locked(&self.state).users.find(user, decoys))
    }

    /// Reads the file again if it has changed. A bad one changes nothing and is reported.
    fn recheck(&self, decoys: &Decoys) -> bool {
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
        match load_users(&self.path, Protocol::Mysql) {
            Ok(users) => {
                info!(file = %self.path.display(), users = users.len(), "users were read again");
                state.users = Users::new(users, decoys);
                true
            }
            Err(errors) => {
                warn!("the users stay as they were: {errors}");
                false
            }
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}
