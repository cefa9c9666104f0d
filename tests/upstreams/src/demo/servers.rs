//! The servers behind the proxy: a primary and two replicas of it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use tidegate_demo_upstreams::{Role, start};

pub(crate) struct Servers {
    pub(crate) primary: SocketAddr,
    pub(crate) replicas: [SocketAddr; 2],
}

/// What each server answers to `SELECT @@hostname`.
pub(crate) const PRIMARY: &str = "primary-1";
pub(crate) const REPLICAS: [&str; 2] = ["replica-2", "replica-3"];

impl Servers {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let data = folder.join("data.sqlite");
        let primary = start(Role::Primary, 1, &data)?;
        let replicas = [start(Role::Replica, 2, &data)?, start(Role::Replica, 3, &data)?];
        Ok(Self { primary, replicas })
    }
}
