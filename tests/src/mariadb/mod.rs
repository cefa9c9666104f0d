//! A real MariaDB server in a scratch folder, on a port of its own.

mod pair;
mod program;
mod template;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

pub use pair::{MariaDbPair, PRIMARY_ID, REPLICA_ID};
pub use program::{find_program, missing};

use crate::certificates::Certificates;
use crate::{Scratch, free_port, nursery, wait_for};

/// The users that every server has, beside `root` on its socket.
///
/// `app` may do everything but write to a read-only server.
pub mod users {
    /// Everything a normal application may do, by `mysql_native_password`.
    pub const APP: (&str, &str) = ("app", "apppw");
    /// Only reads.
    pub const READER: (&str, &str) = ("ro", "ropw");
    /// The server refuses it without TLS.
    pub const TLS_ONLY: (&str, &str) = ("tlsonly", "apppw");
    /// The service account: sees replication and reads verifiers.
    pub const MONITOR: (&str, &str) = ("mon", "monpw");
    /// Has no password.
    pub const NO_PASSWORD: (&str, &str) = ("nopw", "");
}

/// One running server. Stopped, and its data removed, on drop.
#[derive(Debug)]
pub struct MariaDb {
    folder: Scratch,
    port: u16,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl MariaDb {
    /// Starts a server with the users of [`users`] and the empty database `app`.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with more arguments for `mariadbd`.
    ///
    /// # Panics
    /// When the server is not installed or does not start; the message says which.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let folder = Scratch::new();
        template::copy_to(&folder.path().join("data"));
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let mut server = Self { folder, port: free_port(), arguments, process: None };
        server.start_again();
        server
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements as `root` and returns the rows: a line each, tabs between columns.
    ///
    /// # Panics
    /// When a statement fails.
    #[must_use]
    pub fn query(&self, statements: &str) -> String {
        self.try_query(statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// Runs statements as `root` for their effect.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn execute(&self, statements: &str) {
        drop(self.query(statements));
    }

    fn try_query(&self, statements: &str) -> Result<String, String> {
        query_socket(&self.socket(), statements)
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        self.process.take().iter_mut().for_each(nursery::kill);
    }

    /// Shuts the server down properly.
    pub fn stop(&mut self) {
        self.process.take().iter_mut().for_each(|process| {
            nursery::terminate(process);
        });
    }

    /// Freezes the server: connections stay open and nothing is answered.
    pub fn freeze(&mut self) {
        self.signal(libc::SIGSTOP);
    }

    /// Ends [`Self::freeze`].
    pub fn thaw(&mut self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&mut self, signal: libc::c_int) {
        self.process.iter_mut().for_each(|process| nursery::signal(process, signal));
    }

    /// Starts the server again on the same port with the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let mut command = program::server();
        command.args(program::arguments(self.folder.path()));
        command.arg(format!("--port={}", self.port)).arg("--bind-address=127.0.0.1");
        command.args(tls_arguments()).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(nursery::spawn(command).expect("mariadbd can be started"));
        wait_for("mariadbd to accept connections", || {
            self.check_alive();
            self.try_query("select 1").ok()
        });
    }

    fn check_alive(&mut self) {
        let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
        if let Some(status) = ended {
            panic!("mariadbd ended with {status}:\n{}", self.log());
        }
    }

    /// What the server has written to its error log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
    }
}

fn tls_arguments() -> [String; 3] {
    let certificates = Certificates::shared();
    [
        format!("--ssl-ca={}", certificates.ca().display()),
        format!("--ssl-cert={}", certificates.certificate().display()),
        format!("--ssl-key={}", certificates.key().display()),
    ]
}

/// Runs statements as `root` through the server's Unix socket.
fn query_socket(socket: &Path, statements: &str) -> Result<String, String> {
    let mut command = program::client();
    command.arg(format!("--socket={}", socket.display()));
    command.args(["--user=root", "--skip-column-names", "--batch", "--raw"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn().map_err(|error| missing("mariadb", &error))?;
    if let Some(mut stdin) = client.stdin.take() {
        stdin.write_all(statements.as_bytes()).map_err(|error| error.to_string())?;
    }
    let output = client.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
