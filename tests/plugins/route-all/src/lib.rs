//! Routes every statement to the `target` of its configuration, tagged with the `version` found there,
//! so that a test sees which generation decided.

use tidegate_sdk::{Config, ConfigError, sql::*};

struct RouteAll {
    target: Target,
    version: Option<String>,
}

impl RouteAll {
    fn from_config(config: &Config) -> Result<Self, ConfigError> {
        config.deny_unknown(&["target", "version"])?;
        Ok(Self { target: config.get("target")?, version: config.get("version")? })
    }
}

impl SqlPlugin for RouteAll {
    fn on_statement(&self, _: &Session, _: &Statement) -> Verdict {
        let verdict = Verdict::route(&self.target);
        match &self.version {
            Some(version) => verdict.tag("version", version),
            None => verdict,
        }
    }
}

tidegate_sdk::export!(RouteAll: sql; init = RouteAll::from_config);
