//! Statements of every kind and size, and what they leave behind on connections that are shared.

use std::pin::pin;

use futures_util::{SinkExt as _, TryStreamExt as _};
use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::{RawPostgres, extended, message};
use tidegate_tests::{PostgresPair, Setup, Tidegate};
use tokio_postgres::Client;

use super::support::{connect, run, state, tags, value};

fn setup() -> Setup {
    Setup::single(&PostgresPair::shared().primary)
}

/// One connection for everybody.
fn narrow() -> Tidegate {
    Tidegate::start(setup().pool("{ mode = \"transaction\", max = 1, wait = \"5s\" }"))
}

/// Who answers: the number of the server's process.
async fn backend(client: &Client) -> i32 {
    value(client, "select pg_backend_pid()").await
}

#[tokio::test]
async fn rows_and_parameters_of_megabytes_pass_both_ways() {
    let tidegate = Tidegate::start(setup());
    let client = connect(&tidegate, "app").await;
    let text = "tidegate".repeat(10 << 17);
    let before = tidegate.resident_kib();
    for _ in 0..3 {
        let row = client.query_one("select length($1), $1", &[&text]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), i32::try_from(text.len()).unwrap());
        assert_eq!(row.get::<_, &str>(1), text);
        let rows = client.simple_query(&format!("select length('{text}')")).await.unwrap();
        assert_eq!(rows.len(), 3);
    }
    let grown = tidegate.resident_kib().saturating_sub(before);
    assert!(grown < 24 << 10, "{grown} KiB held for values that only pass");
}

#[tokio::test]
async fn fifty_megabytes_are_copied_in_and_out_in_constant_memory() {
    const CHUNK: usize = 1 << 20;
    let tidegate = narrow();
    let client = connect(&tidegate, PostgresPair::shared().database("copies")).await;
    run(&client, "create table copied (line text)").await;
    let before = tidegate.resident_kib();
    let line = format!("{}\n", "x".repeat(1023));
    let chunk = line.repeat(CHUNK / line.len()).into_bytes();
    let mut sink = pin!(client.copy_in("copy copied from stdin").await.unwrap());
    for _ in 0..50 {
        sink.send(std::io::Cursor::new(chunk.clone())).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 50 << 10);
    let mut out = pin!(client.copy_out("copy copied to stdout").await.unwrap());
    let mut copied = 0;
    while let Some(bytes) = out.try_next().await.unwrap() {
        copied += bytes.len();
    }
    assert_eq!(copied, 50 << 20);
    let grown = tidegate.resident_kib().saturating_sub(before);
    assert!(grown < 24 << 10, "{grown} KiB held for what only passes");
}

/// Two clients with statements of the same names, and different texts, on one connection.
#[tokio::test]
async fn prepared_statements_are_their_clients_own_on_a_shared_connection() {
    let tidegate = narrow();
    let login = Login::app(tidegate.port(), "app");
    let mut clients = [1, 2].map(|_| RawPostgres::login(login).unwrap());
    for (number, client) in clients.iter_mut().enumerate() {
        let text = format!("select 'client {number}, ' || $1");
        client.send_bytes(&[extended::parse("s", &text), extended::sync()].concat()).unwrap();
        assert_eq!(tags(&client.read_answer().unwrap()), "1 ZI");
    }
    for round in 0..5 {
        for (number, client) in clients.iter_mut().enumerate() {
            let parameter = format!("round {round}");
            let asks = [
                extended::bind("", "s", &[&parameter]),
                extended::describe("s"),
                extended::execute("", 0),
                extended::sync(),
            ];
            client.send_bytes(&asks.concat()).unwrap();
            let answer = client.read_answer().unwrap();
            assert_eq!(tags(&answer), "2 t T D CSELECT 1 ZI");
            let row = answer.iter().find(|message| message.tag == b'D').unwrap();
            let wanted = format!("client {number}, round {round}");
            assert!(row.body.ends_with(wanted.as_bytes()), "{row:?}");
        }
    }
    // Who closes one leaves the other's alone.
    let [first, second] = &mut clients;
    first.send_bytes(&[extended::close("s"), extended::sync()].concat()).unwrap();
    assert_eq!(tags(&first.read_answer().unwrap()), "3 ZI");
    for (client, wanted) in [(first, "E26000 ZI"), (second, "2 D CSELECT 1 ZI")] {
        let asks = [extended::bind("", "s", &["x"]), extended::execute("", 0), extended::sync()];
        client.send_bytes(&asks.concat()).unwrap();
        assert_eq!(tags(&client.read_answer().unwrap()), wanted);
    }
}

