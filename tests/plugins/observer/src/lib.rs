//! Counts how statements and sessions end, into metrics: `statements` by outcome, `rows`, `seconds` of
//! the statements, and `sessions`.

use tidegate_sdk::connection::{ConnectionObserver, Traffic};
use tidegate_sdk::metrics::{Counter, Histogram, MetricError};
use tidegate_sdk::{Config, sql::*};

struct Observer {
    good: Counter,
    bad: Counter,
    rows: Counter,
    seconds: Histogram,
    sessions: Counter,
}

impl Observer {
    fn from_config(_: &Config) -> Result<Self, MetricError> {
        Ok(Self {
            good: Counter::register("statements", &[("outcome", "good")])?,
            bad: Counter::register("statements", &[("outcome", "bad")])?,
            rows: Counter::register("rows", &[])?,
            seconds: Histogram::register("seconds", &[0.001, 0.01, 0.1, 1.0])?,
            sessions: Counter::register("sessions", &[])?,
        })
    }
}

impl SqlObserver for Observer {
    fn on_outcome(&self, _: &Session, outcome: &Outcome) {
        let counter = if outcome.outcome == OutcomeKind::Ok { self.good } else { self.bad };
        counter.add(1);
        self.rows.add(outcome.rows);
        self.seconds.observe(outcome.duration.as_secs_f64());
    }
}

impl ConnectionObserver for Observer {
    fn on_closed(&self, _: &Session, _: &Traffic) {
        self.sessions.add(1);
    }
}

tidegate_sdk::export!(Observer: sql_observer, connection_observer; init = Observer::from_config);
