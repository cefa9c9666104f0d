//! A real server in a scratch folder, on a port of its own: MariaDB or MySQL.

mod mariadb;
mod mysql;
mod pair;
mod programs;
mod template;
pub mod users;

use std::fs;
use std::io::Write as _;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

pub use mariadb::MariaDbPrograms;
pub use mysql::{MySqlPrograms, find_mysql_program};
pub use pair::{MariaDbPair, MySqlPair, PRIMARY_ID, Pair, REPLICA_ID};
pub use programs::{Programs, find_program, missing};

use crate::certificates::Certificates;
use crate::{Scratch, free_port, nursery, wait_for};

/// One running server. Stopped, and its data removed, on drop.
#[derive(Debug)]
pub struct Server<P: Programs> {
    folder: Scratch,
    port: u16,
    arguments: Vec<String>,
    process: Option<Child>,
    programs: PhantomData<P>,
}

/// A server of MariaDB.
pub type MariaDb = Server<MariaDbPrograms>;
/// A server of MySQL 9.
pub type MySql = Server<MySqlPrograms>;

impl<P: Programs> Server<P> {
    /// Starts a server with the users of [`users`] and the empty database `app`.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with more arguments for the server.
    ///
    /// # Panics
    /// When the server is not installed or does not start; the message says which.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let folder = Scratch::new();
        template::copy_to::<P>(&folder.path().join("data"));
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let port = free_port();
        let mut server = Self { folder, port, arguments, process: None, programs: PhantomData };
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
        let mut command = P::server();
        command.args(programs::arguments::<P>(self.folder.path()));
        command.arg(format!("--port={}", self.port)).arg("--bind-address=127.0.0.1");
        command.args(tls_arguments()).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(nursery::spawn(command).expect("a server can be started"));
        wait_for("a server to accept connections", || {
            self.check_alive();
            self.try_query("select 1").ok()
        });
    }

    fn check_alive(&mut self) {
        let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
        if let Some(status) = ended {
            panic!("the server ended with {status}:\n{}", self.log());
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

impl<P: Programs> Drop for Server<P> {
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
    let mut command = programs::client();
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
