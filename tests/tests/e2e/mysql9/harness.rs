//! The harness itself, without the proxy: are the servers what the other tests take them for?

use tidegate_tests::clients::{Login, mariadb};
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID, users};
use tidegate_tests::{MySql, MySqlPair};

#[test]
fn the_replica_follows_the_primary_and_refuses_writes() {
    let pair = MySqlPair::shared();
    let database = pair.database("harness_pair");
    pair.primary
        .execute("create table harness_pair.t (a int); insert into harness_pair.t values (7)");
    pair.wait_for_replica();
    assert_eq!(pair.replica.query("select a from harness_pair.t").trim(), "7");
    for (server, id) in [(&pair.primary, PRIMARY_ID), (&pair.replica, REPLICA_ID)] {
        assert_eq!(server.query("select @@server_id").trim(), id.to_string());
        assert!(server.query("select version()").starts_with("9."));
    }
    let login = Login::app(pair.replica.port(), database).with_tls();
    let write = mariadb(login, "insert into t values (8)");
    let refusal = String::from_utf8_lossy(&write.stderr);
    assert!(refusal.contains("ERROR 1290"), "{refusal}");
}

#[test]
fn users_have_the_methods_that_they_are_named_for() {
    let server = MySql::start();
    let methods =
        server.query("select user, plugin from mysql.user where host = '%' order by user");
    for line in methods.lines() {
        let (user, method) = line.split_once('\t').unwrap();
        let sha256 = user == users::SHA256.0;
        assert_eq!(method, if sha256 { "sha256_password" } else { "caching_sha2_password" });
    }
    for (user, password) in [users::APP, users::SHA256, users::NO_PASSWORD] {
        let login = Login { user, password, ..Login::app(server.port(), "") }.with_tls();
        let output = mariadb(login, "select current_user()");
        let seen = String::from_utf8_lossy(&output.stdout);
        assert_eq!(seen.trim(), format!("{user}@%"), "{output:?}");
    }
}
