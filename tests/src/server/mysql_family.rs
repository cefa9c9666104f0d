//! What MariaDB and MySQL have in common.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::certificates::Certificates;
use crate::server::programs::{Programs, feed, find_program, unprivileged};
use crate::server::{Pair, Server, users};
use crate::wait_for;

/// What one of the two does in its own way.
pub trait MySqlFamily: std::fmt::Debug + Sized + 'static {
    /// Begins the name of its template.
    const NAME: &'static str;
    /// Arguments of its own, for the template and for whoever is made from it.
    const SETTINGS: &'static [&'static str];
    /// Statements that complete the common users with what only this product knows.
    const USERS: &'static str;
    /// Files of a data directory that no two servers may share.
    const UNIQUE: &'static [&'static str];
    /// Arguments of both servers of a pair: a binary log, and replication by GTID.
    const PAIR: &'static [&'static str];
    /// Asks how replication fares.
    const REPLICATION: &'static str;
    /// Asks for the position that a primary has reached.
    const POSITION: &'static str;

    /// The server.
    fn program() -> Command;

    /// Fills an empty data directory.
    fn initialise(data: &Path);

    /// Statements by which a server becomes the replica of the one at this port.
    fn follow(port: u16) -> String;

    /// Statements by which a replica executes everything so many seconds late.
    fn delay(seconds: u32) -> String;

    /// Whether the answer to [`Self::REPLICATION`] says that it runs.
    fn replicates(answer: &str) -> bool;

    /// Asks a replica to wait for a position; it answers 0 when it has it.
    fn reach(position: &str) -> String;
}

impl<F: MySqlFamily> Programs for F {
    const NAME: &'static str = F::NAME;
    const PROTOCOL: &'static str = "mysql";
    const LOGINS: &'static [(&'static str, &'static str)] =
        &[users::APP, users::READER, users::TLS_ONLY, users::NO_PASSWORD];
    const SYSTEM_USER: &'static str = "mysql";
    const UNIQUE: &'static [&'static str] = F::UNIQUE;
    /// Without a binary log, primary and replica start from the same nothing.
    const FILLING: &'static [&'static str] = &["--skip-networking", "--skip-log-bin"];
    const STOP: libc::c_int = libc::SIGTERM;

    fn recipe() -> Vec<u8> {
        let version = F::program().arg("--version").output();
        let version = version.map(|output| output.stdout).unwrap_or_default();
        let settings: String = settings::<F>().collect();
        [version, settings.into_bytes(), F::contents().into_bytes()].concat()
    }

    fn initialise(data: &Path) {
        F::initialise(data);
    }

    fn contents() -> String {
        [STATEMENTS, F::USERS].concat()
    }

    fn equip(_: &Path) {}

    /// Small, quick to start, and not durable.
    fn server(folder: &Path, _: u16) -> Command {
        let at = |name: &str| folder.join(name).display().to_string();
        let mut command = F::program();
        command.arg(format!("--datadir={}", at("data")));
        command.arg(format!("--socket={}", at("socket")));
        command.arg(format!("--pid-file={}", at("data/pid")));
        command.arg(format!("--log-error={}", at("error.log")));
        command.args(settings::<F>()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn network(_: &Path, port: u16) -> Vec<String> {
        let certificates = Certificates::shared();
        vec![
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--ssl-ca={}", certificates.ca().display()),
            format!("--ssl-cert={}", certificates.certificate().display()),
            format!("--ssl-key={}", certificates.key().display()),
        ]
    }

    /// By `mariadb`, which talks to every server, without the settings of whoever runs the tests.
    fn query(folder: &Path, _: u16, statements: &str) -> Result<String, String> {
        let mut client = Command::new(find_program("mariadb"));
        client.arg("--no-defaults").arg(format!("--socket={}", folder.join("socket").display()));
        client.args(["--user=root", "--skip-column-names", "--batch", "--raw"]);
        feed(client, statements)
    }

    fn recreate(database: &str) -> String {
        format!("drop database if exists {database}; create database {database}")
    }

    fn numbered(number: u32) -> Vec<String> {
        let number = format!("--server-id={number}");
        [number].into_iter().chain(F::PAIR.iter().map(ToString::to_string)).collect()
    }

    fn replica() -> &'static [&'static str] {
        &["--read-only=1"]
    }

    fn follow(server: &mut Server<Self>, port: u16) {
        if !server.is_running() {
            server.start_again();
        }
        server.execute(&F::follow(port));
        wait_for("the replica to follow the primary", || {
            F::replicates(&server.query(F::REPLICATION)).then_some(())
        });
    }

    fn position(primary: &Server<Self>) -> String {
        primary.query(F::POSITION)
    }

    fn reach(replica: &Server<Self>, position: &str) {
        let reached = replica.query(&F::reach(position));
        assert_eq!(reached.trim(), "0", "the replica has not reached {position}");
    }

    fn delay(replica: &Server<Self>, seconds: u32) {
        replica.execute(&F::delay(seconds));
    }

    fn promote(replica: &Server<Self>) {
        replica.execute("stop replica; reset replica all; set global read_only = 0");
    }

    fn retire(pair: &mut Pair<Self>) {
        pair.primary.execute("set global read_only = 1");
        pair.wait_for_replica();
    }
}

/// A program of the server's, without the settings of this machine.
pub(super) fn without_defaults<F: MySqlFamily>(program: &Path) -> Command {
    let mut command = unprivileged::<F>(program);
    command.arg("--no-defaults");
    command
}

/// Some must be the same when the template is made and when it is used.
pub(super) fn settings<F: MySqlFamily>() -> impl Iterator<Item = &'static str> {
    COMMON.iter().chain(F::SETTINGS).copied()
}

const COMMON: [&str; 9] = [
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=0",
    "--performance-schema=OFF",
    "--skip-name-resolve",
    "--max-allowed-packet=128M",
    "--max-connections=400",
    "--local-infile=1",
    "--log-bin-trust-function-creators=1",
    "--character-set-server=utf8mb4",
];

/// Makes the users. Their passwords are stored in the server's own way: `mysql_native_password` in
/// MariaDB, `caching_sha2_password` in MySQL. `app` may do everything but write to a read-only
/// server.
const STATEMENTS: &str = "
create user app@'%' identified by 'apppw';
grant all on *.* to app@'%' with grant option;
revoke super on *.* from app@'%';
create user ro@'%' identified by 'ropw';
grant select on *.* to ro@'%';
create user tlsonly@'%' identified by 'apppw' require ssl;
grant select on *.* to tlsonly@'%';
create user mon@'%' identified by 'monpw';
grant replication client on *.* to mon@'%';
grant select on mysql.user to mon@'%';
create user nopw@'%';
grant select on *.* to nopw@'%';
create user repl@'%' identified by 'replpw';
grant replication slave on *.* to repl@'%';
create database app;
";
