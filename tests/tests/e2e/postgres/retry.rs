//! Statements that are sent to a replica and turn out to write: they are repeated on the primary where
//! that is safe, and only there.

use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::{Message, RawPostgres, extended};
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID};
use tidegate_tests::{PostgresPair, Tidegate};

use super::servers::{SERVER, sent_to, shared, split};
use super::support::{assert_unharmed, connect, run, tags, value};

/// The functions `f` and `g` write, though the operator has said that they do not.
fn misled(name: &str) -> Tidegate {
    let pair = PostgresPair::shared();
    let function = |name: &str| {
        format!(
            "create function {name}(n int) returns text language sql security definer as
             $$ insert into written values (n, {SERVER}) returning server $$;"
        )
    };
    pair.primary.execute(&format!(
        "\\connect {}
         create table written (n int, server text);
         grant all on written to public;
         {} {}",
        pair.database(name),
        function("f"),
        function("g"),
    ));
    pair.wait_for_replica();
    split(shared(), "read_only_transactions = \"replica\"\nreplica_functions = [\"f\", \"g\"]")
}

fn written(database: &str) -> String {
    let primary = &PostgresPair::shared().primary;
    let rows = format!("\\connect {database}\nselect n, server from written order by n");
    primary.query(&rows).trim().replace(['\t', '\n'], " ")
}

#[tokio::test]
async fn a_read_that_writes_is_carried_out_once_and_its_client_hears_nothing() {
    let tidegate = misled("retry_unseen");
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "retry_unseen")).unwrap();
    let pair = PostgresPair::shared();
    let before = sent_to(&tidegate, &pair.replica);
    assert_eq!(tags(&client.query("select f(1)").unwrap()), "T D CSELECT 1 ZI");
    // With what stands before it, as long as nothing of that was sent to the client.
    let answer = client.query("select 'first'; select f(2)").unwrap();
    assert_eq!(tags(&answer), "T D CSELECT 1 T D CSELECT 1 ZI");
    let batch = |name: &str, text: &str, parameter: &str| {
        [
            extended::parse(name, text),
            extended::bind("", name, &[parameter]),
            extended::execute("", 0),
            extended::sync(),
        ]
        .concat()
    };
    for (name, text, n) in [("", "select g($1)", "3"), ("n", "select f($1)", "4")] {
        client.send_bytes(&batch(name, text, n)).unwrap();
        assert_eq!(tags(&client.read_answer().unwrap()), "1 2 D CSELECT 1 ZI", "{text}");
    }
    assert_eq!(written("retry_unseen"), "1 1 2 1 3 1 4 1");
    assert!(sent_to(&tidegate, &pair.replica) <= before + 4.5);
    let client = connect(&tidegate, "retry_unseen").await;
    let prepared = client.prepare("select g($1 + 0)").await.unwrap();
    for n in 5..8_i32 {
        let server: String = client.query_one(&prepared, &[&n]).await.unwrap().get(0);
        assert_eq!(server, PRIMARY_ID.to_string());
    }
    assert_eq!(written("retry_unseen"), "1 1 2 1 3 1 4 1 5 1 6 1 7 1");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn what_turned_out_to_write_is_not_sent_to_a_replica_again() {
    let tidegate = misled("retry_learnt");
    let pair = PostgresPair::shared();
    let refusals = || {
        let log = pair.replica.log();
        log.lines()
            .filter(|line| line.contains("cannot execute") && line.contains("retry_learnt"))
            .count()
    };
    let client = connect(&tidegate, "retry_learnt").await;
    for n in 0..5 {
        run(&client, &format!("select f({n})")).await;
    }
    assert_eq!(refusals(), 1, "the digest is not remembered");
    // Nor by another session, nor by the other protocol.
    let other = connect(&tidegate, "retry_learnt").await;
    let prepared = other.prepare("select f($1)").await.unwrap();
    other.query_one(&prepared, &[&9]).await.unwrap();
    assert_eq!(refusals(), 1, "the digest is not remembered for others");
    // Other statements still go there.
    assert_eq!(value::<String>(&other, &format!("select {SERVER}")).await, REPLICA_ID.to_string());
}

#[test]
fn nothing_is_repeated_in_a_transaction_or_once_the_client_has_heard_something() {
    let tidegate = misled("retry_not");
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "retry_not")).unwrap();
    let refused = |answer: &[Message]| answer.iter().find_map(Message::state);
    assert_eq!(tags(&client.query("begin read only").unwrap()), "CBEGIN ZT");
    assert_eq!(tags(&client.query("select f(1)").unwrap()), "T E25006 ZE");
    assert_eq!(tags(&client.query("rollback").unwrap()), "CROLLBACK ZI");
    // Too much to be held back was sent before.
    let answer = client.query("select repeat('x', 100000); select g(2)").unwrap();
    assert_eq!(tags(&answer), "T D CSELECT 1 T E25006 ZI");
    // A `Flush` has the answers sent.
    let read = format!("select {SERVER}");
    let begun =
        [extended::parse("r", &read), extended::bind("", "r", &[]), extended::execute("", 0)];
    client.send_bytes(&[&begun.concat()[..], &extended::flush()].concat()).unwrap();
    let heard: Vec<_> = (0..4).map(|_| client.read().unwrap()).collect();
    assert_eq!(tags(&heard), "1 2 D CSELECT 1");
    let behind = [
        extended::parse("", "select g($1)"),
        extended::bind("", "", &["3"]),
        extended::execute("", 0),
        extended::sync(),
    ];
    client.send_bytes(&behind.concat()).unwrap();
    let answer = client.read_answer().unwrap();
    assert_eq!(refused(&answer).as_deref(), Some("25006"), "{}", tags(&answer));
    assert!(tags(&answer).ends_with("ZI"));
    assert_eq!(written("retry_not"), "");
    // What comes later is served as ever.
    assert_eq!(tags(&client.query("select 7").unwrap()), "T D CSELECT 1 ZI");
}

/// One refusal must not be taken for that of another request.
#[test]
fn of_requests_that_are_sent_ahead_each_is_carried_out_once() {
    let tidegate = misled("retry_ahead");
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "retry_ahead")).unwrap();
    let group = |n: u32| {
        [
            extended::parse("", if n.is_multiple_of(2) { "select f($1)" } else { "select g($1)" }),
            extended::bind("", "", &[&n.to_string()]),
            extended::execute("", 0),
            extended::sync(),
        ]
        .concat()
    };
    let reading = [
        extended::parse("", "select 1"),
        extended::bind("", "", &[]),
        extended::execute("", 0),
        extended::sync(),
    ]
    .concat();
    let all: Vec<u8> =
        (0..6).flat_map(|n| [reading.clone(), group(n), reading.clone()].concat()).collect();
    client.send_bytes(&all).unwrap();
    for n in 0..18 {
        assert_eq!(tags(&client.read_answer().unwrap()), "1 2 D CSELECT 1 ZI", "{n}");
    }
    assert_eq!(written("retry_ahead"), "0 1 1 1 2 1 3 1 4 1 5 1");
}

/// What is kept back until it is known that nothing has to be repeated may come in parts.
#[test]
fn an_answer_that_comes_in_parts_is_not_waited_for_in_vain() {
    let tidegate = super::servers::read_replicas(shared());
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "app")).unwrap();
    // The server sends the first 8 KiB before it sleeps.
    let parts = "select repeat('x', 9000); select pg_sleep(0.2); select 7";
    let answer = client.query(parts).unwrap();
    assert_eq!(tags(&answer), "T D CSELECT 1 T D CSELECT 1 T D CSELECT 1 ZI");
}
