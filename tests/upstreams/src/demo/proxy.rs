//! The proxy itself, as its users run it: one binary, one configuration file, one folder of plugins.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mysql_async::{Conn, OptsBuilder};
use tidegate_demo_upstreams::{DATABASE, USERS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::servers::Servers;

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// What is said on the listener [`Listener::ByStatement`].
const QUERY_LOG: &str = "queries.log";

/// Where clients of each listener connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Its plugin looks at who connects.
    ByUser,
    /// Its plugins look at each statement.
    ByStatement,
}

impl Listener {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ByUser => "by-user",
            Self::ByStatement => "by-statement",
        }
    }
}

pub(crate) struct Proxy {
    pub(crate) by_user: u16,
    pub(crate) by_statement: u16,
    pub(crate) admin: u16,
    pub(crate) folder: PathBuf,
    /// Killed when this is dropped.
    process: Child,
}

impl Proxy {
    /// Writes `tidegate.toml`, starts the proxy on it and waits until it is ready.
    pub(crate) async fn start(program: &Path, folder: &Path, servers: &Servers) -> Result<Self> {
        let [by_user, by_statement, admin] = ports()?;
        let configuration = configuration([by_user, by_statement, admin], servers);
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
        let mut proxy = Self { by_user, by_statement, admin, folder, process };
        proxy.wait_until_ready().await?;
        Ok(proxy)
    }

    /// Logs in as one of [`USERS`].
    pub(crate) async fn connect(&self, listener: Listener, user: &str) -> Result<Conn> {
        let port = match listener {
            Listener::ByUser => self.by_user,
            Listener::ByStatement => self.by_statement,
        };
        let password = USERS.iter().find(|(name, _)| *name == user).map(|(_, password)| *password);
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(port)
            .user(Some(user))
            .pass(password)
            .db_name(Some(DATABASE))
            .prefer_socket(false);
        Conn::new(options).await.with_context(|| format!("{user} cannot log in"))
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("tidegate.log")).unwrap_or_default()
    }

    /// What the listener [`Listener::ByStatement`] has logged of its statements.
    pub(crate) fn queries(&self) -> String {
        fs::read_to_string(self.folder.join(QUERY_LOG)).unwrap_or_default()
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
fn ports() -> Result<[u16; 3]> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let reserve = |port| bind(port).or_else(|_| bind(0)).context("there is no free port");
    // All are held until each is known, so that none is found twice.
    let held = [reserve(3307)?, reserve(3308)?, reserve(9090)?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn configuration([by_user, by_statement, admin]: [u16; 3], servers: &Servers) -> String {
    let Servers { primary, replicas: [first, second] } = servers;
    let users = USERS
        .map(|(name, password)| format!("    {{ name = {name:?}, password = {password:?} }},\n"));
    let users = users.concat();
    format!(
        r#"[admin]
bind = "127.0.0.1:{admin}"

[plugins]
dir = "plugins"

[[upstream]]
name = "shop"
protocol = "mysql"
servers = [
    {{ address = "{primary}", role = "primary" }},
    {{ address = "{first}", role = "replica" }},
    {{ address = "{second}", role = "replica" }},
]

[[listener]]
name = "by-user"
protocol = "mysql"
bind = "127.0.0.1:{by_user}"
upstream = "shop"
auth = {{ source = "config", users = [
{users}] }}

[[listener]]
name = "by-statement"
protocol = "mysql"
bind = "127.0.0.1:{by_statement}"
upstream = "shop"
query_log = {{ path = "{QUERY_LOG}" }}
auth = {{ source = "config", users = [
{users}] }}
"#
    )
}
