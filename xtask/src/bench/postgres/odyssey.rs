//! Odyssey, as a target.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::bench::protocol::{CLIENTS_MAX, DATABASE, PASSWORD, Servers, USER};
use crate::debian_sid;

/// In transaction mode, with at most so many connections to the primary.
pub(in crate::bench) fn command(
    server_connections: Option<u32>,
    port: u16,
    servers: &dyn Servers,
    folder: &Path,
) -> Result<Command> {
    let configuration = folder.join("odyssey.conf");
    let text = format!(
        r#"daemonize no
log_to_stdout yes
log_format "%p %t %l [%i %s] (%c) %m\n"
log_session no
log_stats no
workers 2
client_max {CLIENTS_MAX}
listen {{
    host "127.0.0.1"
    port {port}
    backlog 1024
}}
storage "primary" {{
    type "remote"
    host "127.0.0.1"
    port {}
}}
database "{DATABASE}" {{
    user "{USER}" {{
        authentication "scram-sha-256"
        password "{PASSWORD}"
        storage "primary"
        storage_password "{PASSWORD}"
        pool "transaction"
        pool_size {}
        pool_discard no
        pool_reserve_prepared_statement yes
    }}
}}
"#,
        servers.primary().port,
        server_connections.unwrap_or(CLIENTS_MAX),
    );
    fs::write(&configuration, text)?;
    let mut command = Command::new(debian_sid::ODYSSEY.program("odyssey"));
    command.arg(configuration).current_dir(folder);
    Ok(command)
}
