//! The proxy itself, as its users run it: one binary, one configuration file, one folder of plugins.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tidegate_demo_upstreams::{Protocol, USERS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::servers::{Servers, name};

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Where clients of one protocol connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Its plugin looks at who connects.
    ByUser,
    /// Its plugins look at each statement.
    ByStatement,
}

impl Listener {
    pub(crate) fn name(self, protocol: Protocol) -> String {
        let by = match self {
            Self::ByUser => "by-user",
            Self::ByStatement => "by-statement",
        };
        format!("{}-{by}", name(protocol))
    }
}

/// The ports of both listeners for one protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) by_user: u16,
    pub(crate) by_statement: u16,
}

impl Ports {
    pub(crate) fn of(self, listener: Listener) -> u16 {
        match listener {
            Listener::ByUser => self.by_user,
            Listener::ByStatement => self.by_statement,
        }
    }
}

pub(crate) struct Proxy {
    pub(crate) mysql: Ports,
    pub(crate) postgres: Ports,
    pub(crate) admin: u16,
    folder: PathBuf,
    /// Killed when this is dropped.
    process: Child,
}

impl Proxy {
    /// Writes `tidegate.toml`, starts the proxy on it and waits until it is ready.
    pub(crate) async fn start(
        program: &Path,
        folder: &Path,
        mysql_servers: &Servers,
        postgres_servers: &Servers,
    ) -> Result<Self> {
        let [mysql_by_user, mysql_by_statement, by_user, by_statement, admin] = ports()?;
        let mysql = Ports { by_user: mysql_by_user, by_statement: mysql_by_statement };
        let postgres = Ports { by_user, by_statement };
        let configuration = [
            general(admin),
            listeners(Protocol::MySql, mysql, mysql_servers),
            listeners(Protocol::Postgres, postgres, postgres_servers),
        ];
        let configuration = configuration.join("\n");
        fs::write(folder.join("tidegate.toml"), configuration)?;
        let log = File::create(folder.join("tidegate.log"))?;
        let process = Command::new(program)
            .args(["run", "--config", "tidegate.toml"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let folder = folder.to_owned();
        let mut proxy = Self { mysql, postgres, admin, folder, process };
        proxy.wait_until_ready().await?;
        Ok(proxy)
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("tidegate.log")).unwrap_or_default()
    }

    /// What the listener [`Listener::ByStatement`] has logged of its statements.
    pub(crate) fn queries(&self, protocol: Protocol) -> String {
        let file = self.folder.join(format!("{}-queries.log", name(protocol)));
        fs::read_to_string(file).unwrap_or_default()
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_ready(self.admin).await {
            if let Some(status) = self.process.try_wait()? {
                bail!("tidegate ended ({status}):\n{}", self.log());
            }
            if Instant::now() > deadline {
                bail!("tidegate does not get ready:\n{}", self.log());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// Asks `/readyz`; an error is an answer that has not come yet.
async fn is_ready(admin: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, admin)).await?;
        let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}

/// Ports that are easy to remember, or, where one is taken, any other.
fn ports() -> Result<[u16; 5]> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let reserve = |port| bind(port).or_else(|_| bind(0)).context("there is no free port");
    // All are held until each is known, so that none is found twice.
    let held = [reserve(3307)?, reserve(3308)?, reserve(5433)?, reserve(5434)?, reserve(9090)?];
    let mut ports = [0; 5];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn general(admin: u16) -> String {
    format!(
        r#"[admin]
bind = "127.0.0.1:{admin}"

[plugins]
dir = "plugins"
"#
    )
}

/// The servers that speak a protocol, and the listeners in front of them.
fn listeners(protocol: Protocol, ports: Ports, servers: &Servers) -> String {
    let Servers { primary, replicas: [first, second] } = servers;
    let Ports { by_user, by_statement } = ports;
    let protocol = name(protocol);
    let users = USERS
        .map(|(name, password)| format!("    {{ name = {name:?}, password = {password:?} }},\n"));
    let users = users.concat();
    format!(
        r#"[[upstream]]
name = "{protocol}-shop"
protocol = "{protocol}"
servers = [
    {{ address = "{primary}", role = "primary" }},
    {{ address = "{first}", role = "replica" }},
    {{ address = "{second}", role = "replica" }},
]

[[listener]]
name = "{protocol}-by-user"
protocol = "{protocol}"
bind = "127.0.0.1:{by_user}"
upstream = "{protocol}-shop"
auth = {{ source = "config", users = [
{users}] }}

[[listener]]
name = "{protocol}-by-statement"
protocol = "{protocol}"
bind = "127.0.0.1:{by_statement}"
upstream = "{protocol}-shop"
query_log = {{ path = "{protocol}-queries.log" }}
auth = {{ source = "config", users = [
{users}] }}
"#
    )
}
