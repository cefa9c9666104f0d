//! Counts its ticks into the store, every 20 ms; a statement that says `ticks` is answered with the
//! count.

use std::time::Duration;

use tidegate_sdk::{kv, sql::*, ticker::*};

struct Counting;

impl Ticker for Counting {
    fn tick(&self) -> Duration {
        kv::increment("ticks", 1, None).expect("a counter has room in the store");
        Duration::from_millis(20)
    }
}

impl SqlPlugin for Counting {
    fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
        if !statement.text().contains("ticks") {
            return Verdict::next();
        }
        let ticks = kv::get("ticks").unwrap_or_else(|| b"0".to_vec());
        Verdict::reply_rows(Rows::new([("ticks", ColumnType::Bigint)]).row([ticks]))
    }
}

tidegate_sdk::export!(Counting: sql, ticker);
