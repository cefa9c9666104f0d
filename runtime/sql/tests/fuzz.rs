//! The fuzz target of each dialect, over its seeds and mutations of them.

// The code of the fuzz targets lives beside them, in a workspace that needs libFuzzer.
#[path = "../../../tests/fuzz/src/sql.rs"]
#[allow(unreachable_pub, reason = "it is of the crate of the fuzz targets")]
mod sql;
#[path = "../../../tests/fuzz/src/sweep.rs"]
#[allow(unreachable_pub, reason = "it is of the crate of the fuzz targets")]
mod sweep;
#[path = "../../../tests/fuzz/src/target.rs"]
#[allow(unreachable_pub, dead_code, reason = "it is of the crate of the fuzz targets")]
mod target;

use std::path::Path;

use sql::TARGETS;

const MUTATIONS: u32 = 20_000;

#[test]
fn mutated_statements_break_no_law() {
    sweep::mutations_break_no_law(TARGETS, |_| MUTATIONS);
}

#[test]
fn every_seed_is_understood() {
    sweep::every_seed_is_understood(TARGETS);
}

#[test]
fn every_prefix_of_a_seed_breaks_no_law() {
    sweep::every_prefix_of_a_seed_breaks_no_law(TARGETS);
}

#[test]
fn every_dialect_has_its_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz");
    sweep::every_target_has_its_file(TARGETS, &folder, |name| name.starts_with("sql_")).unwrap();
}
