//! MySQL Router, as a target.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::bench::protocol::{CLIENTS_MAX, Servers};
use crate::debian_sid;

/// One route to the primary, as in a set-up without a cluster's metadata.
pub(in crate::bench) fn command(
    port: u16,
    servers: &dyn Servers,
    folder: &Path,
) -> Result<Command> {
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
        servers.primary().port,
        folder = folder.display(),
    );
    fs::write(&configuration, text)?;
    let mut command = Command::new(debian_sid::MYSQL_ROUTER.program("mysqlrouter"));
    command.arg("--config").arg(configuration);
    Ok(command)
}
