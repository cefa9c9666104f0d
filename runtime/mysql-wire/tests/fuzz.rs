//! Every fuzz target of this protocol, over its seeds and mutations of them.

// The code of the fuzz targets lives beside them, in a workspace that needs libFuzzer.
#[path = "../../../tests/fuzz/src/mysql/mod.rs"]
#[allow(unreachable_pub, reason = "it is of the crate of the fuzz targets")]
mod mysql;
#[path = "../../../tests/fuzz/src/sweep.rs"]
#[allow(unreachable_pub, reason = "it is of the crate of the fuzz targets")]
mod sweep;
#[path = "../../../tests/fuzz/src/target.rs"]
#[allow(unreachable_pub, reason = "it is of the crate of the fuzz targets")]
mod target;

use std::path::Path;

use mysql::seeds::TARGETS;

/// Enough to take every branch of the small decoders, in about a second for all of them together.
const MUTATIONS: u32 = 3000;

/// Those that reach the slow hash get fewer.
const MUTATIONS_OF_MACHINES: u32 = 600;

#[test]
fn mutated_packets_break_no_law() {
    sweep::mutations_break_no_law(TARGETS, |target| match target.name {
        "downstream" => MUTATIONS_OF_MACHINES,
        _ => MUTATIONS,
    });
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
fn every_function_has_its_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz");
    sweep::every_target_has_its_file(TARGETS, &folder, |name| {
        !name.starts_with("postgres_") && !name.starts_with("sql_")
    })
    .unwrap();
}
