//! Real client libraries against the servers.

mod mysql;
mod postgres;

use tempfile::TempDir;
use tidegate_demo_upstreams::{Protocol, Role, start};

/// A primary and a replica of it.
struct Servers {
    primary: u16,
    replica: u16,
    _folder: TempDir,
}

impl Servers {
    fn start(protocol: Protocol) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("data.sqlite");
        let primary = start(protocol, Role::Primary, 1, &path).expect("a primary").port();
        let replica = start(protocol, Role::Replica, 2, &path).expect("a replica").port();
        Self { primary, replica, _folder: folder }
    }
}
