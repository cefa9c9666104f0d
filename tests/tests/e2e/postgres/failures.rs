//! Servers that die and clients that vanish.

use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::{Message, RawPostgres, extended};
use tidegate_tests::{Postgres, PostgresPair, Setup, Tidegate, wait_for};

use super::support::{assert_unharmed, connect, run, state, tags, try_connect, value};

const SHARED: &str = "{ mode = \"transaction\", max = 2, wait = \"5s\" }";

/// A server of the test's own, and a proxy in front of it.
fn own(pool: &str) -> (Postgres, Tidegate) {
    let server = Postgres::start();
    let tidegate = Tidegate::start(Setup::single(&server).pool(pool));
    (server, tidegate)
}

/// The error that ends a session, and whether it came between whole messages.
fn farewell(client: &mut RawPostgres) -> String {
    let mut seen = Vec::new();
    while let Ok(message) = client.read() {
        seen.push(message);
    }
    tags(&seen)
}

#[tokio::test]
async fn a_server_that_dies_in_a_transaction_takes_its_session_along_and_no_other() {
    let (mut server, tidegate) = own(SHARED);
    let login = Login::app(tidegate.port(), "app");
    let idle = connect(&tidegate, "app").await;
    run(&idle, "create table t (a int)").await;
    let mut bound = RawPostgres::login(login).unwrap();
    assert_eq!(
        tags(&bound.query("begin; insert into t values (1)").unwrap()),
        "CBEGIN CINSERT 0 1 ZT"
    );
    server.kill();
    server.start_again();
    // An idle server connection died with the server: nobody needs to hear of that.
    assert_eq!(value::<i64>(&idle, "select count(*) from t").await, 0);
    bound.send(b'Q', b"insert into t values (2)\0").ok();
    let told = farewell(&mut bound);
    assert!(matches!(&*told, "E08006" | "E57P01" | "E57P02"), "{told}");
    assert_eq!(value::<i64>(&idle, "select count(*) from t").await, 0);
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_statement_whose_server_dies_fails_and_the_session_goes_on() {
    let (mut server, tidegate) = own(SHARED);
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "app")).unwrap();
    // It has been parsed, and gives rows in a while.
    let ahead = [extended::parse("", "select pg_sleep(61)"), extended::flush()].concat();
    client.send_bytes(&ahead).unwrap();
    assert_eq!(client.read().unwrap().tag, b'1');
    let asks = [extended::bind("", "", &[]), extended::execute("", 0), extended::sync()];
    client.send_bytes(&asks.concat()).unwrap();
    let busy =
        "select count(*) from pg_stat_activity where state = 'active' and query like '%(61)%'
        and pid <> pg_backend_pid()";
    wait_for("a statement that runs", || (server.query(busy).trim() == "1").then_some(()));
    server.kill();
    let told = tags(&client.read_answer().unwrap());
    assert!(matches!(&*told, "E08006 ZI" | "2 E08006 ZI"), "{told}");
    let refused = client.query("select 1").unwrap();
    assert_eq!(tags(&refused), "E57P03 ZI", "{refused:?}");
    server.start_again();
    wait_for("the server to be found", || {
        (tags(&client.query("select 1").unwrap()) == "T D CSELECT 1 ZI").then_some(())
    });
}

