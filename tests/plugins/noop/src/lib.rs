//! Leaves every statement alone, and reads nothing: what a hook costs at least.

use tidegate_sdk::sql::*;

struct Noop;

impl SqlPlugin for Noop {
    fn on_statement(&self, _: &Session, _: &Statement) -> Verdict {
        Verdict::next()
    }
}

tidegate_sdk::export_sql!(Noop);