#[tokio::test]
async fn prepared_statements_follow_their_client_to_other_connections() {
    let pair = PostgresPair::shared();
    let tidegate =
        Tidegate::start(setup().pool("{ mode = \"transaction\", max = 3, wait = \"5s\" }"));
    let client = connect(&tidegate, pair.database("followed")).await;
    run(&client, "create table t (a int)").await;
    let insert = client.prepare("insert into t values ($1) returning a").await.unwrap();
    let select = client.prepare("select pg_backend_pid(), sum(a) from t").await.unwrap();
    let mut seen = std::collections::HashSet::new();
    let others = [connect(&tidegate, "followed").await, connect(&tidegate, "followed").await];
    let mut total = 0;
    for round in 0..12_i32 {
        // The others take connections in turn, so that the client has to take what is left.
        let mut held = Vec::new();
        for other in others.iter().take(usize::try_from(round % 3).unwrap()) {
            run(other, "begin").await;
            held.push(backend(other).await);
        }
        total += i64::from(round);
        assert_eq!(client.query_one(&insert, &[&round]).await.unwrap().get::<_, i32>(0), round);
        let row = client.query_one(&select, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(1), total);
        assert!(!held.contains(&row.get::<_, i32>(0)), "somebody else's transaction");
        seen.insert(row.get::<_, i32>(0));
        for other in &others {
            run(other, "rollback").await;
        }
    }
    assert!(seen.len() > 1, "the client has never changed its connection");
}

