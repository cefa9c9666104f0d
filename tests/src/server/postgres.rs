//! PostgreSQL: a program for each task, a replica that continues its primary's log.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::Write as _;
use std::marker::PhantomData;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::certificates::Certificates;
use crate::server::programs::{Programs, feed, find_program, unprivileged};
use crate::server::{Pair, Server, template, users};
use crate::tidegate::target_dir;
use crate::wait_for;

/// PostgreSQL as it is installed somewhere.
#[derive(Debug)]
pub struct PostgresOf<I>(PhantomData<I>);

/// Where the programs of one PostgreSQL are.
pub trait Installation: Debug + 'static {
    /// Begins the name of its template.
    const NAME: &'static str;

    /// One of its programs.
    fn program(name: &str) -> PathBuf;
}

/// The newest that the packages of this machine have installed.
#[derive(Debug)]
pub enum Installed {}

impl Installation for Installed {
    const NAME: &'static str = "postgres";

    fn program(name: &str) -> PathBuf {
        find_postgres_program(name)
    }
}

/// PostgreSQL 18 from the folder where `cargo xtask postgres18` installs it.
#[derive(Debug)]
pub enum Unpacked18 {}

impl Installation for Unpacked18 {
    const NAME: &'static str = "postgres18";

    fn program(name: &str) -> PathBuf {
        let program = target_dir().join("tests/postgres18/bin").join(name);
        let missing = format!("{} is missing", program.display());
        assert!(program.is_file(), "{missing}; `cargo xtask postgres18` installs it");
        program
    }
}

/// Finds a program of PostgreSQL: Debian has those of each version in a folder of its own.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn find_postgres_program(name: &str) -> PathBuf {
    let version = |folder: &PathBuf| {
        folder.file_name()?.to_str()?.parse::<u32>().ok().map(|version| (version, folder.clone()))
    };
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = folders.map(|entry| entry.path());
    let with_program = |folder: &PathBuf| folder.join("bin").join(name).is_file();
    folders
        .filter(with_program)
        .filter_map(|folder| version(&folder))
        .max()
        .map_or_else(|| find_program(name), |(_, folder)| folder.join("bin").join(name))
}

