//! The servers behind the proxy: for each protocol a primary and two replicas of it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use tidegate_demo_upstreams::{Protocol, Role, start};

/// The servers that speak one protocol.
pub(crate) struct Servers {
    pub(crate) primary: SocketAddr,
    pub(crate) replicas: [SocketAddr; 2],
}

/// What each server answers to who asks for its name.
pub(crate) const PRIMARY: &str = "primary-1";
pub(crate) const REPLICAS: [&str; 2] = ["replica-2", "replica-3"];

impl Servers {
    /// Starts them over a file of their own.
    pub(crate) fn start(protocol: Protocol, folder: &Path) -> Result<Self> {
        let data = folder.join(format!("{}.sqlite", name(protocol)));
        let start = |role, id| start(protocol, role, id, &data);
        let primary = start(Role::Primary, 1)?;
        let replicas = [start(Role::Replica, 2)?, start(Role::Replica, 3)?];
        Ok(Self { primary, replicas })
    }
}

/// What the configuration calls a protocol; names of upstreams, listeners and plugins begin so.
pub(crate) fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::MySql => "mysql",
        Protocol::Postgres => "postgres",
    }
}
