//! When a server that fails is left alone, and when it is tried again. Pure.

use std::time::{Duration, Instant};

const BACK_OFF_MIN: Duration = Duration::from_millis(250);
const BACK_OFF_MAX: Duration = Duration::from_secs(15);

/// What the failures of a server amount to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    /// So many failures in a row eject it.
    tolerated: u32,
    failures: u32,
    ejected_until: Option<Instant>,
}

/// What a report changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    /// Left alone for so long.
    Ejected(Duration),
    /// In use again.
    Recovered,
}

impl Health {
    pub(crate) fn new(tolerated: u32) -> Self {
        Self { tolerated: tolerated.max(1), failures: 0, ejected_until: None }
    }

    /// Reports that the server could not be reached or did not answer a probe.
    pub(crate) fn failed(&mut self, now: Instant) -> Change {
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.tolerated {
            return Change::None;
        }
        let doubled = (self.failures - self.tolerated).min(10);
        let pause = (BACK_OFF_MIN * 2_u32.pow(doubled)).min(BACK_OFF_MAX);
        let news = self.ejected_until.is_none();
        self.ejected_until = Some(now + pause);
        if news { Change::Ejected(pause) } else { Change::None }
    }

    /// Reports that the server answered.
    pub(crate) fn succeeded(&mut self) -> Change {
        self.failures = 0;
        match self.ejected_until.take() {
            Some(_) => Change::Recovered,
            None => Change::None,
        }
    }

    /// Nothing has failed since it last answered.
    pub(crate) fn is_well(&self) -> bool {
        self.failures == 0
    }

    /// Not ejected, or its pause is over and it may be tried.
    pub(crate) fn may_try(&self, now: Instant) -> bool {
        self.ejected_until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ejected_and_tried_again_ever_more_rarely() {
        let mut now = Instant::now();
        let mut health = Health::new(2);
        assert_eq!(health.failed(now), Change::None);
        assert!(health.may_try(now));
        assert_eq!(health.failed(now), Change::Ejected(BACK_OFF_MIN));
        assert!(!health.may_try(now));
        now += BACK_OFF_MIN;
        assert!(health.may_try(now));
        for _ in 0..20 {
            assert_eq!(health.failed(now), Change::None);
        }
        assert!(!health.may_try(now + BACK_OFF_MAX - Duration::from_millis(1)));
        assert!(health.may_try(now + BACK_OFF_MAX));
        assert_eq!(health.succeeded(), Change::Recovered);
        assert_eq!(health.succeeded(), Change::None);
    }

    #[test]
    fn a_success_forgives_what_came_before() {
        let mut health = Health::new(2);
        health.failed(Instant::now());
        health.succeeded();
        assert_eq!(health.failed(Instant::now()), Change::None);
    }
}
