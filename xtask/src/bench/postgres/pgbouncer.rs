//! PgBouncer, as a target.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::bench::process::unprivileged;
use crate::bench::protocol::{CLIENTS_MAX, DATABASE, PASSWORD, Servers, USER};
use crate::bench::tidegate::Pooling;
use crate::debian_sid;

/// With at most so many connections to the primary.
pub(in crate::bench) fn command(
    pooling: Pooling,
    server_connections: Option<u32>,
    port: u16,
    servers: &dyn Servers,
    folder: &Path,
) -> Result<Command> {
    let users = folder.join("userlist.txt");
    fs::write(&users, format!("\"{USER}\" \"{PASSWORD}\"\n"))?;
    let configuration = folder.join("pgbouncer.ini");
    let text = format!(
        "[databases]
{DATABASE} = host=127.0.0.1 port={}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {}
pool_mode = {}
default_pool_size = {}
max_client_conn = {CLIENTS_MAX}
log_connections = 0
log_disconnections = 0
",
        servers.primary().port,
        users.display(),
        pooling.mode(),
        server_connections.unwrap_or(CLIENTS_MAX),
    );
    fs::write(&configuration, text)?;
    let mut command = Command::new(debian_sid::PGBOUNCER.program("pgbouncer"));
    command.arg(configuration).current_dir(folder);
    // It refuses to be root.
    unprivileged(&mut command, super::server::SYSTEM_USER)?;
    Ok(command)
}
