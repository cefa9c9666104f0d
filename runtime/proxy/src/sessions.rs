//! The sessions that are open, by the numbers that clients know them by, so that one can end what
//! another does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::locked;
use crate::route::Place;
use crate::stop::Stop;

/// From here on numbers are ours; servers do not get that far.
pub(crate) const FIRST_ID: u32 = 1 << 30;

const SHARDS: usize = 16;

/// All open sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    shards: [Mutex<HashMap<u32, Arc<Handle>>>; SHARDS],
}

/// What others may know of a session, and do to it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) id: u32,
    user: Mutex<Arc<str>>,
    /// Wakes the session where it waits for its client.
    stop: Arc<Stop>,
    killed: AtomicBool,
    /// The server's number of the connection that it uses, and where that is; 0 for none.
    running: AtomicU64,
    /// So many are about to end what runs there.
    killers: AtomicU32,
}

impl Sessions {
    /// The number that a client is told.
    pub(crate) fn id(session: u64) -> u32 {
        let low = u32::try_from(session & u64::from(FIRST_ID - 1)).unwrap_or_default();
        FIRST_ID | low
    }

    pub(crate) fn add(self: &Arc<Self>, session: u64, user: Arc<str>, stop: Arc<Stop>) -> Listed {
        let handle = Arc::new(Handle {
            id: Self::id(session),
            user: Mutex::new(user),
            stop,
            killed: AtomicBool::new(false),
            running: AtomicU64::new(0),
            killers: AtomicU32::new(0),
        });
        locked(self.shard(handle.id)).insert(handle.id, Arc::clone(&handle));
        Listed { handle, sessions: Arc::clone(self) }
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<Handle>> {
        locked(self.shard(id)).get(&id).cloned()
    }

    fn shard(&self, id: u32) -> &Mutex<HashMap<u32, Arc<Handle>>> {
        &self.shards[id as usize % SHARDS]
    }
}

/// A session's own entry; it is taken out when this is dropped.
#[derive(Debug)]
pub(crate) struct Listed {
    handle: Arc<Handle>,
    sessions: Arc<Sessions>,
}

impl std::ops::Deref for Listed {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        locked(self.sessions.shard(self.handle.id)).remove(&self.handle.id);
    }
}

impl Handle {
    /// Whether it is this user's session.
    pub(crate) fn is_of(&self, user: &str) -> bool {
        **locked(&self.user) == *user
    }

    /// The client has logged in anew.
    pub(crate) fn belongs_to(&self, user: &Arc<str>) {
        *locked(&self.user) = Arc::clone(user);
    }

    /// The session is about to use a connection.
    pub(crate) fn runs(&self, place: Place, connection: u32) {
        self.running.store(pack(place, connection), Ordering::SeqCst);
    }

    /// The session gives its connections back. `false`: somebody is about to end what ran on one,
    /// which would hit whoever has it next.
    pub(crate) fn rests(&self) -> bool {
        self.running.store(0, Ordering::SeqCst);
        self.killers.load(Ordering::SeqCst) == 0
    }

    /// As long as the guard lives, the connection that the session uses is given to nobody else.
    pub(crate) fn aim(self: &Arc<Self>) -> Aim {
        self.killers.fetch_add(1, Ordering::SeqCst);
        Aim(Arc::clone(self))
    }

    /// Ends the session as soon as it waits for its client.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        self.stop.wake();
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }
}

/// Somebody is about to end what a session does.
pub(crate) struct Aim(Arc<Handle>);

impl Aim {
    /// The connection that the session uses.
    pub(crate) fn running(&self) -> Option<(Place, u32)> {
        unpack(self.0.running.load(Ordering::SeqCst))
    }
}

impl Drop for Aim {
    fn drop(&mut self) {
        self.0.killers.fetch_sub(1, Ordering::SeqCst);
    }
}

fn pack(place: Place, connection: u32) -> u64 {
    let part = |position: usize| u64::from(u16::try_from(position).unwrap_or(u16::MAX));
    part(place.upstream) << 48 | part(place.server) << 32 | u64::from(connection)
}

fn unpack(packed: u64) -> Option<(Place, u32)> {
    let connection = u32::try_from(packed & u64::from(u32::MAX)).ok().filter(|id| *id != 0)?;
    let part =
        |shift: u32| usize::from(u16::try_from(packed >> shift & 0xffff).unwrap_or_default());
    Some((Place { upstream: part(48), server: part(32) }, connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_until_it_ends() {
        let sessions = Arc::new(Sessions::default());
        let listed = sessions.add(7, "app".into(), Arc::default());
        let id = listed.id;
        assert!(sessions.get(id).unwrap().is_of("app"));
        listed.belongs_to(&"report".into());
        assert!(!sessions.get(id).unwrap().is_of("app"));
        sessions.get(id).unwrap().kill();
        assert!(listed.is_killed());
        drop(listed);
        assert!(sessions.get(id).is_none());
    }

    #[test]
    fn a_connection_that_is_aimed_at_is_not_given_to_another() {
        let sessions = Arc::new(Sessions::default());
        let listed = sessions.add(7, "app".into(), Arc::default());
        let place = Place { upstream: 2, server: 3 };
        listed.runs(place, 99);
        let aim = sessions.get(listed.id).unwrap().aim();
        assert_eq!(aim.running(), Some((place, 99)));
        assert!(!listed.rests());
        assert_eq!(aim.running(), None);
        drop(aim);
        assert!(listed.rests());
    }
}
