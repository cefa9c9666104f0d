//! Routes every statement to the `target` of its configuration, and lets the host reuse that for 10
//! seconds within the `scope` found there: `user`, `text` or `session`. With `count = true` it tags the
//! number of its calls, so that a test sees whether it was asked. With `mirror` it mirrors there and
//! holds back for 50 ms.

use std::cell::Cell;
use std::time::Duration;

use tidegate_sdk::{Config, sql::*};

struct Reusable {
    target: Target,
    scope: Reuse,
    count: bool,
    mirror: Option<Target>,
    calls: Cell<u64>,
}

impl Reusable {
    fn from_config(config: &Config) -> Result<Self, String> {
        let read = |error: tidegate_sdk::ConfigError| error.to_string();
        Ok(Self {
            target: config.get("target").map_err(read)?,
            scope: match config.get::<String>("scope").map_err(read)?.as_str() {
                "user" => Reuse::User,
                "text" => Reuse::UserAndText,
                "session" => Reuse::Session,
                other => return Err(format!("there is no scope {other}")),
            },
            count: config.get_or("count", false).map_err(read)?,
            mirror: config.get("mirror").map_err(read)?,
            calls: Cell::new(0),
        })
    }
}

impl SqlPlugin for Reusable {
    fn on_statement(&self, _: &Session, _: &Statement) -> Verdict {
        self.calls.set(self.calls.get() + 1);
        let mut verdict = Verdict::route(&self.target).reuse(self.scope, Duration::from_secs(10));
        if let Some(mirror) = &self.mirror {
            verdict = verdict.mirror(mirror).delay(Duration::from_millis(50));
        }
        if self.count { verdict.tag("calls", self.calls.get().to_string()) } else { verdict }
    }
}

tidegate_sdk::export!(Reusable: sql; init = Reusable::from_config);
