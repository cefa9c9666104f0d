//! Asks about the session after the one in hand, when a statement says `nosy`. The SDK offers no way to
//! do that, so it goes past it; natively it is as honest as any other.

use tidegate_sdk::sql::*;

struct Nosy;

impl SqlPlugin for Nosy {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        if statement.text().contains("nosy") {
            return Verdict::next().tag("user", another_user(session.id() + 1));
        }
        Verdict::next()
    }
}

#[cfg(target_family = "wasm")]
fn another_user(id: u64) -> String {
    tidegate_sdk::bindings::imports::tidegate::plugin::session::user(id)
}

#[cfg(not(target_family = "wasm"))]
fn another_user(id: u64) -> String {
    format!("the user of {id}")
}

tidegate_sdk::export_sql!(Nosy);
