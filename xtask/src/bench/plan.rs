//! What is measured: the cells of the table.

use clap::ValueEnum;
use serde::Serialize;

/// A kind of load, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Load {
    /// Point selects as text
    Text,
    /// Point selects by prepared statement
    Prepared,
    /// Transactions of 18 statements that read and write (sysbench's oltp_read_write)
    ReadWrite,
    /// More clients than server connections, where those can be shared
    Shared,
    /// Active clients beside 1,000 that do nothing, on 20 server connections where they can be shared
    BesideIdle,
    /// Connect, log in, one statement, quit
    Churn,
    /// Memory of clients that are logged in and do nothing
    Idle,
}

/// What is measured when there is little time.
pub(super) const QUICK: [Load; 4] = [Load::Text, Load::Prepared, Load::Churn, Load::Idle];

/// How statements reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    Text,
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

const TEXT: Cell = Cell {
    workload: Workload::PointSelect,
    mode: Mode::Text,
    clients: 1,
    idle_clients: 0,
    server_connections: None,
};
const PREPARED: Cell = Cell { mode: Mode::Prepared, ..TEXT };
const READ_WRITE: Cell = Cell { workload: Workload::ReadWrite, ..TEXT };
const CHURN: Cell = Cell { workload: Workload::Churn, clients: 16, ..TEXT };

/// So many that the rest of the process hardly counts.
pub(super) const IDLE: Cell =
    Cell { workload: Workload::Idle, clients: 1000, server_connections: Some(20), ..TEXT };

/// The first clients of a process, for which it allocates what it will need for all.
pub(super) const A_FEW: Cell = Cell { clients: 4, ..TEXT };

impl Load {
    /// Its cells with statements in them.
    fn cells(self) -> Vec<Cell> {
        let with = |clients| move |cell| Cell { clients, ..cell };
        match self {
            Self::Text => [1, 16, 64].map(|clients| with(clients)(TEXT)).to_vec(),
            Self::Prepared => [1, 16, 64].map(|clients| with(clients)(PREPARED)).to_vec(),
            Self::ReadWrite => {
                let mut cells = [1, 16, 64].map(|clients| with(clients)(READ_WRITE)).to_vec();
                cells.push(Cell { mode: Mode::Prepared, clients: 16, ..READ_WRITE });
                cells
            }
            Self::Shared => [TEXT, PREPARED]
                .map(|cell| Cell { clients: 64, server_connections: Some(16), ..cell })
                .to_vec(),
            Self::BesideIdle => {
                let idle_clients = IDLE.clients;
                let server_connections = IDLE.server_connections;
                vec![Cell { clients: 16, idle_clients, server_connections, ..TEXT }]
            }
            Self::Churn => vec![CHURN],
            Self::Idle => vec![],
        }
    }
}

/// The cells with statements in them, in the order of the table.
pub(super) fn cells(loads: &[Load]) -> Vec<Cell> {
    loads.iter().flat_map(|load| load.cells()).collect()
}
