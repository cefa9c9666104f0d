//! A request to cancel ends what its session does, and nothing that is anybody else's.

use std::thread;

use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::{RawPostgres, cancel};
use tidegate_tests::{PostgresPair, Setup, Tidegate, wait_for};

use super::support::tags;

fn start(pool: &str) -> Tidegate {
    Tidegate::start(Setup::single(&PostgresPair::shared().primary).pool(pool))
}

fn is_busy(marker: &str) -> bool {
    let busy = format!(
        "select count(*) from pg_stat_activity where state = 'active' and query like '%{marker}%'
         and pid <> pg_backend_pid()"
    );
    PostgresPair::shared().primary.query(&busy).trim() == "1"
}

fn occupy(client: &mut RawPostgres, marker: &str) {
    let statement = format!("select pg_sleep(61) /* {marker} */\0");
    client.send(b'Q', statement.as_bytes()).unwrap();
    wait_for("a statement that runs", || is_busy(marker).then_some(()));
}

fn only_the_right_session(pool: &str, name: &str) {
    let tidegate = start(pool);
    let login = Login::app(tidegate.port(), "app");
    let mut sleepers = Vec::new();
    for number in 0..3 {
        let mut client = RawPostgres::login(login).unwrap();
        occupy(&mut client, &format!("{name} {number}"));
        sleepers.push(client);
    }
    for (number, client) in sleepers.iter_mut().enumerate() {
        assert_eq!(cancel(tidegate.port(), &client.key).unwrap(), b"");
        assert_eq!(tags(&client.read_answer().unwrap()), "T E57014 ZI");
        for later in number + 1..3 {
            assert!(is_busy(&format!("{name} {later}")), "another was cancelled, too");
        }
        assert_eq!(tags(&client.query("select 1").unwrap()), "T D CSELECT 1 ZI");
    }
}

#[test]
fn a_cancellation_ends_only_what_its_session_does_in_session_mode() {
    only_the_right_session("{ mode = \"session\", max = 5 }", "session mode");
}

#[test]
fn a_cancellation_ends_only_what_its_session_does_in_transaction_mode() {
    only_the_right_session("{ mode = \"transaction\", max = 5 }", "transaction mode");
}

/// Cancellations that come too late fall on a connection that somebody else has by now.
#[test]
fn late_cancellations_never_reach_the_next_on_a_shared_connection() {
    let tidegate = start("{ mode = \"transaction\", max = 1, wait = \"10s\" }");
    let login = Login::app(tidegate.port(), "app");
    let port = tidegate.port();
    let mut victim = RawPostgres::login(login).unwrap();
    let mut late = RawPostgres::login(login).unwrap();
    for _ in 0..100 {
        late.send(b'Q', b"select 'quick'\0").unwrap();
        let key = late.key.clone();
        let canceller = thread::spawn(move || cancel(port, &key).unwrap());
        victim.send(b'Q', b"select pg_sleep(0.005), 'innocent'\0").unwrap();
        // The quick one may be cancelled or not; the other may not.
        let quick = tags(&late.read_answer().unwrap());
        assert!(["T D CSELECT 1 ZI", "E57014 ZI", "T E57014 ZI"].contains(&&*quick), "{quick}");
        assert_eq!(tags(&victim.read_answer().unwrap()), "T D CSELECT 1 ZI");
        canceller.join().unwrap();
    }
}

#[test]
fn a_cancellation_of_an_idle_or_ended_session_does_nothing() {
    let tidegate = start("{ mode = \"transaction\", max = 1, wait = \"10s\" }");
    let login = Login::app(tidegate.port(), "app");
    let mut idle = RawPostgres::login(login).unwrap();
    assert_eq!(tags(&idle.query("select 1").unwrap()), "T D CSELECT 1 ZI");
    let mut ended = RawPostgres::login(login).unwrap();
    assert_eq!(tags(&ended.query("select 1").unwrap()), "T D CSELECT 1 ZI");
    let old = ended.key.clone();
    drop(ended);
    let mut sleeper = RawPostgres::login(login).unwrap();
    occupy(&mut sleeper, "not idle");
    // Both have had the connection that the sleeper has now.
    for key in [&idle.key, &old, &idle.key] {
        cancel(tidegate.port(), key).unwrap();
    }
    assert!(is_busy("not idle"));
    cancel(tidegate.port(), &sleeper.key).unwrap();
    assert_eq!(tags(&sleeper.read_answer().unwrap()), "T E57014 ZI");
    assert_eq!(tags(&idle.query("select 1").unwrap()), "T D CSELECT 1 ZI");
}

#[test]
fn a_cancellation_ends_a_copy_and_a_wait_for_a_lock() {
    let pair = PostgresPair::shared();
    let database = pair.database("cancelled");
    let tidegate = start("{ mode = \"transaction\", max = 3, wait = \"10s\" }");
    let login = Login::app(tidegate.port(), database);
    let mut holder = RawPostgres::login(login).unwrap();
    assert_eq!(tags(&holder.query("create table t (a int)").unwrap()), "CCREATE TABLE ZI");
    assert_eq!(tags(&holder.query("begin; lock table t").unwrap()), "CBEGIN CLOCK TABLE ZT");
    let mut waiter = RawPostgres::login(login).unwrap();
    waiter.send(b'Q', b"insert into t values (1) /* waits */\0").unwrap();
    wait_for("somebody who waits", || is_busy("waits").then_some(()));
    cancel(tidegate.port(), &waiter.key).unwrap();
    assert_eq!(tags(&waiter.read_answer().unwrap()), "E57014 ZI");
    assert_eq!(tags(&holder.query("commit").unwrap()), "CCOMMIT ZI");
    waiter.send(b'Q', b"copy t from stdin /* copies */\0").unwrap();
    assert_eq!(waiter.read().unwrap().tag, b'G');
    waiter.send(b'd', b"1\n").unwrap();
    cancel(tidegate.port(), &waiter.key).unwrap();
    // The server does not look up before the next data.
    waiter.send(b'd', b"2\n").unwrap();
    assert_eq!(tags(&waiter.read_answer().unwrap()), "E57014 ZI");
    // What it still sends of the copy is dropped.
    waiter.send(b'd', b"3\n").unwrap();
    waiter.send(b'c', b"").unwrap();
    assert_eq!(tags(&waiter.query("select * from t").unwrap()), "T CSELECT 0 ZI");
}
