//! Backups and logs through the proxy: connections that replicate are passed through.

use std::process::Command;

use tidegate_tests::clients::{Login, postgres_program, succeed};
use tidegate_tests::server::find_postgres_program;
use tidegate_tests::{PostgresPair, Scratch, Setup, Tidegate};

/// Connections that replicate are shared with nobody, also where others are.
fn start(mode: &str) -> Tidegate {
    let users =
        "{ name = \"repl\", password = \"replpw\" }, { name = \"app\", password = \"apppw\" }";
    Tidegate::start(
        Setup::single(&PostgresPair::shared().primary)
            .auth(&format!("{{ source = \"config\", users = [{users}] }}"))
            .pool(&format!("{{ mode = \"{mode}\", max = 4, wait = \"5s\" }}")),
    )
}

fn replicating(tidegate: &Tidegate) -> Login<'_> {
    Login { user: "repl", password: "replpw", ..Login::app(tidegate.port(), "") }
}

#[test]
fn a_backup_is_taken_while_its_log_is_streamed() {
    for mode in ["session", "transaction"] {
        let tidegate = start(mode);
        let folder = Scratch::new();
        let backup = folder.path().join("backup");
        let mut program = postgres_program("pg_basebackup", replicating(&tidegate));
        program.args(["--wal-method=stream", "--checkpoint=fast", "--no-sync", "--pgdata"]);
        succeed(program.arg(&backup));
        succeed(Command::new(find_postgres_program("pg_verifybackup")).arg(&backup));
    }
}

#[test]
fn the_log_arrives_as_the_server_writes_it() {
    let primary = &PostgresPair::shared().primary;
    for mode in ["session", "transaction"] {
        let tidegate = start(mode);
        let folder = Scratch::new();
        primary.execute("select pg_logical_emit_message(false, 'tests', repeat('x', 100000))");
        let end = primary.query("select pg_current_wal_flush_lsn()");
        let mut program = postgres_program("pg_receivewal", replicating(&tidegate));
        program.args(["--no-loop", "--no-sync", "--endpos", end.trim(), "--directory"]);
        succeed(program.arg(folder.path()));
        let files = folder.path().read_dir().unwrap().count();
        assert!(files > 0, "{mode}: nothing has come up to {end}");
    }
}
