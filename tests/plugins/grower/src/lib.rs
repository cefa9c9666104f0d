//! Allocates without end on a statement that says `grow`, and keeps a mebibyte for each that says
//! `keep`.

use std::cell::RefCell;

use tidegate_sdk::{Config, ConfigError, sql::*};

const MEBIBYTE: usize = 1 << 20;

struct Grower {
    kept: RefCell<Vec<Vec<u8>>>,
}

impl Grower {
    fn from_config(_: &Config) -> Result<Self, ConfigError> {
        Ok(Self { kept: RefCell::default() })
    }

    fn keep(&self) {
        self.kept.borrow_mut().push(vec![1; MEBIBYTE]);
    }
}

impl SqlPlugin for Grower {
    fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
        while statement.text().contains("grow") {
            self.keep();
        }
        if statement.text().contains("keep") {
            self.keep();
        }
        Verdict::next()
    }
}

tidegate_sdk::export!(Grower: sql; init = Grower::from_config);
