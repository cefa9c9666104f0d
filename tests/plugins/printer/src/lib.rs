//! Writes to every output there is, in pieces and in several lines, and uses what else of `std` a host
//! must not choke on: the clocks, a hash map, the environment, the file system.

use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use tidegate_sdk::{log, sql::*};

struct Printer;

impl SqlPlugin for Printer {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        println!("out: {} says", session.user());
        print!("out: in ");
        println!("pieces");
        eprintln!("err: {}\nerr: second line", statement.text());
        log::info(format_args!("log: {}", statement.kind() as u8));
        Verdict::next().tag("std", surroundings())
    }
}

/// What the sandbox lets a plugin see.
fn surroundings() -> String {
    let mut seen = HashMap::new();
    seen.insert("clock", SystemTime::now() > SystemTime::UNIX_EPOCH);
    seen.insert("instant", Instant::now() <= Instant::now());
    seen.insert("environment", std::env::var("PATH").is_ok());
    seen.insert("files", std::fs::read("/etc/passwd").is_ok());
    let mut seen: Vec<_> =
        seen.into_iter().filter_map(|(what, seen)| seen.then_some(what)).collect();
    seen.sort_unstable();
    seen.join(",")
}

tidegate_sdk::export_sql!(Printer);
