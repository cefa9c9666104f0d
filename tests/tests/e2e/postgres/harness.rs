//! The harness itself, without the proxy: are the servers what the other tests take them for?

use std::time::Duration;

use tidegate_tests::clients::{Login, psql, psql_with_certificate};
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID, users};
use tidegate_tests::wait::becomes_true;
use tidegate_tests::{Postgres, PostgresPair, wait_for};

/// What `psql` answers, or the message with which it fails.
fn ask(login: Login<'_>, statements: &str) -> Result<String, String> {
    let output = psql(login, statements);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn the_replica_follows_the_primary_and_refuses_writes() {
    let pair = PostgresPair::shared();
    let database = pair.database("harness_pair");
    let primary = Login::app(pair.primary.port(), database);
    ask(primary, "create table t (a int); insert into t values (7)").unwrap();
    pair.wait_for_replica();
    let replica = Login::app(pair.replica.port(), database);
    assert_eq!(ask(replica, "select a from t").unwrap(), "7");
    for (server, id) in [(&pair.primary, PRIMARY_ID), (&pair.replica, REPLICA_ID)] {
        assert_eq!(server.query("show cluster_name").trim(), id.to_string());
    }
    let refusal = ask(replica, "insert into t values (8)").unwrap_err();
    assert!(refusal.contains("25006"), "{refusal}");
}

#[test]
fn the_primary_and_the_replica_change_places() {
    let mut pair = PostgresPair::start();
    let database = pair.database("places");
    let write = |server: &Postgres, number: u32| {
        let statement = format!("insert into t values ({number})");
        ask(Login::app(server.port(), database), &statement)
    };
    let sum = |server: &Postgres| {
        ask(Login::app(server.port(), database), "select sum(a) from t").unwrap()
    };
    ask(Login::app(pair.primary.port(), database), "create table t (a int)").unwrap();
    write(&pair.primary, 1).unwrap();
    pair.switch_over();
    write(&pair.primary, 2).unwrap_err();
    write(&pair.replica, 4).unwrap();
    let arrived = || (sum(&pair.primary) == "5").then_some(());
    wait_for("the old primary to follow the new one", arrived);
}

#[test]
fn a_replica_can_be_made_late_and_promoted() {
    let pair = PostgresPair::start();
    pair.delay(600);
    let shown = || pair.replica.query("show recovery_min_apply_delay").trim() == "10min";
    wait_for("the delay", || shown().then_some(()));
    let login = Login::app(pair.primary.port(), "app");
    ask(login, "create table late (a int)").unwrap();
    let replica = Login::app(pair.replica.port(), "app");
    ask(replica, "select * from late").unwrap_err();
    pair.delay(0);
    pair.wait_for_replica();
    ask(replica, "select * from late").unwrap();
    pair.promote();
    ask(replica, "insert into late values (1)").unwrap();
}

#[test]
fn a_server_survives_being_killed_and_started_again() {
    let mut server = Postgres::start();
    let login = Login::app(server.port(), "app");
    ask(login, "create table t (a int); insert into t values (7)").unwrap();
    server.kill();
    assert!(ask(login, "select 1").unwrap_err().contains("refused"));
    server.start_again();
    assert_eq!(ask(login, "select a from t").unwrap(), "7");
    server.stop();
    server.start_again();
    assert_eq!(ask(login, "select a from t").unwrap(), "7");
}

#[test]
fn a_frozen_server_answers_nobody_until_it_is_thawed() {
    let mut server = Postgres::start();
    let login = Login::app(server.port(), "app");
    std::thread::scope(|scope| {
        server.freeze();
        let asked = scope.spawn(|| ask(login, "select 7"));
        assert!(!becomes_true(Duration::from_millis(300), || asked.is_finished()));
        server.thaw();
        assert_eq!(asked.join().unwrap().unwrap(), "7");
    });
}

#[test]
fn users_prove_themselves_as_they_are_named_for() {
    let server = Postgres::start();
    let method = |name: &str| {
        let stored = format!("select left(rolpassword, 3) from pg_authid where rolname = '{name}'");
        server.query(&stored).trim().to_owned()
    };
    for (name, stored) in [("app", "SCR"), ("ro", "SCR"), ("md5user", "md5"), ("nopw", "")] {
        assert_eq!(method(name), stored, "{name}");
    }
    let login = Login::app(server.port(), "app");
    let everybody = [
        users::APP,
        users::READER,
        users::MONITOR,
        users::NO_PASSWORD,
        users::MD5,
        users::CLEARTEXT,
    ];
    for (user, password) in everybody {
        let login = Login { user, password, ..login };
        assert_eq!(ask(login, "select current_user").as_deref(), Ok(user));
        let wrong = ask(Login { password: "wrong", ..login }, "select 1");
        assert_eq!(wrong.is_err(), user != users::NO_PASSWORD.0, "{wrong:?}");
    }
    let (user, password) = users::TLS_ONLY;
    let login = Login { user, password, ..login };
    assert!(ask(login, "select 1").unwrap_err().contains("pg_hba.conf rejects"));
    let tls = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(ask(login.with_tls(), tls).unwrap(), "t\tTLSv1.3");
    let login = Login { user: users::CERTIFICATE, password: "", ..login.with_tls() };
    assert!(ask(login, "select 1").unwrap_err().contains("certificate"));
    let output = psql_with_certificate(login, "select current_user");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), users::CERTIFICATE, "{output:?}");
}

#[test]
fn the_service_account_reads_verifiers_and_sees_replication() {
    let pair = PostgresPair::shared();
    let (user, password) = users::MONITOR;
    let login = Login { user, password, ..Login::app(pair.primary.port(), "postgres") };
    let verifier = "select rolpassword from pg_authid where rolname = 'app'";
    assert!(ask(login, verifier).unwrap().starts_with("SCRAM-SHA-256$4096:"));
    assert_eq!(ask(login, "select state from pg_stat_replication").unwrap(), "streaming");
}
