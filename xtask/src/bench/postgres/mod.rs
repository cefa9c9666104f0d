//! `cargo xtask bench postgres`: pgbench against PostgreSQL.

pub(super) mod odyssey;
mod pgbench;
pub(super) mod pgbouncer;
mod server;

use super::plan::{Cell, Load, Mode, Workload};
use super::protocol::Benchmark;
use super::target::{
    DIRECT, HAPROXY, NOOP, ODYSSEY_POOLED, PGBOUNCER, PGBOUNCER_POOLED, PLAIN, POOLED,
    POOLED_SPLIT, RELAY, SPLIT,
};
use crate::prerequisites;

pub(super) const POSTGRES: Benchmark = Benchmark {
    targets: &[
        DIRECT,
        RELAY,
        HAPROXY,
        PGBOUNCER,
        PGBOUNCER_POOLED,
        ODYSSEY_POOLED,
        PLAIN,
        NOOP,
        SPLIT,
        POOLED,
        POOLED_SPLIT,
    ],
    quick_targets: &[DIRECT, RELAY, HAPROXY, PGBOUNCER_POOLED, PLAIN, POOLED],
    loads: LOADS,
    install: prerequisites::install_postgres_bench_tools,
    start_servers: |folder| Ok(Box::new(server::Postgres::start(folder)?)),
};

const SIMPLE: Cell = Cell::new(Workload::PointSelect, Mode::Simple);
const EXTENDED: Cell = Cell::new(Workload::PointSelect, Mode::Extended);
const PREPARED: Cell = Cell::new(Workload::PointSelect, Mode::Prepared);
const IDLE: Cell = Cell::new(Workload::Idle, Mode::Simple).on(20);
const SIMPLES: &[Cell] = &[SIMPLE, SIMPLE.by(16), SIMPLE.by(64)];
const CHURN: &[Cell] = &[Cell::new(Workload::Churn, Mode::Simple).by(16)];

const LOADS: &[Load] = &[
    Load {
        name: "simple",
        about: "Point selects by the simple protocol",
        cells: SIMPLES,
        quick: SIMPLES,
    },
    Load {
        name: "extended",
        about: "Point selects by the extended protocol, each with a Parse without name",
        cells: &[EXTENDED, EXTENDED.by(16), EXTENDED.by(64)],
        quick: &[EXTENDED.by(16)],
    },
    Load {
        name: "prepared",
        about: "Point selects by prepared statement",
        cells: &[PREPARED, PREPARED.by(16), PREPARED.by(64)],
        quick: &[PREPARED.by(16)],
    },
    Load {
        name: "read-write",
        about: "Transactions of 5 statements that read and write (pgbench's simple-update)",
        cells: &[Cell::new(Workload::ReadWrite, Mode::Simple).by(16)],
        quick: &[],
    },
    Load {
        name: "shared",
        about: "More clients than server connections, where those can be shared",
        cells: &[SIMPLE.by(64).on(16), EXTENDED.by(64).on(16), PREPARED.by(64).on(16)],
        quick: &[],
    },
    Load {
        name: "beside-idle",
        about: "Active clients beside 2,000 that do nothing, on 20 server connections where they \
                can be shared",
        cells: &[SIMPLE.by(16).beside(2000).on(20)],
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
        cells: &[IDLE.by(2000)],
        quick: &[IDLE.by(500)],
    },
];
