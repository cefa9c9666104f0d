//! Users from a file, which is read again when it has changed.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use tidegate_config::{User, load_users};
use tidegate_mysql_wire::auth::{Flow, Verifier};
use tracing::{info, warn};

use super::Users;
use crate::locked;

/// The file is not looked at more often than this.
const RECHECK: Duration = Duration::from_secs(1);

pub(crate) struct UsersFile {
    path: PathBuf,
    flow: Flow,
    state: Mutex<State>,
}

struct State {
    users: Users,
    modified: Option<SystemTime>,
    checked: Instant,
}

impl UsersFile {
    pub(super) fn new(path: &Path, users: Vec<User>, flow: Flow) -> Self {
        let users = Users::new(users, flow);
        let state = State { users, modified: modified(path), checked: Instant::now() };
        Self { path: path.to_owned(), flow, state: Mutex::new(state) }
    }

    pub(super) fn find(&self, user: &str) -> Verifier {
        self.recheck();
        locked(&self.state).users.find(user)
    }

    /// Reads the file again if it has changed. A bad one changes nothing and is reported.
    pub(super) fn recheck(&self) {
        let mut state = locked(&self.state);
        if state.checked.elapsed() < RECHECK {
            return;
        }
        state.checked = Instant::now();
        let modified = modified(&self.path);
        if modified == state.modified {
            return;
        }
        state.modified = modified;
        match load_users(&self.path) {
            Ok(users) => {
                info!(file = %self.path.display(), users = users.len(), "users were read again");
                state.users = Users::new(users, self.flow);
            }
            Err(errors) => warn!("the users stay as they were: {errors}"),
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}
