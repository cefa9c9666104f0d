//! Prints nanoseconds per `analyze` by dialect and size of the statement: `cargo run --release -p tidegate-sql
//! --example analyze_speed`.
//!
//! A loop over one statement flatters the branch predictor, so that a loop over 64 shapes stands
//! beside it.

use std::hint::black_box;
use std::time::Instant;

use tidegate_sql::{Dialect, analyze};

const ROUNDS: usize = 25;

fn main() {
    println!("{:>9} {:>7} {:>8} {:>12} {:>12}", "dialect", "bytes", "shapes", "ns", "ns per byte");
    for (dialect, placeholder) in [(Dialect::Mysql, "?"), (Dialect::Postgres, "$1")] {
        for bytes in [50, 500, 5000] {
            for shapes in [1, 64] {
                let texts: Vec<String> =
                    (0..shapes).map(|shape| statement(bytes, shape, placeholder)).collect();
                print(dialect, &shapes.to_string(), &texts);
            }
        }
        // What a driver sends most of all.
        for value in [placeholder, "42"] {
            let text = format!("SELECT abalance FROM pgbench_accounts WHERE aid = {value}");
            print(dialect, value, &[text]);
        }
    }
}

fn print(dialect: Dialect, shapes: &str, texts: &[String]) {
    let (bytes, ns) = (texts[0].len(), measure(texts, dialect));
    let dialect = format!("{dialect:?}");
    let per_byte = ns / bytes as f64;
    println!("{dialect:>9} {bytes:>7} {shapes:>8} {ns:>12.1} {per_byte:>12.2}");
}

/// The quickest of some rounds, in nanoseconds per statement.
fn measure(texts: &[String], dialect: Dialect) -> f64 {
    let calls = u32::try_from(2_000_000 / texts.iter().map(String::len).sum::<usize>() + 1)
        .unwrap_or(u32::MAX);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..calls {
                for text in texts {
                    black_box(analyze(black_box(text.as_bytes()), dialect));
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
fn statement(bytes: usize, shape: usize, placeholder: &str) -> String {
    const COLUMNS: [&str; 8] = ["c", "id", "k", "pad", "name", "total_amount", "created_at", "x1"];
    const TESTS: [&str; 8] =
        ["= 5012", "> 17", "IN (1, 2, 3)", "= 'abcd'", "<> 'it''s'", "IS NULL", "< -1.5", "LIKE "];
    let column = |n: usize| COLUMNS[(shape * 5 + n * 3 + shape / 8) % COLUMNS.len()];
    let mut text =
        format!("SELECT {} FROM sbtest{} WHERE id = {}", column(0), shape % 9, 4711 + shape);
    let mut n = 1;
    while text.len() < bytes {
        let test = TESTS[(n + shape) % TESTS.len()];
        let operand = if test.ends_with(' ') { placeholder } else { "" };
        text += &format!(" AND {} {test}{operand}", column(n));
        n += 1;
    }
    text.truncate(bytes);
    text
}
