//! Ending sessions that wait for their clients: on shutdown, and when they wait too long.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// Why a session need not wait any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    Stopped,
    Idle,
    Killed,
}

/// Tells the sessions of one worker to end. Each worker has its own, so that none waits for the
/// lock of another.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopped: AtomicBool,
    notify: Notify,
}

impl Stop {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Has every session that waits for its client look whether it is killed.
    pub(crate) fn wake(&self) {
        self.notify.notify_waiters();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Waits until [`Self::stop`] is called.
    pub(crate) async fn stopped(&self) {
        self.until(|| self.is_stopped()).await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let notified = self.notify.notified();
            if is_so() {
                return;
            }
            notified.await;
        }
    }

    /// Waits for `work`, unless the limit passes first, or, where it may, the worker stops, or
    /// `is_killed` after a [`Self::wake`].
    pub(crate) async fn idle<T>(
        &self,
        work: impl Future<Output = T>,
        limit: Option<Duration>,
        may_stop: bool,
        is_killed: impl Fn() -> bool,
    ) -> Result<T, Interrupted> {
        let mut work = pin!(work);
        if may_stop && self.is_stopped() {
            return Err(Interrupted::Stopped);
        }
        // Under load the next command has come already, and nothing has to be registered.
        let ready = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match work.as_mut().poll(cx) {
                std::task::Poll::Ready(done) => Some(done),
                std::task::Poll::Pending => None,
            })
        });
        if let Some(done) = ready.await {
            return Ok(done);
        }
        let too_long = async {
            match limit {
                Some(limit) => sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = &mut work => Ok(done),
            () = self.until(|| is_killed() || may_stop && self.is_stopped()) => {
                Err(if is_killed() { Interrupted::Killed } else { Interrupted::Stopped })
            }
            () = too_long => Err(Interrupted::Idle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_ends_the_waiting_and_a_limit_does_too() {
        let stop = Stop::default();
        assert_eq!(stop.idle(async { 7 }, None, true, || false).await, Ok(7));
        let limit = Some(Duration::from_millis(1));
        let never = std::future::pending::<()>();
        assert_eq!(stop.idle(never, limit, true, || false).await, Err(Interrupted::Idle));
        let never = std::future::pending::<()>();
        let (interrupted, ()) =
            tokio::join!(stop.idle(never, None, true, || false), async { stop.stop() });
        assert_eq!(interrupted, Err(Interrupted::Stopped));
        let never = std::future::pending::<()>();
        assert_eq!(stop.idle(never, None, false, || true).await, Err(Interrupted::Killed));
        assert_eq!(stop.idle(async { 7 }, None, true, || false).await, Err(Interrupted::Stopped));
        assert_eq!(stop.idle(async { 7 }, None, false, || false).await, Ok(7));
    }
}
