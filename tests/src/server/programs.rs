//! The programs of a server: where they are, as whom they run, and with what arguments.

use std::fmt::{Debug, Display};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What one product does in its own way; all else is the same for every server.
pub trait Programs: Debug + Sized + 'static {
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
    fn server() -> Command;

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

/// What to tell whoever runs the tests without what they need.
#[must_use]
pub fn missing(program: &str, error: &dyn Display) -> String {
    format!("cannot start `{program}` ({error}); `cargo xtask test` installs what the tests need")
}

/// Finds a program, also in the folders of servers, which are often outside a user's `PATH`.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn find_program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{}", missing(name, &"not found")))
}

/// `mariadb`, which talks to every server, without the settings of whoever runs the tests.
pub(super) fn client() -> Command {
    let mut command = Command::new(find_program("mariadb"));
    command.arg("--no-defaults");
    command
}

/// A program of the server's, which refuses to be root, under the user that its package made.
pub(super) fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = server_user() {
        command.uid(user).gid(group);
    }
    command.arg("--no-defaults");
    command
}

/// The numbers of the user `mysql`, if we are root and should become it.
pub(super) fn server_user() -> Option<(u32, u32)> {
    // SAFETY: geteuid has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.starts_with("mysql:"));
    let mut fields =
        line.expect("the package mariadb-server makes a user mysql").split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    Some((number()?, number()?))
}

/// What every server gets: small, quick to start, and not durable.
pub(super) fn arguments<P: Programs>(folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut arguments = vec![
        format!("--datadir={}", at("data")),
        format!("--socket={}", at("socket")),
        format!("--pid-file={}", at("data/pid")),
        format!("--log-error={}", at("error.log")),
    ];
    arguments.extend(settings::<P>().map(ToString::to_string));
    arguments
}

/// Some must be the same when the template is made and when it is used.
pub(super) fn settings<P: Programs>() -> impl Iterator<Item = &'static str> {
    COMMON.iter().chain(P::SETTINGS).copied()
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
