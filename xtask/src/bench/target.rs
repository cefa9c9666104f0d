//! What the load goes through: nothing, a relay, HAProxy, or tidegate with one plugin or none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde::Serialize;

use super::mariadb::{MariaDb, PASSWORD, USER};
use super::process::{Process, free_port};
use super::usage;
use crate::{plugins, shell};

/// Something that answers as the primary would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Target {
    Direct,
    Relay,
    Haproxy,
    Tidegate,
    #[serde(rename = "tidegate+noop")]
    #[value(name = "tidegate+noop")]
    TidegateNoop,
    #[serde(rename = "tidegate+read-write-split")]
    #[value(name = "tidegate+read-write-split")]
    TidegateReadWriteSplit,
}

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
            Self::Haproxy => "haproxy",
            Self::Tidegate => "tidegate",
            Self::TidegateNoop => "tidegate+noop",
            Self::TidegateReadWriteSplit => "tidegate+read-write-split",
        }
    }

    pub(super) fn is_tidegate(self) -> bool {
        matches!(self, Self::Tidegate | Self::TidegateNoop | Self::TidegateReadWriteSplit)
    }

    /// The component that it runs with, where `cargo xtask plugins` leaves it.
    fn plugin(self) -> Option<PathBuf> {
        let (workspace, file) = match self {
            Self::TidegateNoop => ("tests/plugins", "noop.wasm"),
            Self::TidegateReadWriteSplit => ("plugins", "read_write_split.wasm"),
            _ => return None,
        };
        Some(plugins::components(workspace).join(file))
    }
}

/// A target that takes clients.
pub(super) struct Running {
    pub(super) target: Target,
    pub(super) port: u16,
    process: Option<Process>,
}

impl Running {
    /// Starts a target in front of the servers.
    pub(super) fn start(target: Target, servers: &MariaDb, folder: &Path) -> Result<Self> {
        if target == Target::Direct {
            return Ok(Self { target, port: servers.primary, process: None });
        }
        let port = free_port()?;
        let folder = folder.join(target.name());
        fs::create_dir(&folder)?;
        let command = match target {
            Target::Relay => relay(port, servers),
            Target::Haproxy => haproxy(port, servers, &folder)?,
            _ => tidegate(target, port, servers, &folder)?,
        };
        let process = Process::start(target.name(), command, &folder, port)?;
        let log = process.log();
        // A plugin that was not loaded would be measured as one that costs nothing.
        ensure!(!log.contains("ERROR"), "{} has a complaint:\n{log}", target.name());
        Ok(Self { target, port, process: Some(process) })
    }

    /// The proxy's CPU time until now; `None` without a proxy.
    pub(super) fn cpu(&self) -> Result<Option<Duration>> {
        self.process.as_ref().map(|process| usage::cpu(process.id())).transpose()
    }

    /// The proxy's resident memory in KiB; `None` without a proxy.
    pub(super) fn resident_kib(&self) -> Result<Option<f64>> {
        self.process.as_ref().map(|process| usage::resident_kib(process.id())).transpose()
    }
}

fn relay(port: u16, servers: &MariaDb) -> Command {
    let mut command = Command::new(release("tidegate-bench-relay"));
    command.arg(format!("127.0.0.1:{port}")).arg(format!("127.0.0.1:{}", servers.primary));
    command
}

fn haproxy(port: u16, servers: &MariaDb, folder: &Path) -> Result<Command> {
    let configuration = folder.join("haproxy.cfg");
    let text = format!(
        "global
  nbthread 2
  maxconn 4000
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

fn tidegate(target: Target, port: u16, servers: &MariaDb, folder: &Path) -> Result<Command> {
    let dropped = folder.join("plugins");
    fs::create_dir(&dropped)?;
    if let Some(plugin) = target.plugin() {
        let name = plugin.file_name().context("a plugin has a file name")?;
        fs::copy(&plugin, dropped.join(name))
            .with_context(|| format!("cannot copy {}", plugin.display()))?;
        if target == Target::TidegateReadWriteSplit {
            let sidecar = dropped.join(name).with_extension("toml");
            fs::write(sidecar, "[config]\nupstream = \"mariadb\"\n")?;
        }
    }
    let configuration = folder.join("tidegate.toml");
    fs::write(&configuration, tidegate_configuration(port, servers))?;
    let mut command = Command::new(release("tidegate"));
    command.arg("run").arg("--config").arg(configuration);
    Ok(command)
}

fn tidegate_configuration(port: u16, servers: &MariaDb) -> String {
    let MariaDb { primary, replica, .. } = servers;
    format!(
        r#"
[plugins]
dir = "plugins"

[log]
level = "warn"

[[upstream]]
name = "mariadb"
protocol = "mysql"
servers = [
    {{ address = "127.0.0.1:{primary}", role = "primary" }},
    {{ address = "127.0.0.1:{replica}", role = "replica" }},
]
pool = {{ max = 1000 }}

[[listener]]
name = "mariadb"
protocol = "mysql"
bind = "127.0.0.1:{port}"
upstream = "mariadb"
auth = {{ source = "config", users = [{{ name = "{USER}", password = "{PASSWORD}" }}] }}
"#
    )
}

/// A program that `cargo build --release` made.
fn release(program: &str) -> PathBuf {
    shell::target_dir().join("release").join(program)
}
