//! Typed, validated configuration: text in, [`Config`] or all of its located errors out.
//!
//! Strict on purpose: what is not understood is an error that says where it stands and what was
//! probably meant. Beside the text, only the files and variables that it names are read.

mod error;
mod listener;
mod name;
mod process;
mod secret;
mod table;
mod units;
mod upstream;
mod users;
mod value;

use std::path::Path;

use zeroize::Zeroizing;

pub use error::{Error, Errors, Position};
pub use listener::{
    Auth, ClientTls, ClientTlsMode, Compression, Listener, ListenerProtocol, MysqlListener,
    PostgresAuth, PostgresListener, QueryLog,
};
pub use process::{Admin, Log, LogFormat, Plugins, Runtime};
pub use secret::Secret;
pub use upstream::{
    Account, Balance, Pool, PoolMode, PostgresUpstream, Probe, Protocol, ReadAfterWrite, Role,
    Server, ServerRsa, ServerTls, ServerTlsMode, Upstream, UpstreamProtocol,
};
pub use users::{AuthMethod, User, UserSecret};

use table::{Document, Environment, Table};

/// Everything that `tidegate.toml` says, with defaults filled in and references resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub admin: Option<Admin>,
    pub plugins: Option<Plugins>,
    pub runtime: Runtime,
    pub log: Log,
    /// At least one; their names are unique.
    pub upstreams: Vec<Upstream>,
    /// At least one; their names and addresses are unique.
    pub listeners: Vec<Listener>,
    /// What is allowed but should be looked at, for the log.
    pub warnings: Vec<Error>,
}

/// Reads and checks a configuration file. Relative paths in it start at its directory.
///
/// # Errors
/// All that is wrong with it, or that it cannot be read.
pub fn load(path: &Path) -> Result<Config, Errors> {
    parse(&read_text(path)?, path)
}

/// Like [`load`], for text that is at hand; `file` names it in errors and anchors its paths.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(text: &str, file: &Path) -> Result<Config, Errors> {
    parse_with(text, file, &|name| std::env::var_os(name))
}

/// Reads the users file of a listener that speaks this: `[[user]]` tables with a `name` and a `password` or `verifier`.
///
/// # Errors
/// All that is wrong with it, or that it cannot be read.
pub fn load_users(path: &Path, protocol: Protocol) -> Result<Vec<User>, Errors> {
    load_users_with(path, &|name| std::env::var_os(name), Some(protocol))
}

fn parse_with(text: &str, file: &Path, environment: &Environment) -> Result<Config, Errors> {
    let (mut config, warnings) = Document::read(text, file, environment, config)?;
    config.warnings = warnings;
    Ok(config)
}

fn load_users_with(
    path: &Path,
    environment: &Environment,
    protocol: Option<Protocol>,
) -> Result<Vec<User>, Errors> {
    let text = read_text(path)?;
    let (users, _warnings) =
        Document::read(&text, path, environment, |root| users::file(root, protocol))?;
    Ok(users)
}

fn read_text(path: &Path) -> Result<Zeroizing<String>, Errors> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => Err(Errors::from(Error::unreadable(path, &error))),
    }
}

fn config(root: &mut Table<'_>) -> Option<Config> {
    let admin = root.optional("admin", process::admin);
    let plugins = root.optional("plugins", process::plugins);
    let runtime = root.optional("runtime", process::runtime);
    let log = root.optional("log", process::log);
    let known = upstream::outlines(root);
    let upstreams = root.tables("upstream", upstream::read);
    let listeners =
        root.tables("listener", |table, seen| listener::read(table, seen, &known, admin.as_ref()));
    Some(Config {
        admin,
        plugins,
        runtime: runtime.unwrap_or_default(),
        log: log.unwrap_or_default(),
        upstreams: upstreams?,
        listeners: listeners?,
        warnings: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
