//! The sessions that are open, by the numbers that clients know them by, so that one can end what
//! another does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::locked;
use crate::protocol::Protocol;
use crate::route::Place;
use crate::stop::Stop;

/// From here on numbers are ours; servers do not get that far.
pub(crate) const FIRST_ID: u32 = 1 << 30;

const SHARDS: usize = 16;

/// All open sessions.
#[derive(Debug)]
pub(crate) struct Sessions<P: Protocol> {
    shards: [Mutex<HashMap<u32, Arc<Handle<P>>>>; SHARDS],
}

/// What others may know of a session, and do to it.
#[derive(Debug)]
pub(crate) struct Handle<P: Protocol> {
    pub(crate) id: u32,
    /// What somebody must show who wants to end what it does.
    pub(crate) proof: P::Proof,
    user: Mutex<Arc<str>>,
    /// Wakes the session where it waits for its client.
    stop: Arc<Stop>,
    killed: AtomicBool,
    /// What ends what runs on the connection that it uses, and where that is.
    running: Mutex<Option<(Place, P::Running)>>,
    /// So many are about to end what runs there.
    killers: AtomicU32,
}

impl<P: Protocol> Default for Sessions<P> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl<P: Protocol> Sessions<P> {
    /// The number that a client is told.
    pub(crate) fn id(session: u64) -> u32 {
        let low = u32::try_from(session & u64::from(FIRST_ID - 1)).unwrap_or_default();
        FIRST_ID | low
    }

    pub(crate) fn add(
        self: &Arc<Self>,
        session: u64,
        user: Arc<str>,
        proof: P::Proof,
        stop: Arc<Stop>,
    ) -> Listed<P> {
        let handle = Arc::new(Handle {
            id: Self::id(session),
            proof,
            user: Mutex::new(user),
            stop,
            killed: AtomicBool::new(false),
            running: Mutex::default(),
            killers: AtomicU32::new(0),
        });
        locked(self.shard(handle.id)).insert(handle.id, Arc::clone(&handle));
        Listed { handle, sessions: Arc::clone(self) }
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<Handle<P>>> {
        locked(self.shard(id)).get(&id).cloned()
    }

    fn shard(&self, id: u32) -> &Mutex<HashMap<u32, Arc<Handle<P>>>> {
        &self.shards[id as usize % SHARDS]
    }
}

/// A session's own entry; it is taken out when this is dropped.
#[derive(Debug)]
pub(crate) struct Listed<P: Protocol> {
    handle: Arc<Handle<P>>,
    sessions: Arc<Sessions<P>>,
}

impl<P: Protocol> std::ops::Deref for Listed<P> {
    type Target = Handle<P>;

    fn deref(&self) -> &Handle<P> {
        &self.handle
    }
}

impl<P: Protocol> Drop for Listed<P> {
    fn drop(&mut self) {
        locked(self.sessions.shard(self.handle.id)).remove(&self.handle.id);
    }
}

impl<P: Protocol> Handle<P> {
    /// Whether it is this user's session.
    pub(crate) fn is_of(&self, user: &str) -> bool {
        **locked(&self.user) == *user
    }

    /// The client has logged in anew.
    pub(crate) fn belongs_to(&self, user: &Arc<str>) {
        *locked(&self.user) = Arc::clone(user);
    }

    /// The session is about to use a connection.
    pub(crate) fn runs(&self, place: Place, what: P::Running) {
        *locked(&self.running) = Some((place, what));
    }

    /// The session gives its connections back. `false`: somebody is about to end what ran on one,
    /// which would hit whoever has it next.
    pub(crate) fn rests(&self) -> bool {
        *locked(&self.running) = None;
        self.killers.load(Ordering::SeqCst) == 0
    }

    /// As long as the guard lives, the connection that the session uses is given to nobody else.
    pub(crate) fn aim(self: &Arc<Self>) -> Aim<P> {
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
pub(crate) struct Aim<P: Protocol>(Arc<Handle<P>>);

impl<P: Protocol> Aim<P> {
    /// The connection that the session uses.
    pub(crate) fn running(&self) -> Option<(Place, P::Running)> {
        locked(&self.0.running).clone()
    }
}

impl<P: Protocol> Drop for Aim<P> {
    fn drop(&mut self) {
        self.0.killers.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::mysql::Mysql;

    #[test]
    fn a_session_is_found_until_it_ends() {
        let sessions = Arc::new(Sessions::<Mysql>::default());
        let listed = sessions.add(7, "app".into(), (), Arc::default());
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
        let sessions = Arc::new(Sessions::<Mysql>::default());
        let listed = sessions.add(7, "app".into(), (), Arc::default());
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
