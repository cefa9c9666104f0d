//! What servers have told clients at their logins, so that the next one need not wait for a connection
//! to hear the same.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Identity, Shown, Upstream};
use crate::locked;

/// What was told is good for so long.
const FRESH: Duration = Duration::from_secs(30);

/// No more logins than these are remembered.
const KNOWN_MAX: usize = 1000;

/// The latest logins of one upstream.
#[derive(Debug, Default)]
pub(super) struct Welcomes(Mutex<Vec<Welcome>>);

#[derive(Debug)]
struct Welcome {
    identity: Arc<Identity>,
    shown: Shown,
    at: Instant,
}

impl Upstream {
    /// What a server has told this very login a moment ago, while nothing is wrong with one of them.
    pub(crate) fn known_welcome(&self, identity: &Identity) -> Option<Shown> {
        if !self.servers.iter().any(|server| server.is_well()) {
            return None;
        }
        let welcomes = &self.servers.first()?.route.options.welcomes;
        let known = locked(&welcomes.0);
        let found = known.iter().find(|welcome| *welcome.identity == *identity);
        found.filter(|welcome| welcome.at.elapsed() < FRESH).map(|welcome| welcome.shown.clone())
    }

    /// A server has taken this login, and has told it this.
    pub(crate) fn remember_welcome(&self, identity: &Arc<Identity>, shown: &Shown) {
        let Some(server) = self.servers.first() else { return };
        let mut known = locked(&server.route.options.welcomes.0);
        let at = Instant::now();
        let before = known.iter_mut().find(|welcome| *welcome.identity == **identity);
        match before {
            Some(before) => before.at = at,
            None => {
                if known.len() >= KNOWN_MAX {
                    known.clear();
                }
                let (identity, shown) = (Arc::clone(identity), shown.clone());
                known.push(Welcome { identity, shown, at });
            }
        }
    }
}
