//! Counts in the store. `SELECT 'count'` is answered with the count, which every worker and every
//! generation shares; `SELECT 'fill'` with the error that a full store gives,
//! which takes longer than a hook may by default.

use tidegate_sdk::{kv, sql::*};

struct Counting;

impl SqlPlugin for Counting {
    fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
        match statement.text() {
            "SELECT 'count'" => match kv::increment("count", 1, None) {
                Ok(count) => one(ColumnType::Bigint, count.into()),
                Err(error) => Verdict::reject(error.to_string()),
            },
            "SELECT 'fill'" => one(ColumnType::Text, fill().to_string().into()),
            _ => Verdict::next(),
        }
    }
}

fn one(kind: ColumnType, value: Value) -> Verdict {
    Verdict::reply_rows(Rows::new([("value", kind)]).row([value]))
}

/// Fills the store until it objects, and leaves it as it was.
fn fill() -> kv::Error {
    let mut filled = Vec::new();
    let error = loop {
        let key = format!("fill/{}", filled.len());
        match kv::set(&key, vec![0; 1 << 19], None) {
            Ok(()) => filled.push(key),
            Err(error) => break error,
        }
    };
    filled.iter().for_each(|key| {
        kv::delete(key);
    });
    error
}

tidegate_sdk::export_sql!(Counting);
