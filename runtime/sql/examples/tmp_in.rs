use std::hint::black_box;
use tidegate_sql::{Dialect, analyze};
fn main() {
    let t = format!("SELECT {}", "in (1, 2, 3) ".repeat(20));
    for _ in 0..500000 {
        black_box(analyze(black_box(t.as_bytes()), Dialect::Mysql));
    }
}
