//! Sessions that are open, and the keys by which their statements can be cancelled.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::InterruptHandle;
use tidegate_postgres_wire::cancel_key::CancelKey;

/// Those of one server.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<Vec<(CancelKey, InterruptHandle)>>>);

impl Sessions {
    /// Adds one, for as long as what is returned lives.
    pub(super) fn enter(&self, key: CancelKey, handle: InterruptHandle) -> Presence {
        self.lock().push((key.clone(), handle));
        Presence { sessions: self.clone(), key }
    }

    /// Breaks off what runs in the session with this key. Without one, nothing happens.
    pub(super) fn cancel(&self, key: &CancelKey) {
        if let Some((_, handle)) = self.lock().iter().find(|(theirs, _)| theirs == key) {
            handle.interrupt();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(CancelKey, InterruptHandle)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that is open.
pub(super) struct Presence {
    sessions: Sessions,
    key: CancelKey,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.sessions.lock().retain(|(key, _)| *key != self.key);
    }
}
