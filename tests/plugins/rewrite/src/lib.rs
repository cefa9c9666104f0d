//! Writes `new_orders` where a statement says `old_orders`, and sends it to the `target` of its
//! configuration, where one is given.

use tidegate_sdk::{Config, ConfigError, sql::*};

struct Rewriter {
    target: Option<Target>,
}

impl Rewriter {
    fn from_config(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self { target: config.get("target")? })
    }
}

impl SqlPlugin for Rewriter {
    fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
        if !statement.text().contains("old_orders") {
            return Verdict::next();
        }
        let verdict = Verdict::rewrite(statement.text().replace("old_orders", "new_orders"));
        match &self.target {
            Some(target) => verdict.to(target),
            None => verdict,
        }
    }
}

tidegate_sdk::export!(Rewriter: sql; init = Rewriter::from_config);
