//! Unchanged clients of all kinds, through the proxy to real servers, and without it.

use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::Login;
use tidegate_tests::server::{Pair, Programs};
use tidegate_tests::{Setup, Tidegate};

use super::failover::with_all_plugins;

/// What a client is on its way to.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// The server itself: whoever fails there does not blame the proxy.
    Directly,
    /// One server, in session mode.
    Plain,
    /// A primary and its replica in transaction mode, by TLS, with every sample plugin.
    Pooled,
}

pub(crate) fn take<P: Programs>(pair: &Pair<P>, client: &str, tour: impl Fn(Login<'_>), way: Way) {
    let (name, proxy) = match way {
        Way::Directly => ("direct", None),
        Way::Plain => {
            let pool = "{ mode = \"session\", max = 50, wait = \"5s\" }";
            ("plain", Some(Tidegate::start(by_tls(Setup::single(&pair.primary).pool(pool)))))
        }
        Way::Pooled => {
            // Fewer connections than some of the clients open.
            let pool = "{ mode = \"transaction\", max = 4, wait = \"5s\" }";
            let setup = by_tls(Setup::pair(pair).account().pool(pool));
            ("pooled", Some(with_all_plugins(setup, "2s")))
        }
    };
    let database = format!("{client}_{name}");
    let port = proxy.as_ref().map_or_else(|| pair.primary.port(), Tidegate::port);
    let login = Login::app(port, pair.database(&database));
    pair.wait_for_replica();
    tour(Login { tls: !matches!(way, Way::Plain), ..login });
}

/// Servers are reached by TLS in any case.
fn by_tls(setup: Setup) -> Setup {
    let ca = Certificates::shared().ca();
    setup.server_tls("verify-full", Some(&ca)).client_tls("prefer")
}

/// Makes tests of each client, one for each way: `tours!(pair; client client …)`.
macro_rules! tours {
    ($pair:expr; $($client:ident)*) => {$(
        mod $client {
            use $crate::postgres::clients::{Way, take};
            use $crate::postgres::tours::$client;

            #[test]
            fn directly() {
                take($pair, stringify!($client), $client, Way::Directly);
            }

            #[test]
            fn in_session_mode() {
                take($pair, stringify!($client), $client, Way::Plain);
            }

            #[test]
            fn in_transaction_mode() {
                take($pair, stringify!($client), $client, Way::Pooled);
            }
        }
    )*};
}
#[cfg(feature = "postgres18")]
pub(crate) use tours;

tours! {
    tidegate_tests::PostgresPair::shared();
    psql
    pgbench
    pg_dump
    psycopg
    asyncpg
    pg8000
    sqlalchemy
    node_pg
    jdbc
    tokio_postgres
    sqlx
}
