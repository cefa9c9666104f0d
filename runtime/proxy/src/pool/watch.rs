//! Following the roles of an upstream's servers, and waiting until one of them can serve.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::election::{Claim, Election, News};
use super::report::Report;
use super::server::Server;
use crate::locked;
use crate::protocol::Protocol;
use crate::route::Role;

/// Probes do not follow each other faster than this.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// What the probes of one upstream and its sessions tell each other.
pub(crate) struct Watch {
    upstream: Arc<str>,
    election: Mutex<Election>,
    /// Probes have news.
    news: Notify,
    /// Sessions wait for news.
    hurry: Notify,
    waiting: AtomicUsize,
    /// So many sessions may wait.
    places: usize,
    /// The pause between two probes of one server.
    interval: Duration,
    max_lag: Option<Duration>,
}

/// A session that waits; the probes hurry as long as there is one.
pub(crate) struct Waiting<'w>(&'w Watch);

impl Watch {
    /// `given` are the roles of the configuration, `None` where they are to be found out.
    pub(super) fn new(
        upstream: &tidegate_config::Upstream,
        given: impl Iterator<Item = Option<Role>>,
    ) -> Self {
        let patience = Instant::now() + upstream.probe.timeout;
        Self {
            upstream: upstream.name.as_str().into(),
            election: Mutex::new(Election::new(given, patience)),
            news: Notify::new(),
            hurry: Notify::new(),
            waiting: AtomicUsize::new(0),
            places: upstream.pool.queue,
            interval: upstream.probe.interval,
            max_lag: upstream.max_lag,
        }
    }

    /// A server has answered a probe.
    pub(super) fn heard<P: Protocol>(
        &self,
        servers: &[Arc<Server<P>>],
        at: usize,
        report: &Report<P::Position>,
    ) {
        let claim = Claim { writable: report.writable, follows: report.follows() };
        self.elect(servers, |election| election.heard(at, claim, Instant::now()));
        if let Some(server) = servers.get(at) {
            server.standing.note(report, self.max_lag, &server.address);
            server.succeeded();
        }
        self.news.notify_waiters();
    }

    /// A server has not answered a probe.
    pub(super) fn missed<P: Protocol>(&self, servers: &[Arc<Server<P>>], at: usize) {
        let is_out = servers.get(at).is_some_and(|server| !server.is_up());
        self.elect(servers, |election| election.missed(at, is_out, Instant::now()));
        self.news.notify_waiters();
    }

    /// Roles change under the lock, so that no two servers have the one that is only given once.
    fn elect<P: Protocol>(
        &self,
        servers: &[Arc<Server<P>>],
        ask: impl FnOnce(&mut Election) -> Vec<News>,
    ) {
        let mut election = locked(&self.election);
        let news = ask(&mut election);
        let roles = || servers.iter().enumerate().map(|(at, server)| (server, election.role(at)));
        for demote in [true, false] {
            for (server, role) in roles().filter(|(_, role)| demote != (*role == Role::Primary)) {
                server.standing.set_role(role, &server.address);
            }
        }
        drop(election);
        let address = |at: usize| servers.get(at).map_or("?", |server| &server.address);
        for one in news {
            self.tell(one, address);
        }
    }

    fn tell<'s>(&self, news: News, address: impl Fn(usize) -> &'s str) {
        let upstream = &*self.upstream;
        match news {
            News::Promoted { server } => {
                info!(upstream, server = address(server), "the upstream has a new primary");
            }
            News::Vacant { before } => warn!(
                upstream,
                server = address(before),
                "the primary can no longer be written to, and no other server can"
            ),
            News::Contested { by, primary } => warn!(
                upstream,
                server = address(by),
                "a second server can be written to; the primary stays {}: set read_only on one of \
                 them",
                address(primary)
            ),
        }
    }

    /// Something that the next probe may find out; to be asked for before what it depends on is
    /// looked at.
    pub(super) fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Takes a place among those who wait for news; `None` if all are taken.
    pub(super) fn wait(&self) -> Option<Waiting<'_>> {
        let waiting = Waiting(self);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.places {
            return None;
        }
        self.hurry.notify_waiters();
        Some(waiting)
    }

    /// Waits until a server is to be probed again that has failed so often since it last answered.
    pub(super) async fn pause(&self, failures: u32) {
        let (least, pause) = pauses(self.interval, failures);
        sleep(least).await;
        let hurry = self.hurry.notified();
        tokio::pin!(hurry);
        hurry.as_mut().enable();
        if self.waiting.load(Ordering::Relaxed) == 0 {
            // Either way, it is time.
            let _ = timeout(pause.saturating_sub(least), hurry).await;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The least pause between two probes, and the one where nobody waits.
fn pauses(interval: Duration, failures: u32) -> (Duration, Duration) {
    let least = (interval / 8).max(PAUSE_MIN).min(interval);
    match failures.checked_sub(1) {
        None => (least, interval),
        Some(more) => (least, (least * 2_u32.pow(more.min(3))).min(interval)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_probes_come_faster_and_then_slow_down() {
        let pause = |interval, failures| {
            let (least, pause) = pauses(Duration::from_millis(interval), failures);
            (least.as_millis(), pause.as_millis())
        };
        assert_eq!(pause(1000, 0), (125, 1000));
        assert_eq!([1, 2, 3, 4, 99].map(|n| pause(1000, n).1), [125, 250, 500, 1000, 1000]);
        assert_eq!([0, 1, 2].map(|n| pause(100, n)), [(50, 100), (50, 50), (50, 100)]);
        assert_eq!([0, 1].map(|n| pause(20, n)), [(20, 20), (20, 20)]);
    }
}
