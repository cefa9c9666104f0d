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
    /// Connect, log in, one statement, quit
    Churn,
    /// Memory of clients that are logged in and do nothing
    Idle,
}

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
    Churn,
    Idle,
}

/// One load that every target is put under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) workload: Workload,
    pub(super) mode: Mode,
    pub(super) clients: u32,
}

const CLIENTS: [u32; 3] = [1, 16, 64];

/// So many that the rest of the process hardly counts.
pub(super) const IDLE: Cell = Cell { workload: Workload::Idle, mode: Mode::Text, clients: 500 };

/// The cells with statements in them, in the order of the table.
pub(super) fn cells(loads: &[Load]) -> Vec<Cell> {
    let selects =
        |mode| CLIENTS.map(|clients| Cell { workload: Workload::PointSelect, mode, clients });
    let mut cells = Vec::new();
    for load in loads {
        match load {
            Load::Text => cells.extend(selects(Mode::Text)),
            Load::Prepared => cells.extend(selects(Mode::Prepared)),
            Load::Churn => {
                cells.push(Cell { workload: Workload::Churn, mode: Mode::Text, clients: 16 });
            }
            Load::Idle => {}
        }
    }
    cells
}
