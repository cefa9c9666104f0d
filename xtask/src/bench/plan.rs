//! What is measured: the cells of the table.

use serde::Serialize;

/// A kind of load, as the command line names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) name: &'static str,
    /// For whoever asks what can be named.
    pub(super) about: &'static str,
    /// In the order of the table.
    pub(super) cells: &'static [Cell],
    /// What is measured when there is little time.
    pub(super) quick: &'static [Cell],
}

/// How statements reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    /// MySQL's `COM_QUERY`
    Text,
    /// PostgreSQL's `Query`
    Simple,
    /// PostgreSQL's `Parse` without a name, again for each execution
    Extended,
    /// Prepared once, executed often
    Prepared,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Workload {
    PointSelect,
    ReadWrite,
    Churn,
    Idle,
}

/// One load that every target is put under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cell {
    pub(super) workload: Workload,
    pub(super) mode: Mode,
    pub(super) clients: u32,
    /// How many more clients are logged in meanwhile and do nothing.
    pub(super) idle_clients: u32,
    /// How many server connections there are for all clients; only targets that share them keep to it.
    pub(super) server_connections: Option<u32>,
}

impl Cell {
    /// With one client.
    pub(super) const fn new(workload: Workload, mode: Mode) -> Self {
        Self { workload, mode, clients: 1, idle_clients: 0, server_connections: None }
    }

    pub(super) const fn by(self, clients: u32) -> Self {
        Self { clients, ..self }
    }

    pub(super) const fn beside(self, idle_clients: u32) -> Self {
        Self { idle_clients, ..self }
    }

    /// On so many server connections, where they can be shared.
    pub(super) const fn on(self, server_connections: u32) -> Self {
        Self { server_connections: Some(server_connections), ..self }
    }

    /// The clients beside it that do nothing.
    pub(super) fn idle_ones(self) -> Option<Self> {
        let idle = Self::new(Workload::Idle, self.mode).by(self.idle_clients);
        (self.idle_clients > 0).then_some(idle)
    }

    /// The first clients of a process, for which it allocates what it will need for all.
    pub(super) fn a_few(self) -> Self {
        Self::new(Workload::PointSelect, self.mode).by(4)
    }
}