#[tokio::test]
async fn rows_that_break_off_end_the_session_between_messages_or_not_at_all() {
    let (mut server, tidegate) = own(SHARED);
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "app")).unwrap();
    client.send(b'Q', b"select repeat('x', 1000) from generate_series(1, 1000000)\0").unwrap();
    assert_eq!(client.read().unwrap().tag, b'T');
    server.kill();
    // Whoever reads sees whole messages, and an error or the close: never the end of the rows.
    let mut last = None;
    while let Ok(message) = client.read() {
        assert!(matches!(message.tag, b'D' | b'E' | b'Z'), "{message:?}");
        if message.tag == b'Z' {
            break;
        }
        last = Some(message);
    }
    if let Some(state) = last.as_ref().and_then(Message::state) {
        assert_eq!(state, "08006");
    }
    server.start_again();
    wait_for("the server to be found", || {
        RawPostgres::login(Login::app(tidegate.port(), "app")).ok()
    });
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_connection_that_an_administrator_ends_is_replaced() {
    let (server, tidegate) = own(SHARED);
    let client = connect(&tidegate, "app").await;
    let end_all = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where usename = 'app' and pid <> pg_backend_pid()";
    for _ in 0..10 {
        assert_eq!(value::<i32>(&client, "select 1").await, 1);
        assert_ne!(server.query(end_all).trim(), "0");
        wait_for("the connections to be gone", || {
            let left = "select count(*) from pg_stat_activity where usename = 'app'";
            (server.query(left).trim() == "0").then_some(())
        });
        assert_eq!(value::<i32>(&client, "select 2").await, 2);
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_told_clearly_and_found_again() {
    let (mut server, tidegate) = own(SHARED);
    let client = connect(&tidegate, "app").await;
    server.stop();
    let refused = client.batch_execute("select 1").await.unwrap_err();
    assert_eq!(state(&refused), "57P03", "{refused:?}");
    let newcomer = try_connect(Login::app(tidegate.port(), "app")).await.unwrap_err();
    assert_eq!(state(&newcomer), "57P03", "{newcomer:?}");
    server.start_again();
    wait_for("the server to be found", || {
        RawPostgres::login(Login::app(tidegate.port(), "app")).ok()
    });
    assert_eq!(value::<i32>(&client, "select 1").await, 1);
}

#[tokio::test]
async fn errors_of_the_proxys_own_say_what_is_wrong() {
    let pair = PostgresPair::shared();
    let pool = "{ mode = \"transaction\", max = 1, wait = \"200ms\" }";
    let tidegate = Tidegate::start(Setup::single(&pair.primary).pool(pool));
    let login = Login::app(tidegate.port(), "app");
    for (wrong, wanted) in [
        (Login { password: "wrong", ..login }, "28P01"),
        (Login { user: "nobody_is_called_so", ..login }, "28P01"),
        (Login { database: "no_such_database", ..login }, "3D000"),
    ] {
        let refused = try_connect(wrong).await.unwrap_err();
        assert_eq!(state(&refused), wanted, "{refused:?}");
    }
    let holder = connect(&tidegate, "app").await;
    let waiter = connect(&tidegate, "app").await;
    run(&holder, "begin").await;
    let refused = waiter.batch_execute("select 1").await.unwrap_err();
    assert_eq!(state(&refused), "53300", "{refused:?}");
    run(&holder, "commit").await;
    assert_eq!(value::<i32>(&waiter, "select 1").await, 1);
}

/// Whoever vanishes leaves no transaction, no lock, no setting and no half-read answer behind.
#[tokio::test]
async fn clients_that_vanish_leave_nothing_behind() {
    let pair = PostgresPair::shared();
    let database = pair.database("vanished");
    let tidegate = Tidegate::start(Setup::single(&pair.primary).pool(SHARED));
    let login = Login::app(tidegate.port(), database);
    let stays = connect(&tidegate, database).await;
    run(&stays, "create table t (a int); insert into t values (0)").await;
    let query = |text: &str| {
        tidegate_tests::raw_postgres::message(b'Q', &[text.as_bytes(), b"\0"].concat())
    };
    let parse = |text: &str| extended::parse("", text);
    let vanishing = [
        ("in a transaction", query("begin; insert into t values (1); lock table t")),
        ("in a failed one", query("begin; insert into t values (1); select 1/0")),
        ("with a lock", query("select pg_advisory_lock(1); set timezone = 'Asia/Kathmandu'")),
        ("in a copy", [query("copy t from stdin"), b"d\0\0\0\x06".to_vec()].concat()),
        ("in a group", [parse("begin"), extended::bind("", "", &[]), extended::flush()].concat()),
        ("with a statement", query("begin; lock table t; select pg_sleep(600)")),
        ("before its rows", query("select repeat('x', 1000) from generate_series(1, 100000)")),
        ("in a message", b"Q\0\0\x10\0select".to_vec()),
        (
            "with a portal",
            [
                query("begin"),
                parse("select generate_series(1, 100000)"),
                extended::bind("", "", &[]),
                extended::execute("", 10),
                extended::flush(),
            ]
            .concat(),
        ),
    ];
    for (how, bytes) in vanishing {
        for answered in [true, false] {
            let mut client = RawPostgres::login(login).unwrap();
            client.send_bytes(&bytes).unwrap();
            // The server keeps what it has to say until there is enough of it.
            if answered && !matches!(how, "in a message" | "with a statement") {
                let answer = client.read();
                answer.unwrap_or_else(|error| panic!("{how}: {error}"));
            }
            drop(client);
        }
        // The table is free, holds what it held, and both connections can be had.
        let free = connect(&tidegate, database).await;
        let locked = "begin; set local lock_timeout = '20s'; lock table t";
        free.batch_execute(locked).await.unwrap_or_else(|error| panic!("{how}: {error:?}"));
        assert_eq!(value::<i64>(&free, "select count(*) from t").await, 1, "{how}");
        assert_eq!(value::<i32>(&stays, "select 1").await, 1, "{how}");
        run(&free, "commit").await;
        assert_ne!(value::<String>(&free, "show timezone").await, "Asia/Kathmandu", "{how}");
        let locks = "select count(*) from pg_locks where locktype = 'advisory'
            and database = (select oid from pg_database where datname = current_database())";
        wait_for("advisory locks to be gone", || {
            let statements = format!("\\connect {database}\n{locks}");
            (pair.primary.query(&statements).trim() == "0").then_some(())
        });
    }
}
