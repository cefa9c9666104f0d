//! A real server in a scratch folder, on a port of its own: MariaDB, MySQL or PostgreSQL.

mod mariadb;
mod mysql;
mod mysql_family;
mod pair;
mod postgres;
mod programs;
mod template;
pub mod users;

use std::fs;
use std::marker::PhantomData;
use std::path::Path;
use std::process::Child;

pub use mariadb::MariaDbPrograms;
pub use mysql::{MySqlPrograms, find_mysql_program};
pub use pair::{
    MariaDbPair, MySqlPair, PRIMARY_ID, Pair, Postgres18Pair, PostgresPair, REPLICA_ID,
};
pub use postgres::{Installation, PostgresOf, Unpacked18, find_postgres_program};
pub use programs::{Programs, find_program, missing};

use crate::{Scratch, free_port, nursery, wait_for};

/// One server. Stopped, and its data removed, on drop.
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
/// A server of PostgreSQL.
pub type Postgres = Server<PostgresPrograms>;
/// A server of PostgreSQL 18.
pub type Postgres18 = Server<Postgres18Programs>;
/// PostgreSQL as its package installs it.
pub type PostgresPrograms = PostgresOf<postgres::Installed>;
/// PostgreSQL 18 from the folder where `cargo xtask postgres18` installs it.
pub type Postgres18Programs = PostgresOf<Unpacked18>;

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
        let mut server = Self::create(arguments.iter().map(ToString::to_string).collect());
        server.start_again();
        server
    }

    /// Makes a server that does not run yet.
    fn create(arguments: Vec<String>) -> Self {
        let folder = Scratch::new();
        template::copy_into::<P>(folder.path());
        Self { folder, port: free_port(), arguments, process: None, programs: PhantomData }
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

    /// Runs statements as the superuser and returns the rows: a line each, tabs between columns.
    ///
    /// # Panics
    /// When a statement fails.
    #[must_use]
    pub fn query(&self, statements: &str) -> String {
        self.try_query(statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// Runs statements as the superuser for their effect.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn execute(&self, statements: &str) {
        drop(self.query(statements));
    }

    fn try_query(&self, statements: &str) -> Result<String, String> {
        P::query(self.folder(), self.port, statements)
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            nursery::kill(&mut process);
            P::bury(self.folder());
        }
    }

    /// Shuts the server down properly.
    pub fn stop(&mut self) {
        self.process.take().iter_mut().for_each(|process| {
            nursery::end(process, P::STOP);
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
        self.process.iter_mut().for_each(|process| nursery::signal_family(process, signal));
    }

    /// Starts the server again on the same port with the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let mut command = P::server(self.folder(), self.port);
        command.args(P::network(self.folder(), self.port)).args(&self.arguments);
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
        fs::read_to_string(self.folder().join("error.log")).unwrap_or_default()
    }

    fn is_running(&self) -> bool {
        self.process.is_some()
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl<P: Programs> Drop for Server<P> {
    fn drop(&mut self) {
        self.kill();
    }
}
