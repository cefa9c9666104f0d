//! The folder of plugins: what a user drops there, changes there and takes away.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::proxy::{Listener, Proxy};

/// Built components, found by the names of their crates.
pub(crate) struct Components {
    folders: Vec<PathBuf>,
}

impl Components {
    pub(crate) fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// Puts the sample plugins where the proxy will find them when it starts.
    pub(crate) fn install_samples(&self, folder: &Path) -> Result<()> {
        let plugins = folder.join("plugins");
        fs::create_dir(&plugins)?;
        for (name, sidecar) in SAMPLES {
            fs::copy(self.component(name)?, plugins.join(format!("{name}.wasm")))?;
            fs::write(plugins.join(format!("{name}.toml")), sidecar)?;
        }
        Ok(())
    }

    /// Drops a plugin into the folder of a running proxy, or replaces the one of that name.
    pub(crate) fn install(&self, proxy: &Proxy, plugin: &str, sidecar: &str) -> Result<()> {
        write(proxy, &format!("{plugin}.toml"), sidecar.as_bytes())?;
        write(proxy, &format!("{plugin}.wasm"), &fs::read(self.component(plugin)?)?)
    }

    fn component(&self, plugin: &str) -> Result<PathBuf> {
        let file = format!("{}.wasm", plugin.replace('-', "_"));
        let found = self.folders.iter().map(|folder| folder.join(&file)).find(|path| path.exists());
        found.with_context(|| format!("{file} was not built"))
    }
}

/// Replaces the sidecar of a plugin.
pub(crate) fn configure(proxy: &Proxy, plugin: &str, sidecar: &str) -> Result<()> {
    write(proxy, &format!("{plugin}.toml"), sidecar.as_bytes())
}

/// Takes a plugin away.
pub(crate) fn remove(proxy: &Proxy, plugin: &str) -> Result<()> {
    for extension in ["wasm", "toml"] {
        fs::remove_file(folder(proxy).join(format!("{plugin}.{extension}")))?;
    }
    Ok(())
}

/// The sidecar of the plugin that sends everything to one target.
pub(crate) fn route_all(target: &str) -> String {
    let listener = Listener::ByStatement.name();
    format!("listeners = [{listener:?}]\n\n[config]\ntarget = {target:?}\n")
}

/// In one step, so that nobody sees half a file.
fn write(proxy: &Proxy, name: &str, bytes: &[u8]) -> Result<()> {
    let unfinished = proxy.folder.join("unfinished");
    fs::write(&unfinished, bytes)?;
    fs::rename(unfinished, folder(proxy).join(name))?;
    Ok(())
}

fn folder(proxy: &Proxy) -> PathBuf {
    proxy.folder.join("plugins")
}

/// Each listener has its own, so that it can be seen which of them decided.
const SAMPLES: [(&str, &str); 5] = [
    ("user-router", USER_ROUTER),
    ("read-write-split", READ_WRITE_SPLIT),
    ("example", EXAMPLE),
    ("query-rules", QUERY_RULES),
    ("trace-id", TRACE_ID),
];

const USER_ROUTER: &str = r#"listeners = ["by-user"]

[config]
default = "shop/replica"

[config.users]
boss = "shop/primary"
"#;

const READ_WRITE_SPLIT: &str = r#"listeners = ["by-statement"]

[config]
upstream = "shop"
sticky = "500ms"
"#;

const EXAMPLE: &str = r#"listeners = ["by-statement"]

[config]
administrators = ["boss"]
message = "ask an administrator to change tables"
"#;

const QUERY_RULES: &str = r#"listeners = ["by-statement"]

[[config.rules]]
rule_id = 10
match_pattern = '\bold_visits\b'
replace_pattern = "visits"

[[config.rules]]
rule_id = 20
match_digest = '^delete from \w+$'
error_msg = "say which rows: this statement has no WHERE"
"#;

const TRACE_ID: &str = r#"listeners = ["by-statement"]
"#;
