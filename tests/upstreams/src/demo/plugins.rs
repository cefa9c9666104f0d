//! The folder of plugins: what a user drops there, changes there and takes away.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use tidegate_demo_upstreams::Protocol;

use crate::proxy::Listener;
use crate::servers::name;

/// Built components, found by the names of their crates, and the folder of a proxy.
pub(crate) struct Plugins {
    components: Vec<PathBuf>,
    folder: PathBuf,
}

impl Plugins {
    /// Makes the folder, with the sample plugins in it. It is `plugins` in this one.
    pub(crate) fn install_samples(components: Vec<PathBuf>, folder: &Path) -> Result<Self> {
        let folder = folder.join("plugins");
        fs::create_dir(&folder)?;
        let plugins = Self { components, folder };
        for (plugin, protocols, sidecar) in SAMPLES {
            for protocol in *protocols {
                let sidecar = sidecar.replace("{protocol}", name(*protocol));
                plugins.install(*protocol, plugin, &sidecar)?;
            }
        }
        Ok(plugins)
    }

    /// Drops a plugin into the folder, for the listeners of a protocol.
    pub(crate) fn install(&self, protocol: Protocol, plugin: &str, sidecar: &str) -> Result<()> {
        self.configure(protocol, plugin, sidecar)?;
        self.write(&file(protocol, plugin, "wasm"), &fs::read(self.component(plugin)?)?)
    }

    /// Replaces the sidecar of a plugin.
    pub(crate) fn configure(&self, protocol: Protocol, plugin: &str, sidecar: &str) -> Result<()> {
        self.write(&file(protocol, plugin, "toml"), sidecar.as_bytes())
    }

    /// Takes a plugin away.
    pub(crate) fn remove(&self, protocol: Protocol, plugin: &str) -> Result<()> {
        for extension in ["wasm", "toml"] {
            fs::remove_file(self.folder.join(file(protocol, plugin, extension)))?;
        }
        Ok(())
    }

    fn component(&self, plugin: &str) -> Result<PathBuf> {
        let file = format!("{}.wasm", plugin.replace('-', "_"));
        let paths = self.components.iter().map(|folder| folder.join(&file));
        let found = paths.into_iter().find(|path| path.exists());
        found.with_context(|| format!("{file} was not built"))
    }

    /// In one step, so that nobody sees half a file.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let unfinished = self.folder.with_file_name("unfinished");
        fs::write(&unfinished, bytes)?;
        fs::rename(unfinished, self.folder.join(name))?;
        Ok(())
    }
}

/// The sidecar of the plugin that sends everything to one target.
pub(crate) fn route_all(protocol: Protocol, target: &str) -> String {
    let listener = Listener::ByStatement.name(protocol);
    format!("listeners = [{listener:?}]\n\n[config]\ntarget = {target:?}\n")
}

/// The same component may stand there for each protocol, with a sidecar of its own.
fn file(protocol: Protocol, plugin: &str, extension: &str) -> String {
    format!("{}-{plugin}.{extension}", name(protocol))
}

/// Each listener has its own, so that it can be seen which of them decided.
const SAMPLES: &[(&str, &[Protocol], &str)] = &[
    ("user-router", &[Protocol::MySql, Protocol::Postgres], USER_ROUTER),
    ("read-write-split", &[Protocol::MySql, Protocol::Postgres], READ_WRITE_SPLIT),
    ("example", &[Protocol::MySql], EXAMPLE),
    ("query-rules", &[Protocol::MySql], QUERY_RULES),
    ("trace-id", &[Protocol::MySql], TRACE_ID),
];

const USER_ROUTER: &str = r#"listeners = ["{protocol}-by-user"]

[config]
default = "{protocol}-shop/replica"

[config.users]
boss = "{protocol}-shop/primary"
"#;

const READ_WRITE_SPLIT: &str = r#"listeners = ["{protocol}-by-statement"]

[config]
upstream = "{protocol}-shop"
sticky = "500ms"
"#;

const EXAMPLE: &str = r#"listeners = ["{protocol}-by-statement"]

[config]
administrators = ["boss"]
message = "ask an administrator to change tables"
"#;

const QUERY_RULES: &str = r#"listeners = ["{protocol}-by-statement"]

[[config.rules]]
rule_id = 10
match_pattern = '\bold_visits\b'
replace_pattern = "visits"

[[config.rules]]
rule_id = 20
match_digest = '^delete from \w+$'
error_msg = "say which rows: this statement has no WHERE"
"#;

const TRACE_ID: &str = r#"listeners = ["{protocol}-by-statement"]
"#;