/// A column that is added makes a statement's plan invalid: the client prepares it again, and must not
/// be given the old one.
#[tokio::test]
async fn a_statement_is_prepared_anew_after_its_table_has_changed() {
    let pair = PostgresPair::shared();
    let tidegate = narrow();
    for (name, altered_behind_the_back) in [("changed_here", false), ("changed_there", true)] {
        let client = connect(&tidegate, pair.database(name)).await;
        run(&client, "create table t (a int); insert into t values (1)").await;
        let select = client.prepare("select * from t").await.unwrap();
        assert_eq!(client.query_one(&select, &[]).await.unwrap().len(), 1);
        let alter = "alter table t add b int default 2";
        if altered_behind_the_back {
            pair.primary.execute(&format!("\\connect {name}\n{alter}"));
        } else {
            run(&client, alter).await;
        }
        // What the client was told of its columns holds no more: it is told so, too.
        let stale = client.query_one(&select, &[]).await.unwrap_err();
        assert_eq!(state(&stale), "0A000", "{name}");
        drop(select);
        let select = client.prepare("select * from t").await.unwrap();
        assert_eq!(client.query_one(&select, &[]).await.unwrap().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn settings_follow_their_client_and_nobody_else() {
    let tidegate = narrow();
    let one = connect(&tidegate, "app").await;
    let two = connect(&tidegate, "app").await;
    run(&one, "set timezone = 'Asia/Kathmandu'; set search_path = pg_catalog").await;
    run(&two, "set statement_timeout = '77s'").await;
    let shown = "select current_setting('timezone') = 'Asia/Kathmandu', \
                 current_setting('search_path') = 'pg_catalog', \
                 current_setting('statement_timeout') = '77s', pg_backend_pid()";
    for _ in 0..3 {
        let [first, second] =
            [one.query_one(shown, &[]).await.unwrap(), two.query_one(shown, &[]).await.unwrap()];
        let seen = |row: &tokio_postgres::Row| [row.get(0), row.get(1), row.get::<_, bool>(2)];
        assert_eq!(seen(&first), [true, true, false]);
        assert_eq!(seen(&second), [false, false, true]);
        assert_eq!(first.get::<_, i32>(3), second.get::<_, i32>(3), "they share a connection");
    }
    run(&one, "begin; set timezone = 'Europe/Oslo'; rollback").await;
    assert_eq!(value::<String>(&one, "show timezone").await, "Asia/Kathmandu");
    run(&one, "begin; set local timezone = 'Europe/Oslo'; commit").await;
    assert_eq!(value::<String>(&one, "show timezone").await, "Asia/Kathmandu");
    run(&one, "reset timezone").await;
    assert_ne!(value::<String>(&one, "show timezone").await, "Asia/Kathmandu");
    run(&two, "discard all").await;
    assert_eq!(value::<String>(&two, "show statement_timeout").await, "0");
    assert_eq!(value::<String>(&one, "show search_path").await, "pg_catalog");
}

#[tokio::test]
async fn discard_all_leaves_nothing_of_a_session() {
    let tidegate = narrow();
    let client = connect(&tidegate, "app").await;
    let other = connect(&tidegate, "app").await;
    let statement = client.prepare("select 1").await.unwrap();
    run(&client, "create temporary table mine (a int)").await;
    run(&client, "prepare p as select 2").await;
    run(&client, "listen somebody").await;
    run(&client, "select pg_advisory_lock(4711)").await;
    run(&client, "set work_mem = '7MB'").await;
    run(&client, "declare c cursor with hold for select 3").await;
    run(&client, "discard all").await;
    for (gone, wanted) in [
        ("select * from mine", "42P01"),
        ("execute p", "26000"),
        ("fetch c", "34000"),
        ("select pg_advisory_unlock(4711)::text::int", "22P02"),
    ] {
        assert_eq!(state(&client.batch_execute(gone).await.unwrap_err()), wanted, "{gone}");
    }
    assert_ne!(value::<String>(&client, "show work_mem").await, "7MB");
    assert_eq!(value::<i64>(&client, "select count(*) from pg_listening_channels()").await, 0);
    // Its own statements are gone, too: whoever uses one is told.
    assert_eq!(state(&client.query(&statement, &[]).await.unwrap_err()), "26000");
    // Nothing binds the connection any more.
    assert_eq!(backend(&other).await, backend(&client).await);
}

#[tokio::test]
async fn what_lives_on_a_connection_keeps_it_as_long_as_it_lives() {
    let tidegate =
        Tidegate::start(setup().pool("{ mode = \"transaction\", max = 2, wait = \"5s\" }"));
    let database = PostgresPair::shared().database("kept");
    let bound = connect(&tidegate, database).await;
    let free = connect(&tidegate, database).await;
    for (begin, check, end) in [
        ("create temporary table mine as select 7 a", "select a from mine", "drop table mine"),
        (
            "select pg_advisory_lock(7)",
            "select count(*)::int from pg_locks where
            locktype = 'advisory' and pid = pg_backend_pid()",
            "select pg_advisory_unlock(7)",
        ),
        ("declare c cursor with hold for select 7", "select 7", "close c"),
        ("prepare p as select 7", "select 7", "deallocate p"),
        ("listen mine", "select count(*)::int from pg_listening_channels()", "unlisten mine"),
    ] {
        run(&bound, begin).await;
        let pid = backend(&bound).await;
        for _ in 0..4 {
            assert_ne!(backend(&free).await, pid, "{begin}: a stranger has the connection");
            assert!(value::<i32>(&bound, check).await > 0, "{begin}");
            assert_eq!(backend(&bound).await, pid, "{begin}");
        }
        run(&bound, end).await;
    }
}

#[tokio::test]
async fn the_protocols_can_be_mixed_and_groups_sent_ahead() {
    let tidegate = narrow();
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "app")).unwrap();
    let select = |text: &str| {
        [extended::parse("", text), extended::bind("", "", &[]), extended::execute("", 0)].concat()
    };
    // Three groups, of which the second fails, and a simple query, all at once.
    let sync = extended::sync();
    let asks = [
        select("select 1"),
        select("select 2"),
        sync.clone(),
        select("select 1/0"),
        select("select 3"),
        sync.clone(),
        select("begin"),
        sync.clone(),
    ];
    client.send_bytes(&asks.concat()).unwrap();
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(tags(&client.read_answer().unwrap()));
    }
    let wanted = ["1 2 D CSELECT 1 1 2 D CSELECT 1 ZI", "1 E22012 ZI", "1 2 CBEGIN ZT"];
    assert_eq!(answers, wanted);
    // Answers come at a `Flush`, too, and the portal goes on.
    let ahead = [extended::parse("", "select generate_series(1, 5)"), extended::bind("", "", &[])];
    let part = extended::execute("", 2);
    client.send_bytes(&[&ahead.concat()[..], &part, &extended::flush()].concat()).unwrap();
    let mut read = |count: usize| {
        let messages: Vec<_> = (0..count).map(|_| client.read().unwrap()).collect();
        tags(&messages)
    };
    assert_eq!(read(5), "1 2 D D s");
    client.send_bytes(&[part.clone(), part, extended::flush()].concat()).unwrap();
    let mut read = |count: usize| {
        let messages: Vec<_> = (0..count).map(|_| client.read().unwrap()).collect();
        tags(&messages)
    };
    assert_eq!(read(5), "D D s D CSELECT 1");
    client.send_bytes(&sync).unwrap();
    assert_eq!(tags(&client.read_answer().unwrap()), "ZT");
    assert_eq!(tags(&client.query("rollback; select 7").unwrap()), "CROLLBACK T D CSELECT 1 ZI");
    assert_eq!(tags(&client.query("").unwrap()), "I ZI");
}

