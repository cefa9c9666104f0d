//! What every protocol's targets are compared with: a bare relay, and HAProxy.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::protocol::{CLIENTS_MAX, Servers};
use super::target::release;
use crate::shell;

pub(super) fn relay(port: u16, servers: &dyn Servers) -> Command {
    let mut command = Command::new(release("tidegate-bench-relay"));
    command.arg(format!("127.0.0.1:{port}")).arg(format!("127.0.0.1:{}", servers.primary().port));
    command
}

pub(super) fn haproxy(port: u16, servers: &dyn Servers, folder: &Path) -> Result<Command> {
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
listen bench
  bind 127.0.0.1:{port}
  server primary 127.0.0.1:{}
",
        servers.primary().port
    );
    fs::write(&configuration, text)?;
    let mut command = Command::new(shell::find("haproxy").context("haproxy is missing")?);
    command.arg("-db").arg("-f").arg(configuration);
    Ok(command)
}