impl<I: Installation> Programs for PostgresOf<I> {
    const NAME: &'static str = I::NAME;
    const PROTOCOL: &'static str = "postgres";
    const LOGINS: &'static [(&'static str, &'static str)] =
        &[users::APP, users::READER, users::TLS_ONLY, users::MD5, users::CLEARTEXT];
    const SYSTEM_USER: &'static str = "postgres";
    /// Primary and replica must have the same identity, so that one continues the other's log.
    const UNIQUE: &'static [&'static str] = &["postmaster.pid", "postmaster.opts"];
    const FILLING: &'static [&'static str] = &["-c", "listen_addresses="];
    /// SIGTERM would wait until every client has left.
    const STOP: libc::c_int = libc::SIGINT;

    fn recipe() -> Vec<u8> {
        let version = Command::new(I::program("postgres")).arg("--version").output();
        let version = version.map(|output| output.stdout).unwrap_or_default();
        let texts = [INITDB.concat(), HBA.to_owned(), IDENT.to_owned(), Self::contents()];
        [version, texts.concat().into_bytes()].concat()
    }

    fn initialise(data: &Path) {
        let mut initdb = Self::program("initdb");
        initdb.arg("-D").arg(data).args(INITDB);
        let output = initdb.output().expect("it was found a moment ago");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        for (file, text) in [("pg_hba.conf", HBA), ("pg_ident.conf", IDENT)] {
            fs::write(data.join(file), text).expect("initdb has made it");
        }
    }

    fn contents() -> String {
        STATEMENTS.to_owned()
    }

    /// It takes no key that others might read.
    fn equip(folder: &Path) {
        let key = folder.join("server.key");
        fs::copy(Certificates::shared().key(), &key).expect("a scratch folder can be written");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("by its owner");
    }

    fn server(folder: &Path, port: u16) -> Command {
        let mut command = Self::program("postgres");
        let log = File::options().create(true).append(true).open(folder.join("error.log"));
        command.stdout(Stdio::null()).stderr(log.expect("a scratch folder can be written"));
        command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
        command.arg("-k").arg(folder);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
    }

    fn network(folder: &Path, _: u16) -> Vec<String> {
        let certificates = Certificates::shared();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_ca_file={}", certificates.ca().display()),
            format!("ssl_cert_file={}", certificates.certificate().display()),
            format!("ssl_key_file={}", folder.join("server.key").display()),
        ];
        settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
    }

    /// The file of its id names a piece of shared memory, by which two servers would recognise that
    /// they have the same data.
    fn bury(folder: &Path) {
        let id = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        let memory = id.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
        if let Some(memory) = memory.and_then(|memory| memory.parse().ok()) {
            // SAFETY: removing needs no buffer, and nobody is attached any more.
            unsafe { libc::shmctl(memory, libc::IPC_RMID, std::ptr::null_mut()) };
        }
    }

    /// In the database `postgres`, unless a statement `\connect` leads elsewhere.
    fn query(folder: &Path, port: u16, statements: &str) -> Result<String, String> {
        let mut client = Command::new(I::program("psql"));
        client.arg("--host").arg(folder).args(["--port", &port.to_string()]);
        client.args(["--username=postgres", "--dbname=postgres", "--no-psqlrc", "--quiet"]);
        client.args(["--tuples-only", "--no-align", "--field-separator=\t"]);
        client.args(["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose"]);
        client.env_clear().env("PGCLIENTENCODING", "UTF8");
        feed(client, statements)
    }

    fn recreate(database: &str) -> String {
        format!(
            "drop database if exists {database} with (force);
             create database {database} owner app;"
        )
    }

    fn numbered(number: u32) -> Vec<String> {
        vec!["-c".to_owned(), format!("cluster_name={number}")]
    }

    fn replica() -> &'static [&'static str] {
        &[]
    }

    fn follow(server: &mut Server<Self>, port: u16) {
        server.stop();
        let data = server.folder().join("data");
        fs::write(data.join("standby.signal"), "").expect("a scratch folder can be written");
        let mut settings = File::options()
            .append(true)
            .open(data.join("postgresql.auto.conf"))
            .expect("initdb has made it");
        writeln!(
            settings,
            "primary_conninfo = 'host=127.0.0.1 port={port} user=repl password=replpw'"
        )
        .expect("a scratch folder can be written");
        template::give_away::<Self>(&data);
        server.start_again();
        wait_for("the replica to follow the primary", || {
            let status = server.query("select status from pg_stat_wal_receiver");
            (status.trim() == "streaming").then_some(())
        });
    }

    fn position(primary: &Server<Self>) -> String {
        primary.query("select pg_current_wal_flush_lsn()")
    }

    fn reach(replica: &Server<Self>, position: &str) {
        let reached = format!("select pg_last_wal_replay_lsn() >= '{position}'");
        wait_for("the replica to have what the primary has", || {
            (replica.query(&reached).trim() == "t").then_some(())
        });
    }

    fn delay(replica: &Server<Self>, seconds: u32) {
        replica.execute(&format!(
            "alter system set recovery_min_apply_delay = '{seconds}s';
             select pg_reload_conf();"
        ));
    }

    fn promote(replica: &Server<Self>) {
        assert_eq!(replica.query("select pg_promote()").trim(), "t", "it is not promoted");
    }

    /// Who stops sends all that it has first.
    fn retire(pair: &mut Pair<Self>) {
        pair.primary.stop();
    }
}

impl<I: Installation> PostgresOf<I> {
    fn program(name: &str) -> Command {
        let mut command = unprivileged::<Self>(&I::program(name));
        // It may not enter the folder that the tests run in.
        command.current_dir("/");
        command
    }
}

const INITDB: [&str; 6] = [
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
];

/// Small, quick to start, and not durable.
const SETTINGS: [&str; 8] = [
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=400",
    "max_prepared_transactions=20",
    // A replica that was away finds what it has missed.
    "wal_keep_size=512MB",
    // One that was killed is back at once.
    "wal_retrieve_retry_interval=100ms",
    "log_line_prefix=%m [%p] %q%u@%d ",
];

const HBA: &str = "
local all all trust
host replication repl 127.0.0.1/32 scram-sha-256
hostssl all certuser 127.0.0.1/32 cert map=clients
host all certuser 127.0.0.1/32 reject
hostnossl all tlsonly 127.0.0.1/32 reject
host all md5user 127.0.0.1/32 md5
host all plainuser 127.0.0.1/32 password
host all nopw 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
";

/// The name in the clients' certificate, and whose it is.
const IDENT: &str = "clients \"a client\" certuser\n";

/// The service account reads verifiers in the database `postgres`: who may read a catalogue is noted
/// in each database.
const STATEMENTS: &str = "
create user app password 'apppw' createdb;
create user ro password 'ropw';
grant pg_read_all_data to ro;
create user tlsonly password 'apppw';
create user mon password 'monpw';
grant pg_monitor to mon;
grant select on pg_authid to mon;
create user nopw;
create user plainuser password 'plainpw';
create user certuser;
create user repl password 'replpw' replication;
set password_encryption = 'md5';
create user md5user password 'md5pw';
create database app owner app;
";
