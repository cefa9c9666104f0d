//! How tidegate is set up as a target: its pool, and one plugin or none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::protocol::{PASSWORD, Servers, USER};
use super::target::release;
use crate::plugins;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) pooling: Pooling,
    pub(super) plugin: Option<Plugin>,
}

/// How long a session holds a server connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    Session,
    Transaction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plugin {
    Noop,
    ReadWriteSplit,
}

/// More connections to each server than any load has clients.
const ENOUGH: u32 = 2000;

impl Pooling {
    pub(super) fn mode(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }
}

impl Plugin {
    /// The component, where `cargo xtask plugins` leaves it.
    fn component(self) -> PathBuf {
        let (workspace, file) = match self {
            Self::Noop => ("tests/plugins", "noop.wasm"),
            Self::ReadWriteSplit => ("plugins", "read_write_split.wasm"),
        };
        plugins::components(workspace).join(file)
    }

    /// What its sidecar says, if it has one.
    fn configuration(self) -> Option<&'static str> {
        match self {
            Self::Noop => None,
            Self::ReadWriteSplit => Some("[config]\nupstream = \"bench\"\n"),
        }
    }
}

/// tidegate on `port`, with at most so many connections to each server.
pub(super) fn command(
    setup: Setup,
    server_connections: Option<u32>,
    port: u16,
    servers: &dyn Servers,
    folder: &Path,
) -> Result<Command> {
    let dropped = folder.join("plugins");
    fs::create_dir(&dropped)?;
    if let Some(plugin) = setup.plugin {
        drop_in(plugin, &dropped)?;
    }
    let pool = format!(
        "{{ mode = \"{}\", max = {} }}",
        setup.pooling.mode(),
        server_connections.unwrap_or(ENOUGH)
    );
    let file = folder.join("tidegate.toml");
    fs::write(&file, configuration(port, servers, &pool))?;
    let mut command = Command::new(release("tidegate"));
    command.arg("run").arg("--config").arg(file);
    Ok(command)
}

fn drop_in(plugin: Plugin, folder: &Path) -> Result<()> {
    let component = plugin.component();
    let dropped = folder.join(component.file_name().context("a component has a file name")?);
    fs::copy(&component, &dropped)
        .with_context(|| format!("cannot copy {}", component.display()))?;
    if let Some(configuration) = plugin.configuration() {
        fs::write(dropped.with_extension("toml"), configuration)?;
    }
    Ok(())
}

fn configuration(port: u16, servers: &dyn Servers, pool: &str) -> String {
    let protocol = servers.protocol();
    let [primary, replica] = [servers.primary(), servers.replica()].map(|server| server.port);
    format!(
        r#"
[plugins]
dir = "plugins"

[log]
level = "warn"

[[upstream]]
name = "bench"
protocol = "{protocol}"
servers = [
    {{ address = "127.0.0.1:{primary}", role = "primary" }},
    {{ address = "127.0.0.1:{replica}", role = "replica" }},
]
pool = {pool}

[[listener]]
name = "bench"
protocol = "{protocol}"
bind = "127.0.0.1:{port}"
upstream = "bench"
auth = {{ source = "config", users = [{{ name = "{USER}", password = "{PASSWORD}" }}] }}
"#
    )
}