/// Whoever sends ahead need not wait for the answer that opens a transaction.
#[tokio::test]
async fn messages_sent_ahead_of_an_answer_are_answered_whatever_opens_a_transaction() {
    let login = |port| Login::app(port, "app");
    let tidegate = narrow();
    let query = |text: &str| message(b'Q', &[text.as_bytes(), b"\0"].concat());
    let group = [
        extended::parse("", "select 2"),
        extended::bind("", "", &[]),
        extended::execute("", 0),
        extended::sync(),
    ]
    .concat();
    for port in [PostgresPair::shared().primary.port(), tidegate.port()] {
        let mut client = RawPostgres::login(login(port)).unwrap();
        let asks =
            [query("begin"), query("select 1"), group.clone(), query("commit"), group.clone()];
        client.send_bytes(&asks.concat()).unwrap();
        let answers: Vec<String> =
            asks.iter().map(|_| tags(&client.read_answer().unwrap())).collect();
        let wanted = [
            "CBEGIN ZT",
            "T D CSELECT 1 ZT",
            "1 2 D CSELECT 1 ZT",
            "CCOMMIT ZI",
            "1 2 D CSELECT 1 ZI",
        ];
        assert_eq!(answers, wanted);
    }
}

/// After an error in a group, a server answers nothing before its `Sync`: no simple query either.
#[tokio::test]
async fn what_is_sent_behind_an_error_without_a_sync_is_passed_over() {
    let tidegate = narrow();
    for port in [PostgresPair::shared().primary.port(), tidegate.port()] {
        let mut client = RawPostgres::login(Login::app(port, "app")).unwrap();
        let asks = [
            extended::parse("", "selec 1"),
            message(b'Q', b"select 'passed over'\0"),
            extended::sync(),
            message(b'Q', b"select 1\0"),
        ];
        client.send_bytes(&asks.concat()).unwrap();
        assert_eq!(tags(&client.read_answer().unwrap()), "E42601 ZI");
        assert_eq!(tags(&client.read_answer().unwrap()), "T D CSELECT 1 ZI");
    }
}
