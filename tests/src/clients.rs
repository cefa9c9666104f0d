//! Clients that are programs of their own: command lines, scripts of Python and Node, a program of
//! Java, sysbench.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::certificates::Certificates;
use crate::server::{find_mysql_program, find_postgres_program, find_program, missing};
use crate::tidegate::target_dir;

/// How a client logs in. The host is always `127.0.0.1`.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    pub port: u16,
    pub user: &'a str,
    pub password: &'a str,
    pub database: &'a str,
    /// Use TLS, and verify the certificate against the tests' authority.
    pub tls: bool,
    /// Ask for compression, where the client can.
    pub compress: bool,
}

impl<'a> Login<'a> {
    /// As the application user, without TLS.
    #[must_use]
    pub fn app(port: u16, database: &'a str) -> Self {
        let (user, password) = crate::server::users::APP;
        Self { port, user, password, database, tls: false, compress: false }
    }

    /// The same with TLS.
    #[must_use]
    pub fn with_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// The same with compression.
    #[must_use]
    pub fn with_compression(self) -> Self {
        Self { compress: true, ..self }
    }
}

/// A program that MariaDB brings: `mariadb`, `mariadb-dump`.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn mariadb_program(name: &str, login: Login<'_>) -> Command {
    let mut command = Command::new(find_program(name));
    logged_in(&mut command, login);
    if login.tls {
        command.arg("--ssl-verify-server-cert");
    } else {
        command.arg("--skip-ssl");
    }
    if login.compress {
        command.arg("--compress");
    }
    command
}

/// A program that MySQL 9 brings: `mysql`, `mysqldump`.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn mysql_program(name: &str, login: Login<'_>) -> Command {
    let mut command = Command::new(find_mysql_program(name));
    logged_in(&mut command, login);
    command.arg(if login.tls { "--ssl-mode=VERIFY_IDENTITY" } else { "--ssl-mode=DISABLED" });
    command.arg(if login.compress {
        "--compression-algorithms=zstd"
    } else {
        "--compression-algorithms=uncompressed"
    });
    command
}

fn logged_in(command: &mut Command, login: Login<'_>) {
    command.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"]);
    command.arg(format!("--port={}", login.port)).arg(format!("--user={}", login.user));
    command.env("MYSQL_PWD", login.password).arg("--max-allowed-packet=64M");
    if login.tls {
        command.arg(format!("--ssl-ca={}", Certificates::shared().ca().display()));
    }
}

/// Runs statements through the `mariadb` command line; `-vv`-like chatter is off.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn mariadb(login: Login<'_>, statements: &str) -> Output {
    run_statements(mariadb_program("mariadb", login), login.database, statements)
}

/// Runs statements through the `mysql` command line of MySQL 9.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn mysql(login: Login<'_>, statements: &str) -> Output {
    run_statements(mysql_program("mysql", login), login.database, statements)
}

fn run_statements(mut program: Command, database: &str, statements: &str) -> Output {
    program.args(["--batch", "--skip-column-names"]).arg(format!("--database={database}"));
    output(program.arg(format!("--execute={statements}")))
}

/// Has a command line carry out the statements of a file.
///
/// # Panics
/// When it fails; the message has what it said.
pub fn run_file(mut program: Command, database: &str, file: &Path) {
    program.stdin(File::open(file).expect("a file that was just written"));
    succeed(program.arg(format!("--database={database}")));
}

