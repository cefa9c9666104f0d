//! Never comes back from a statement that says `loop`.

use std::hint::black_box;

use tidegate_sdk::sql::*;

struct Looper;

impl SqlPlugin for Looper {
    fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
        let mut rounds = 0_u64;
        while statement.text().contains("loop") {
            rounds = black_box(rounds.wrapping_add(1));
        }
        Verdict::next()
    }
}

tidegate_sdk::export_sql!(Looper);
