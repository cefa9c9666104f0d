//! Panics on a statement that says `trap`, after it has noted that in the session, which stays. Others
//! it counts in its memory, which a trap must make it forget: they are tagged with the count.

use std::cell::Cell;

use tidegate_sdk::{Config, ConfigError, sql::*};

struct Trap {
    survived: Cell<u64>,
}

impl Trap {
    fn from_config(_: &Config) -> Result<Self, ConfigError> {
        Ok(Self { survived: Cell::new(0) })
    }
}

impl SqlPlugin for Trap {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        if statement.text().contains("trap") {
            session.set_attribute("trapped", "yes");
            panic!("asked to trap by {}", session.user());
        }
        self.survived.set(self.survived.get() + 1);
        Verdict::next().tag("survived", self.survived.get().to_string())
    }
}

tidegate_sdk::export!(Trap: sql; init = Trap::from_config);
