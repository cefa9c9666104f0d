//! The programs of MariaDB: where they are, as whom they run, and with what arguments.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs};

/// What to tell whoever runs the tests without their servers.
#[must_use]
pub fn missing(program: &str, error: &dyn fmt::Display) -> String {
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

/// `mariadbd`, which refuses to be root.
pub(super) fn server() -> Command {
    unprivileged("mariadbd")
}

/// `mariadb`, without the settings of whoever runs the tests.
pub(super) fn client() -> Command {
    let mut command = Command::new(find_program("mariadb"));
    command.arg("--no-defaults");
    command
}

/// A program of the server's, under the user that its package made where we are root.
pub(super) fn unprivileged(name: &str) -> Command {
    let mut command = Command::new(find_program(name));
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
pub(super) fn arguments(folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut arguments = vec![
        format!("--datadir={}", at("data")),
        format!("--socket={}", at("socket")),
        format!("--pid-file={}", at("data/pid")),
        format!("--log-error={}", at("error.log")),
    ];
    arguments.extend(SETTINGS.iter().map(ToString::to_string));
    arguments
}

/// The redo log's size must be the same when the template is made and when it is used.
pub(super) const SETTINGS: [&str; 10] = [
    "--innodb-log-file-size=32M",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=0",
    "--performance-schema=OFF",
    "--skip-name-resolve",
    "--max-allowed-packet=128M",
    "--max-connections=400",
    "--local-infile=1",
    "--lc-messages=en_US",
    "--character-set-server=utf8mb4",
];
