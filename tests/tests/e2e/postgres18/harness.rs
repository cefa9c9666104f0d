//! The harness itself, without the proxy: are the servers what the other tests take them for?

use tidegate_tests::clients::{Login, psql};
use tidegate_tests::server::{PRIMARY_ID, Postgres18Pair, REPLICA_ID};

#[test]
fn the_replica_follows_the_primary() {
    let pair = Postgres18Pair::shared();
    let database = pair.database("harness_pair");
    let login = Login::app(pair.primary.port(), database).with_tls();
    let made = psql(login, "create table t (a int); insert into t values (7)");
    assert!(made.status.success(), "{made:?}");
    pair.wait_for_replica();
    let login = Login { port: pair.replica.port(), ..login };
    let read = psql(login, "select a from t");
    assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), "7", "{read:?}");
    for (server, id) in [(&pair.primary, PRIMARY_ID), (&pair.replica, REPLICA_ID)] {
        assert_eq!(server.query("show cluster_name").trim(), id.to_string());
        assert!(server.query("show server_version").starts_with("18."));
    }
}