/// Runs a script of `tests/clients/python`.
///
/// # Panics
/// When the client is not installed, or the script fails; the message has what it said.
pub fn python(script: &str, login: Login<'_>) -> String {
    let interpreter = clients_dir().join("python/bin/python");
    let mut command = Command::new(interpreter);
    command.arg(scripts().join("python").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    succeed(with_login(&mut command, login))
}

/// Runs a script of `tests/clients/node`.
///
/// # Panics
/// As [`python`].
pub fn node(script: &str, login: Login<'_>) -> String {
    let mut command = Command::new(find_program("node"));
    command.arg(scripts().join("node").join(script));
    command.env("TIDEGATE_NODE_MODULES", clients_dir().join("node/package.json"));
    succeed(with_login(&mut command, login))
}

/// Runs a program of `tests/clients/java`, with PostgreSQL's driver.
///
/// # Panics
/// As [`python`].
pub fn java(source: &str, login: Login<'_>) -> String {
    let mut command = Command::new(find_program("java"));
    // It is compiled each time, and does not run for long.
    command.args(["-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8"]);
    command.args(["--class-path", "/usr/share/java/postgresql.jar"]);
    command.arg(scripts().join("java").join(source));
    succeed(with_login(&mut command, login))
}

/// A program that PostgreSQL brings: `psql`, `pgbench`, `pg_dump`.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn postgres_program(name: &str, login: Login<'_>) -> Command {
    let mut command = Command::new(find_postgres_program(name));
    command.args(["--host=127.0.0.1", &format!("--port={}", login.port)]);
    command.arg(format!("--username={}", login.user)).env("PGPASSWORD", login.password);
    command.env("PGDATABASE", login.database).env("PGCONNECT_TIMEOUT", "30");
    command.env("PGGSSENCMODE", "disable");
    if login.tls {
        command.env("PGSSLMODE", "verify-full");
        command.env("PGSSLROOTCERT", Certificates::shared().ca());
    } else {
        command.env("PGSSLMODE", "disable");
    }
    command
}

/// Runs statements through `psql`, which stops at the first that fails. Rows have tabs between
/// columns, errors their SQLSTATE.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn psql(login: Login<'_>, statements: &str) -> Output {
    psql_command(postgres_program("psql", login), statements)
}

/// As [`psql`], with the certificate of the tests' client.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn psql_with_certificate(login: Login<'_>, statements: &str) -> Output {
    let (certificate, key) = Certificates::shared().client();
    let mut program = postgres_program("psql", login);
    program.env("PGSSLCERT", certificate).env("PGSSLKEY", key);
    psql_command(program, statements)
}

fn psql_command(mut program: Command, statements: &str) -> Output {
    program.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
    program.args(["--field-separator=\t", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose"]);
    output(program.arg(format!("--command={statements}")))
}

/// Runs sysbench: `prepare`, `run` or `cleanup` of one of its own workloads.
///
/// # Panics
/// When it is not installed or fails; the message has what it said.
pub fn sysbench(login: Login<'_>, workload: &str, arguments: &[&str], step: &str) -> String {
    let mut command = Command::new(find_program("sysbench"));
    command.arg(workload).args(["--db-driver=mysql", "--mysql-host=127.0.0.1"]);
    command.arg(format!("--mysql-port={}", login.port));
    command.arg(format!("--mysql-user={}", login.user));
    command.arg(format!("--mysql-password={}", login.password));
    command.arg(format!("--mysql-db={}", login.database));
    command.arg(if login.compress { "--mysql-compression=on" } else { "--mysql-compression=off" });
    succeed(command.args(arguments).arg(step))
}

/// Runs a command and returns what it printed.
///
/// # Panics
/// When it fails; the message has what it said.
pub fn succeed(command: &mut Command) -> String {
    let output = output(command);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout
}

fn output(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    command.output().unwrap_or_else(|error| panic!("{}", missing(&program, &error)))
}

fn with_login<'a>(command: &'a mut Command, login: Login<'_>) -> &'a mut Command {
    command.env("TIDEGATE_PORT", login.port.to_string());
    command.env("TIDEGATE_USER", login.user).env("TIDEGATE_PASSWORD", login.password);
    command.env("TIDEGATE_DATABASE", login.database);
    if login.tls {
        command.env("TIDEGATE_CA", Certificates::shared().ca());
    }
    if login.compress {
        command.env("TIDEGATE_COMPRESS", "1");
    }
    command
}

fn clients_dir() -> PathBuf {
    target_dir().join("tests/clients")
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}
