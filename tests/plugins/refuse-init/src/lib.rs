//! Refuses to start, with the `reason` of its configuration; without one it starts.

use tidegate_sdk::{Config, sql::*};

struct Refuse;

impl Refuse {
    fn from_config(config: &Config) -> Result<Self, String> {
        match config.get::<Option<String>>("reason") {
            Ok(None) => Ok(Self),
            Ok(Some(reason)) => Err(reason),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl SqlPlugin for Refuse {
    fn on_statement(&self, _: &Session, _: &Statement) -> Verdict {
        Verdict::next()
    }
}

tidegate_sdk::export!(Refuse: sql; init = Refuse::from_config);
