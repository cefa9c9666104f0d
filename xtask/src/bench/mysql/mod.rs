//! `cargo xtask bench mysql`: sysbench against MariaDB.

mod mariadb;
pub(super) mod router;
mod sysbench;

use super::plan::{Cell, Load, Mode, Workload};
use super::protocol::Benchmark;
use super::target::{
    DIRECT, HAPROXY, MYSQL_ROUTER, NOOP, PLAIN, POOLED, POOLED_SPLIT, RELAY, SPLIT,
};
use crate::prerequisites;

pub(super) const MYSQL: Benchmark = Benchmark {
    targets: &[DIRECT, RELAY, HAPROXY, MYSQL_ROUTER, PLAIN, NOOP, SPLIT, POOLED, POOLED_SPLIT],
    quick_targets: &[DIRECT, RELAY, HAPROXY, PLAIN, NOOP, SPLIT],
    loads: LOADS,
    install: prerequisites::install_mysql_bench_tools,
    start_servers: |folder| Ok(Box::new(mariadb::MariaDb::start(folder)?)),
};

const TEXT: Cell = Cell::new(Workload::PointSelect, Mode::Text);
const PREPARED: Cell = Cell::new(Workload::PointSelect, Mode::Prepared);
const READ_WRITE: Cell = Cell::new(Workload::ReadWrite, Mode::Text);
const PREPARED_READ_WRITE: Cell = Cell::new(Workload::ReadWrite, Mode::Prepared);
const CHURN: &[Cell] = &[Cell::new(Workload::Churn, Mode::Text).by(16)];
const TEXTS: &[Cell] = &[TEXT, TEXT.by(16), TEXT.by(64)];
const PREPAREDS: &[Cell] = &[PREPARED, PREPARED.by(16), PREPARED.by(64)];

/// So many that the rest of the process hardly counts.
const IDLE: &[Cell] = &[Cell::new(Workload::Idle, Mode::Text).by(1000).on(20)];

const LOADS: &[Load] = &[
    Load { name: "text", about: "Point selects as text", cells: TEXTS, quick: TEXTS },
    Load {
        name: "prepared",
        about: "Point selects by prepared statement",
        cells: PREPAREDS,
        quick: PREPAREDS,
    },
    Load {
        name: "read-write",
        about: "Transactions of 18 statements that read and write (sysbench's oltp_read_write)",
        cells: &[READ_WRITE, READ_WRITE.by(16), READ_WRITE.by(64), PREPARED_READ_WRITE.by(16)],
        quick: &[],
    },
    Load {
        name: "shared",
        about: "More clients than server connections, where those can be shared",
        cells: &[TEXT.by(64).on(16), PREPARED.by(64).on(16)],
        quick: &[],
    },
    Load {
        name: "beside-idle",
        about: "Active clients beside 1,000 that do nothing, on 20 server connections where they \
                can be shared",
        cells: &[TEXT.by(16).beside(1000).on(20)],
        quick: &[],
    },
    Load {
        name: "churn",
        about: "Connect, log in, one statement, quit",
        cells: CHURN,
        quick: CHURN,
    },
    Load {
        name: "idle",
        about: "Memory of clients that are logged in and do nothing",
        cells: IDLE,
        quick: IDLE,
    },
];
