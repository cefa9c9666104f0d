//! The harness itself, without the proxy: are the servers what the other tests take them for?

use tidegate_tests::clients::{Login, mariadb};
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID};
use tidegate_tests::{MariaDb, MariaDbPair};

#[test]
fn the_replica_follows_the_primary_and_refuses_writes() {
    let pair = MariaDbPair::shared();
    let database = pair.database("harness_pair");
    pair.primary
        .execute("create table harness_pair.t (a int); insert into harness_pair.t values (7)");
    pair.wait_for_replica();
    assert_eq!(pair.replica.query("select a from harness_pair.t").trim(), "7");
    for (server, id) in [(&pair.primary, PRIMARY_ID), (&pair.replica, REPLICA_ID)] {
        assert_eq!(server.query("select @@server_id").trim(), id.to_string());
    }
    let write = mariadb(Login::app(pair.replica.port(), database), "insert into t values (8)");
    let refusal = String::from_utf8_lossy(&write.stderr);
    assert!(refusal.contains("ERROR 1290"), "{refusal}");
}

#[test]
fn a_server_survives_being_killed_and_started_again() {
    let mut server = MariaDb::start();
    let port = server.port();
    server.execute("create table app.t (a int) engine=InnoDB");
    server.kill();
    assert!(!mariadb(Login::app(port, "app"), "select 1").status.success());
    server.start_again();
    assert_eq!(server.port(), port);
    assert_eq!(server.query("select count(*) from app.t").trim(), "0");
}

#[test]
fn servers_speak_tls_with_a_certificate_that_clients_can_verify() {
    let server = MariaDb::start();
    let login = Login { user: "tlsonly", ..Login::app(server.port(), "app") };
    let plain = mariadb(login, "select 1");
    assert!(!plain.status.success(), "a user that requires TLS was let in without");
    let encrypted = mariadb(login.with_tls(), "show status like 'Ssl_version'");
    let version = String::from_utf8_lossy(&encrypted.stdout);
    assert!(version.contains("TLSv1"), "{version}{}", String::from_utf8_lossy(&encrypted.stderr));
}
