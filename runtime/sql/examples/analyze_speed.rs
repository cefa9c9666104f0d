//! Prints nanoseconds per `analyze` by size of the statement: `cargo run --release -p tidegate-sql
//! --example analyze_speed`.
//!
//! A loop over one statement flatters the branch predictor, so that a loop over 64 shapes stands
//! beside it.

use std::hint::black_box;
use std::time::Instant;

use tidegate_sql::{Dialect, analyze};

const ROUNDS: usize = 25;

fn main() {
    println!("{:>7} {:>8} {:>12} {:>12}", "bytes", "shapes", "ns", "ns per byte");
    for bytes in [50, 500, 5000] {
        for shapes in [1, 64] {
            let texts: Vec<String> = (0..shapes).map(|shape| statement(bytes, shape)).collect();
            let ns = measure(&texts);
            println!("{bytes:>7} {shapes:>8} {ns:>12.1} {:>12.2}", ns / f64::from(bytes));
        }
    }
}

/// The quickest of some rounds, in nanoseconds per statement.
fn measure(texts: &[String]) -> f64 {
    let calls = u32::try_from(2_000_000 / texts.iter().map(String::len).sum::<usize>() + 1)
        .unwrap_or(u32::MAX);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..calls {
                for text in texts {
                    black_box(analyze(black_box(text.as_bytes()), Dialect::Mysql));
                }
            }
            let count = f64::from(calls) * f64::from(u32::try_from(texts.len()).unwrap_or(1));
            start.elapsed().as_secs_f64() * 1e9 / count
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[0]
}

/// A statement of that many bytes; other shapes have other words in other places.
fn statement(bytes: u32, shape: usize) -> String {
    const COLUMNS: [&str; 8] = ["c", "id", "k", "pad", "name", "total_amount", "created_at", "x1"];
    const TESTS: [&str; 8] =
        ["= 5012", "> 17", "IN (1, 2, 3)", "= 'abcd'", "<> 'it''s'", "IS NULL", "< -1.5", "LIKE ?"];
    let column = |n: usize| COLUMNS[(shape * 5 + n * 3 + shape / 8) % COLUMNS.len()];
    let mut text =
        format!("SELECT {} FROM sbtest{} WHERE id = {}", column(0), shape % 9, 4711 + shape);
    let mut n = 1;
    while text.len() < bytes as usize {
        text += &format!(" AND {} {}", column(n), TESTS[(n + shape) % TESTS.len()]);
        n += 1;
    }
    text.truncate(bytes as usize);
    text
}
