//! Gives every statement a trace id and an idempotency key, and the one that says `slow` 300 ms of time.

use std::time::Duration;

use tidegate_sdk::sql::*;

struct Annotate;

impl SqlPlugin for Annotate {
    fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
        let verdict = Verdict::next().trace_id("4bf92f").idempotency_key("order-7");
        if statement.text().contains("slow") {
            verdict.timeout(Duration::from_millis(300))
        } else {
            verdict
        }
    }
}

tidegate_sdk::export_sql!(Annotate);
