//! What tests and benchmarks need beside Rust: real servers and clients, installed where that is possible.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// A program that is started, and the Debian package that brings it.
struct Tool {
    program: &'static str,
    package: &'static str,
    purpose: &'static str,
}

const MARIADBD: Tool =
    tool("mariadbd", "mariadb-server", "the server behind the proxy (10.6 or newer)");
const MARIADB_INSTALL_DB: Tool =
    tool("mariadb-install-db", "mariadb-server", "creates its data directory");
const MARIADB: Tool = tool("mariadb", "mariadb-client", "the command line client");
const SYSBENCH: Tool = tool("sysbench", "sysbench", "load");

const POSTGRES: Tool = tool("postgres", "postgresql", "the other server behind the proxy");

const TOOLS: &[Tool] = &[
    MARIADBD,
    MARIADB_INSTALL_DB,
    MARIADB,
    SYSBENCH,
    POSTGRES,
    tool("psql", "postgresql-client", "the command line client of PostgreSQL"),
    tool("mariadb-dump", "mariadb-client", "dumps databases"),
    tool("python3", "python3", "runs the clients for Python"),
    tool("python3-config", "python3-dev", "mysqlclient is built with it"),
    tool("mariadb_config", "libmariadb-dev", "mysqlclient is built with it"),
    tool("pkg-config", "pkg-config", "mysqlclient is built with it"),
    tool("node", "nodejs", "runs the clients for Node"),
    tool("npm", "npm", "installs the clients for Node"),
    tool("javac", "default-jdk-headless", "runs the client for Java"),
    tool("/usr/share/java/postgresql.jar", "libpostgresql-jdbc-java", "the client for Java"),
];

const HAPROXY: Tool = tool("haproxy", "haproxy", "a proxy to compare with");

const MYSQL_BENCH_TOOLS: &[Tool] = &[MARIADBD, MARIADB_INSTALL_DB, MARIADB, SYSBENCH, HAPROXY];

const POSTGRES_BENCH_TOOLS: &[Tool] = &[
    tool("postgres", "postgresql", "the server behind the proxy (14 or newer)"),
    tool("pgbench", "postgresql", "load"),
    tool("psql", "postgresql-client", "the command line client"),
    HAPROXY,
];

const fn tool(program: &'static str, package: &'static str, purpose: &'static str) -> Tool {
    Tool { program, package, purpose }
}

/// Installs the servers and clients of the tests that are missing.
///
/// # Errors
/// Where it cannot, the message lists exactly what is missing and how to get it.
pub(crate) fn install_tools() -> Result<()> {
    install(TOOLS)
}

/// Installs what the benchmark of MySQL is made with, and compares with.
///
/// # Errors
/// As [`install_tools`].
pub(crate) fn install_mysql_bench_tools() -> Result<()> {
    install(MYSQL_BENCH_TOOLS)
}

/// Installs what the benchmark of PostgreSQL is made with, and compares with.
///
/// # Errors
/// As [`install_tools`].
pub(crate) fn install_postgres_bench_tools() -> Result<()> {
    install(POSTGRES_BENCH_TOOLS)
}

fn install(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> =
        tools.iter().filter(|tool| shell::find(tool.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    packages.dedup();
    if shell::find("apt-get").is_none() {
        bail!("these programs are missing, please install them:\n{}", list(&missing));
    }
    apt_install(&packages).with_context(|| format!("still missing:\n{}", list(&missing)))
}

fn list(tools: &[&Tool]) -> String {
    let line = |tool: &&Tool| {
        format!("  {}: {} (Debian package {})\n", tool.program, tool.purpose, tool.package)
    };
    tools.iter().map(line).collect()
}

fn apt_install(packages: &[&str]) -> Result<()> {
    eprintln!("  installing {}", packages.join(" "));
    shell::run_quietly(apt_get()?.arg("update"))?;
    let mut install = apt_get()?;
    install.args(["install", "--yes", "--no-install-recommends"]).args(packages);
    shell::run_quietly(&mut install)
}

/// `apt-get`, through `sudo` where we are not root.
fn apt_get() -> Result<Command> {
    // SAFETY: geteuid has no preconditions and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let mut command = match (root, shell::find("sudo")) {
        (true, _) => Command::new("env"),
        (false, Some(sudo)) => {
            let mut command = Command::new(sudo);
            command.args(["--non-interactive", "env"]);
            command
        }
        (false, None) => bail!("packages can only be installed by root, and there is no sudo"),
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    Ok(command)
}

/// Where the clients that are not Rust are installed.
fn clients_dir() -> PathBuf {
    shell::target_dir().join("tests").join("clients")
}

/// A Python with the packages of `tests/clients/python/requirements.txt`.
pub(crate) fn install_python_clients() -> Result<()> {
    let requirements = shell::root().join("tests/clients/python/requirements.txt");
    let folder = clients_dir().join("python");
    unless_stamped(&folder, &requirements, || {
        create_venv(&folder)?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--requirement"]).arg(&requirements);
        shell::run_quietly(&mut pip)
    })
}

fn create_venv(folder: &Path) -> Result<()> {
    let create = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(folder);
        shell::run_quietly(&mut command)
    };
    // Debian's python3 has no venv of its own; only the attempt shows whether it is there.
    create().or_else(|why| {
        if shell::find("apt-get").is_none() {
            return Err(why.context("python3 needs its venv module"));
        }
        apt_install(&["python3-venv"])?;
        create()
    })
}

/// The Node packages of `tests/clients/node/package.json`.
pub(crate) fn install_node_clients() -> Result<()> {
    let source = shell::root().join("tests/clients/node");
    let folder = clients_dir().join("node");
    unless_stamped(&folder, &source.join("package-lock.json"), || {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), folder.join(file))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(&folder);
        shell::run_quietly(&mut npm)
    })
}

/// Runs `install` unless `folder` was last filled from the very same `list`.
fn unless_stamped(folder: &Path, list: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = folder.join("installed-from");
    let wanted = fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    install()?;
    fs::write(stamp, wanted)?;
    Ok(())
}

/// Adds the target that plugins are built for, where it is missing.
pub(crate) fn install_wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-wasip2";
    let libraries = shell::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = Path::new(libraries.trim()).join("lib/rustlib").join(TARGET);
    if library.is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(shell::root());
    shell::run(&mut rustup).context("plugins are built for wasm32-wasip2, which is missing")
}
