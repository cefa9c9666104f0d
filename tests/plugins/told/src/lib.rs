//! Tags each statement with what it was told: `port`, `program` (what the client says it is), `attached`
//! (the statement's attribute `traceparent`) and `partial`.

use tidegate_sdk::sql::*;

struct Told;

impl SqlPlugin for Told {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        let mut verdict = Verdict::next().tag("port", session.local_port().to_string());
        if let Some(program) = session.connection_attribute("program_name") {
            verdict = verdict.tag("program", program);
        }
        if let Some(attached) = statement.attribute("traceparent") {
            verdict = verdict.tag("attached", attached);
        }
        if statement.is_partial() { verdict.tag("partial", "true") } else { verdict }
    }
}

tidegate_sdk::export_sql!(Told);
