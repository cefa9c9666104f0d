//! Unchanged clients of all kinds, through the proxy to real servers, and without it.

use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::Login;
use tidegate_tests::{PostgresPair, Setup, Tidegate};

/// What a client is on its way to.
#[derive(Clone, Copy)]
enum Way {
    /// The server itself: whoever fails there does not blame the proxy.
    Directly,
    Plain,
    Pooled,
}

fn take(client: &str, tour: impl Fn(Login<'_>), way: Way) {
    let pair = PostgresPair::shared();
    let (name, proxy) = match way {
        Way::Directly => ("direct", None),
        Way::Plain => {
            let pool = "{ mode = \"session\", max = 50, wait = \"5s\" }";
            ("plain", Some(start(Setup::single(&pair.primary).pool(pool))))
        }
        Way::Pooled => {
            // Fewer connections than some of the clients open.
            let pool = "{ mode = \"transaction\", max = 4, wait = \"5s\" }";
            ("pooled", Some(start(Setup::pair(pair).account().pool(pool))))
        }
    };
    let database = format!("{client}_{name}");
    let port = proxy.as_ref().map_or_else(|| pair.primary.port(), Tidegate::port);
    let login = Login::app(port, pair.database(&database));
    tour(Login { tls: !matches!(way, Way::Plain), ..login });
}

/// Servers are reached by TLS in any case.
fn start(setup: Setup) -> Tidegate {
    let ca = Certificates::shared().ca();
    Tidegate::start(setup.server_tls("verify-full", Some(&ca)).client_tls("prefer"))
}

macro_rules! tours {
    ($($client:ident)*) => {$(
        mod $client {
            use super::{Way, super::tours::$client, take};

            #[test]
            fn directly() {
                take(stringify!($client), $client, Way::Directly);
            }

            #[test]
            fn in_session_mode() {
                take(stringify!($client), $client, Way::Plain);
            }

            #[test]
            fn in_transaction_mode() {
                take(stringify!($client), $client, Way::Pooled);
            }
        }
    )*};
}

tours! {
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
