//! The proxies that tidegate is compared with: a bare relay, HAProxy, MySQL Router.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::mariadb::MariaDb;
use super::target::release;
use crate::{debian_sid, shell};

/// More than any load has.
const CLIENTS_MAX: u32 = 4000;

pub(super) fn relay(port: u16, servers: &MariaDb) -> Command {
    let mut command = Command::new(release("tidegate-bench-relay"));
    command.arg(format!("127.0.0.1:{port}")).arg(format!("127.0.0.1:{}", servers.primary));
    command
}

pub(super) fn haproxy(port: u16, servers: &MariaDb, folder: &Path) -> Result<Command> {
    let configuration = folder.join("haproxy.cfg");
    let text = format!(
        "global
  nbthread 2
  maxconn {CLIENTS_MAX}
defaults
  mode tcp
  timeout connect 10s
  timeout client 10m
  timeout server 10m
listen mysql
  bind 127.0.0.1:{port}
  server primary 127.0.0.1:{}
",
        servers.primary
    );
    fs::write(&configuration, text)?;
    let mut command = Command::new(shell::find("haproxy").context("haproxy is missing")?);
    command.arg("-db").arg("-f").arg(configuration);
    Ok(command)
}

/// One route to the primary, as in a set-up without a cluster's metadata.
pub(super) fn mysql_router(port: u16, servers: &MariaDb, folder: &Path) -> Result<Command> {
    let configuration = folder.join("mysqlrouter.conf");
    let text = format!(
        "[DEFAULT]
logging_folder =
data_folder = {folder}
runtime_folder = {folder}
max_total_connections = {CLIENTS_MAX}
[logger]
level = warning
[io]
threads = 2
[routing:mysql]
bind_address = 127.0.0.1
bind_port = {port}
destinations = 127.0.0.1:{}
routing_strategy = first-available
protocol = classic
client_ssl_mode = PASSTHROUGH
server_ssl_mode = AS_CLIENT
",
        servers.primary,
        folder = folder.display(),
    );
    fs::write(&configuration, text)?;
    let mut command = Command::new(debian_sid::MYSQL_ROUTER.program("mysqlrouter"));
    command.arg("--config").arg(configuration);
    Ok(command)
}
