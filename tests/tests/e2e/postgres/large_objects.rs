//! Large objects, which `psql` reads and writes by calling functions by their numbers.

use std::fs;

use tidegate_tests::clients::{Login, postgres_program, succeed};
use tidegate_tests::{PostgresPair, Scratch, Setup, Tidegate};

#[test]
fn a_large_object_is_stored_and_read_again() {
    let pair = PostgresPair::shared();
    let database = pair.database("large_objects");
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for mode in ["session", "transaction"] {
        let pool = format!("{{ mode = \"{mode}\", max = 2, wait = \"5s\" }}");
        let tidegate = Tidegate::start(Setup::single(&pair.primary).pool(&pool));
        let folder = Scratch::new();
        let [stored, read] = ["stored", "read"].map(|name| folder.path().join(name));
        fs::write(&stored, &content).unwrap();
        let mut psql = postgres_program("psql", Login::app(tidegate.port(), database));
        psql.args(["--no-psqlrc", "--set=ON_ERROR_STOP=1"]);
        psql.arg(format!("--command=\\lo_import {}", stored.display()));
        psql.arg(format!("--command=\\lo_export :LASTOID {}", read.display()));
        succeed(psql.arg("--command=\\lo_unlink :LASTOID"));
        assert!(fs::read(&read).unwrap() == content, "{mode}: not what was stored");
        let left = pair
            .primary
            .query(&format!("\\connect {database}\nselect count(*) from pg_largeobject_metadata"));
        assert_eq!(left.trim(), "0", "{mode}");
    }
}
