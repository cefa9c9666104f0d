//! Unchanged clients of all kinds, through the proxy to real servers.

use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::Login;
use tidegate_tests::server::{Pair, Programs};
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use crate::routing::{router_config, split_config};

/// How the proxy is set up while a client takes its tour.
struct Way {
    name: &'static str,
    pool: &'static str,
    plugins: bool,
    tls: bool,
    compress: bool,
}

/// Every client goes each of them.
const WAYS: [Way; 3] = [
    Way { name: "plain", pool: SESSION, plugins: false, tls: false, compress: true },
    Way { name: "plugins", pool: SESSION, plugins: true, tls: true, compress: false },
    Way { name: "pooled", pool: TRANSACTION, plugins: true, tls: true, compress: true },
];

const SESSION: &str = "{ mode = \"session\", max = 50, wait = \"5s\" }";
/// Fewer connections than some of the clients open.
const TRANSACTION: &str = "{ mode = \"transaction\", max = 4, wait = \"5s\" }";

impl Way {
    /// A proxy in front of both servers, which are reached by TLS in any case.
    fn start(&self, setup: Setup) -> Tidegate {
        let ca = Certificates::shared().ca();
        let setup = setup.account().pool(self.pool).server_tls("verify-full", Some(&ca));
        let setup = setup.client_tls("prefer");
        if self.plugins { with_plugins(setup, "2s") } else { Tidegate::start(setup) }
    }
}

/// Every sample plugin in front of a primary and its replica.
pub(crate) fn with_plugins(setup: Setup, sticky: &str) -> Tidegate {
    let rules = "[[config.rules]]\nrule_id = 1\nmatch_pattern = '^insert'\nlog = true\n";
    let setup = setup
        .sidecar("10-trace-id", "deadline = \"1s\"\n[config]\ngenerate = true\n")
        .sidecar("20-user-router", &router_config())
        .sidecar("30-query-rules", &format!("deadline = \"1s\"\n[config]\n{rules}"))
        .sidecar("40-read-write-split", &split_config(sticky));
    let plugins = [
        ("10-trace-id", "trace-id"),
        ("20-user-router", "user-router"),
        ("30-query-rules", "query-rules"),
        ("40-read-write-split", "read-write-split"),
    ];
    Tidegate::start_with_plugins(setup, &plugins)
}

fn setup() -> Setup {
    Setup::pair(MariaDbPair::shared())
}

/// Sends a client on its tour, every way.
pub(crate) fn take<P: Programs>(
    pair: &Pair<P>,
    setup: impl Fn() -> Setup,
    client: &str,
    tour: impl Fn(Login<'_>),
) {
    for way in WAYS {
        let tidegate = way.start(setup());
        let database = format!("{client}_{}", way.name);
        let login = Login::app(tidegate.port(), pair.database(&database));
        tour(Login { tls: way.tls, compress: way.compress, ..login });
    }
}

/// Makes a test of each client: `tours!(pair, setup; client client …)`.
macro_rules! tours {
    ($pair:expr, $setup:expr; $($client:ident)*) => {$(
        #[test]
        fn $client() {
            $crate::clients::take($pair, $setup, stringify!($client), $crate::tours::$client);
        }
    )*};
}
#[cfg(feature = "mysql9")]
pub(crate) use tours;

tours! {
    MariaDbPair::shared(), setup;
    pymysql
    mysql_connector_python
    mysqlclient
    sqlalchemy
    django
    mysql2
    mariadb_connector_node
    sqlx
    mysql_async
    mariadb_command_line
    mariadb_dump
    sysbench
}
