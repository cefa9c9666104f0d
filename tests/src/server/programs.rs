//! What differs between servers: their programs, arguments, statements, and how they replicate.

use std::fmt::{Debug, Display};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::server::{Pair, Server};

/// What one product does in its own way; all else is the same for every server.
pub trait Programs: Debug + Sized + 'static {
    /// Begins the name of its template.
    const NAME: &'static str;
    /// How `tidegate.toml` calls what it speaks.
    const PROTOCOL: &'static str;
    /// The users of the template that have a password or none, as the configuration lists users.
    const LOGINS: &'static [(&'static str, &'static str)];
    /// The user of this machine that its package makes, because it refuses to be root.
    const SYSTEM_USER: &'static str;
    /// Files of a data directory that no two servers may share.
    const UNIQUE: &'static [&'static str];
    /// Arguments of a server that is filled: without network, and with nothing to replicate.
    const FILLING: &'static [&'static str];
    /// The signal that ends it properly, whoever is connected.
    const STOP: libc::c_int;

    /// What the template depends on: the version of the server, and all that is put into it.
    fn recipe() -> Vec<u8>;

    /// Fills an empty data directory.
    fn initialise(data: &Path);

    /// Statements that make the common users and the database `app`.
    fn contents() -> String;

    /// Puts into a folder what a server needs beside its data.
    fn equip(folder: &Path);

    /// The server of a folder, without network. What it has to say goes to `error.log`.
    fn server(folder: &Path, port: u16) -> Command;

    /// Arguments by which it listens on its port, with TLS.
    fn network(folder: &Path, port: u16) -> Vec<String>;

    /// Takes away what a killed server has left in the kernel: a power cut leaves nothing.
    fn bury(_folder: &Path) {}

    /// Runs statements as the superuser, through the Unix socket in the folder: a line for each
    /// row, tabs between columns.
    ///
    /// # Errors
    /// What the server has to say, if a statement fails or it cannot be reached.
    fn query(folder: &Path, port: u16, statements: &str) -> Result<String, String>;

    /// Statements that make an empty database in the place of any other of that name.
    fn recreate(database: &str) -> String;

    /// Arguments of a server of a pair, which has this number.
    fn numbered(number: u32) -> Vec<String>;

    /// Arguments of whoever begins as a replica.
    fn replica() -> &'static [&'static str];

    /// Makes a server the replica of the one at this port, and waits until it replicates. It may
    /// not run yet.
    fn follow(server: &mut Server<Self>, port: u16);

    /// The position that a primary has reached.
    fn position(primary: &Server<Self>) -> String;

    /// Waits until a replica has reached a position.
    fn reach(replica: &Server<Self>, position: &str);

    /// Has a replica execute everything so many seconds late.
    fn delay(replica: &Server<Self>, seconds: u32);

    /// Has a replica follow nobody any more and take writes.
    fn promote(replica: &Server<Self>);

    /// Has a primary take no more writes, and its replica receive all that there were.
    fn retire(pair: &mut Pair<Self>);
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

/// A program of the server's, under the user that its package made.
pub(super) fn unprivileged<P: Programs>(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = system_user::<P>() {
        command.uid(user).gid(group);
    }
    command.stdin(Stdio::null());
    command
}

/// The numbers of [`Programs::SYSTEM_USER`], if we are root and should become it.
pub(super) fn system_user<P: Programs>() -> Option<(u32, u32)> {
    // SAFETY: geteuid has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = P::SYSTEM_USER;
    let line = users.lines().find_map(|line| line.strip_prefix(user)?.strip_prefix(':'));
    let line = line.unwrap_or_else(|| panic!("{}", missing(P::NAME, &format!("no user {user}"))));
    let mut fields = line.split(':').skip(1);
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    Some((number()?, number()?))
}

/// Has a client run statements that it is given on its standard input, and returns what it prints.
pub(super) fn feed(mut client: Command, statements: &str) -> Result<String, String> {
    use std::io::Write as _;
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let name = client.get_program().to_string_lossy().into_owned();
    let mut client = client.spawn().map_err(|error| missing(&name, &error))?;
    if let Some(mut stdin) = client.stdin.take() {
        // Whoever ends before it has read everything says why.
        stdin.write_all(statements.as_bytes()).ok();
    }
    let output = client.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
