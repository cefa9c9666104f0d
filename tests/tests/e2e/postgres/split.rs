//! The plugin `read-write-split` in front of a primary and its replica: who answers what.

use std::collections::HashMap;

use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::{Login, python};
use tidegate_tests::raw_postgres::{Message, RawPostgres, extended, message};
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID, users};
use tidegate_tests::{PostgresPair, Setup, Tidegate, wait_for};

use super::servers::{SERVER, answered_by, label, server_of, shared, split, until_answered_by};
use super::support::{assert_unharmed, connect, run, state, tags, tls, try_connect, value};

/// A session whose database has the table `t`, on both servers.
fn with_table(name: &str) -> Tidegate {
    let pair = PostgresPair::shared();
    pair.primary.execute(&format!(
        "\\connect {}
         create table t (id serial, server text);
         grant all on all tables in schema public to public;
         grant all on all sequences in schema public to public;
         insert into t (server) values ('{PRIMARY_ID}')",
        pair.database(name)
    ));
    pair.wait_for_replica();
    split(shared(), "")
}

#[tokio::test]
async fn reads_go_to_the_replica_and_writes_to_the_primary_by_either_protocol() {
    let tidegate = with_table("split_both");
    let client = connect(&tidegate, "split_both").await;
    let read = format!("select {SERVER} from t limit 1");
    let write = format!("insert into t (server) values ({SERVER}) returning server");
    // The simple protocol.
    assert_eq!(server_of(&client, &read).await, REPLICA_ID);
    assert_eq!(server_of(&client, &write).await, PRIMARY_ID);
    // Statements with names.
    let [reading, writing] =
        [client.prepare(&read).await.unwrap(), client.prepare(&write).await.unwrap()];
    for _ in 0..3 {
        let [read, written] = [
            client.query_one(&reading, &[]).await.unwrap().get::<_, String>(0),
            client.query_one(&writing, &[]).await.unwrap().get::<_, String>(0),
        ];
        assert_eq!([read, written], [REPLICA_ID.to_string(), PRIMARY_ID.to_string()]);
    }
    // Statements without.
    for (statement, server) in [(&read, REPLICA_ID), (&write, PRIMARY_ID)] {
        let rows = client.query_typed(statement, &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, String>(0), server.to_string(), "{statement}");
    }
    let wanted = vec![PRIMARY_ID.to_string(); 6];
    PostgresPair::shared().wait_for_replica();
    let found: Vec<String> = value(&client, "select array_agg(server) from t").await;
    assert_eq!(found, wanted, "somebody else than the primary has written");
    assert_unharmed(&tidegate).await;
}

#[test]
fn psycopg_is_split_however_it_sends_its_statements() {
    let tidegate = with_table("split_psycopg");
    let login = Login::app(tidegate.port(), "split_psycopg");
    assert_eq!(python("psycopg_split.py", login).trim(), "done");
}

/// The first column of every row.
fn firsts(answer: &[Message]) -> Vec<String> {
    let rows = answer.iter().filter(|message| message.tag == b'D');
    let first = |row: &Message| {
        let length = u32::from_be_bytes(row.body[2..6].try_into().unwrap());
        String::from_utf8(row.body[6..][..length.try_into().unwrap()].to_vec()).unwrap()
    };
    rows.map(first).collect()
}

fn ids(servers: &[u32]) -> Vec<String> {
    servers.iter().map(ToString::to_string).collect()
}

#[test]
fn bind_and_execute_go_where_their_statement_goes() {
    let tidegate = with_table("split_bind");
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "split_bind")).unwrap();
    let mut send = |messages: &[Vec<u8>]| {
        client.send_bytes(&messages.concat()).unwrap();
        client.read_answer().unwrap()
    };
    let read = format!("select {SERVER} from t where id > $1 limit 1");
    let write = format!("insert into t (server) values ({SERVER} || $1) returning server");
    let prepared = send(&[
        extended::parse("r", &read),
        extended::describe("r"),
        extended::parse("w", &write),
        extended::describe("w"),
        extended::sync(),
    ]);
    assert_eq!(tags(&prepared), "1 t T 1 t T ZI");
    let execute = |statement: &str, parameter: &str| {
        [extended::bind("", statement, &[parameter]), extended::execute("", 0)].concat()
    };
    for _ in 0..3 {
        let answer = send(&[execute("r", "0"), extended::sync()]);
        assert_eq!(firsts(&answer), ids(&[REPLICA_ID]));
        let answer = send(&[execute("w", ""), extended::sync()]);
        assert_eq!(firsts(&answer), ids(&[PRIMARY_ID]));
        // What ends with one `Sync` is one unit.
        let answer = send(&[execute("r", "0"), execute("w", ""), extended::sync()]);
        assert_eq!(firsts(&answer), ids(&[PRIMARY_ID, PRIMARY_ID]));
        assert_eq!(tags(&answer), "2 D CSELECT 1 2 D CINSERT 0 1 ZI");
    }
}

#[test]
fn messages_count_and_not_the_pieces_in_which_they_come() {
    let tidegate = with_table("split_pieces");
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "split_pieces")).unwrap();
    let query = |text: &str| message(b'Q', &[text.as_bytes(), b"\0"].concat());
    let batch = |text: &str| {
        [
            extended::parse("", text),
            extended::bind("", "", &[]),
            extended::execute("", 0),
            extended::sync(),
        ]
        .concat()
    };
    let read = format!("select {SERVER} from t limit 1");
    let write = format!("insert into t (server) values ({SERVER}) returning server");
    let wanted = [REPLICA_ID, PRIMARY_ID, REPLICA_ID, PRIMARY_ID, PRIMARY_ID, PRIMARY_ID];
    let begun = format!("begin; {read}");
    let all = [
        query(&read),
        query(&write),
        batch(&read),
        batch(&write),
        query(&begun),
        query("commit"),
        batch(&write),
    ]
    .concat();
    // All at once, each byte for itself, and cut in the middle of everything.
    for piece in [all.len(), 1, 7, 61] {
        for bytes in all.chunks(piece) {
            client.send_bytes(bytes).unwrap();
        }
        let mut answers = Vec::new();
        for n in 0..7 {
            let answer = client.read_answer();
            answers.extend(answer.unwrap_or_else(|error| panic!("{piece}, {n}: {error}")));
        }
        assert_eq!(firsts(&answers), ids(&wanted), "{piece}");
        let status =
            tags(&answers).split(' ').filter(|tag| tag.starts_with('Z')).collect::<String>();
        assert_eq!(status, "ZIZIZIZIZTZIZI", "{piece}");
    }
}

#[test]
fn a_transaction_is_on_one_server_and_its_status_is_told_right() {
    let tidegate = with_table("split_transaction");
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "split_transaction")).unwrap();
    let read = format!("select {SERVER} from t limit 1");
    let write = format!("insert into t (server) values ({SERVER}) returning server");
    for (begin, server, end) in [
        ("begin", PRIMARY_ID, "commit"),
        ("start transaction", PRIMARY_ID, "rollback"),
        ("begin isolation level repeatable read", PRIMARY_ID, "end"),
        ("begin read only", REPLICA_ID, "commit"),
        ("start transaction isolation level repeatable read, read only", REPLICA_ID, "abort"),
    ] {
        assert!(tags(&client.query(begin).unwrap()).ends_with(" ZT"), "{begin}");
        for statement in [&read, &write, &read] {
            if server == REPLICA_ID && *statement == write {
                continue;
            }
            let answer = client.query(statement).unwrap();
            assert_eq!(firsts(&answer), ids(&[server]), "{begin}: {statement}");
            assert!(tags(&answer).ends_with("ZT"), "{begin}: {statement}");
        }
        // Nothing is repeated on the other server while this one has the transaction.
        let wrong = client.query(if server == REPLICA_ID { &write } else { "select 1/0" }).unwrap();
        let code = if server == REPLICA_ID { "25006" } else { "22012" };
        assert!(tags(&wrong).ends_with(" ZE"), "{begin}");
        assert_eq!(wrong.iter().find_map(Message::state).as_deref(), Some(code), "{begin}");
        assert_eq!(tags(&client.query(&read).unwrap()), "E25P02 ZE", "{begin}");
        assert!(tags(&client.query(end).unwrap()).ends_with("ZI"), "{begin}");
        assert_eq!(firsts(&client.query(&read).unwrap()), ids(&[REPLICA_ID]), "after {begin}");
    }
}

#[tokio::test]
async fn reads_that_are_more_than_reads_go_to_the_primary() {
    let tidegate = with_table("split_effects");
    let pair = PostgresPair::shared();
    pair.primary.execute(
        "\\connect split_effects
         create function public.notes() returns text language sql as
         $$ insert into t (server) values (current_setting('cluster_name')) returning server $$;
         grant create on schema public to public;",
    );
    pair.wait_for_replica();
    let client = connect(&tidegate, "split_effects").await;
    for statement in [
        "select server from t for update",
        "select server from t for share",
        "select notes()",
        "with x as (insert into t (server) values ('1') returning server) select server from x",
        "select current_setting('cluster_name'), nextval('t_id_seq')",
        "select current_setting('cluster_name'), setval('t_id_seq', 1000)",
        "select current_setting('cluster_name'), pg_advisory_xact_lock(1)",
        "select current_setting('cluster_name'), pg_advisory_lock(1), pg_advisory_unlock(1)",
        "select current_setting('cluster_name'), pg_current_xact_id()",
        "select current_setting('cluster_name'), pg_notify('a', 'b')",
        "insert into t (server) values (current_setting('cluster_name')) returning server",
        "select 1; insert into t (server) values (current_setting('cluster_name')) returning server",
        "select current_setting('cluster_name') into made; select * from made; drop table made",
        "/* tidegate: route=primary */ select current_setting('cluster_name')",
    ] {
        assert_eq!(server_of(&client, statement).await, PRIMARY_ID, "{statement}");
        if !statement.contains("; ") {
            let rows = client.query_typed(statement, &[]).await;
            let rows = rows.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
            assert_eq!(rows[0].get::<_, String>(0), "1", "{statement}");
        }
    }
    let analyzed = "explain (analyze, costs off) insert into t (server) values ('1')";
    run(&client, analyzed).await;
    let client = connect(&tidegate, "split_effects").await;
    for statement in [
        "select current_setting('cluster_name') from t where id > 0",
        "with x as (select 1) select current_setting('cluster_name') from x",
        "(select current_setting('cluster_name')) union all (select current_setting('cluster_name'))",
        "select current_setting('cluster_name'), 'for update', 'nextval(1)', $$insert into t$$",
        "/* a comment */ select current_setting('cluster_name') -- for update",
        "select 1; select current_setting('cluster_name')",
        "values (current_setting('cluster_name'))",
    ] {
        assert_eq!(server_of(&client, statement).await, REPLICA_ID, "{statement}");
    }
}

/// A method and a password of its own for each user, on both sides; TLS on both, or towards the
/// servers only.
#[tokio::test]
async fn users_with_mixed_methods_reach_both_servers_by_tls() {
    let ca = Certificates::shared().ca();
    let setup = || shared().server_tls("verify-full", Some(&ca)).client_tls("prefer");
    for default_auth in ["scram-sha-256", "md5"] {
        let setup = setup().listener(&format!("default_auth = {default_auth:?}"));
        let tidegate = split(setup, "");
        for (user, password) in [users::APP, users::MD5, users::CLEARTEXT, users::TLS_ONLY] {
            let login = Login { user, password, ..Login::app(tidegate.port(), "app") };
            let login = if default_auth == "md5" { login } else { login.with_tls() };
            let client = try_connect(login).await.unwrap();
            let encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
            assert_eq!(answered_by(&client).await, REPLICA_ID, "{user}");
            assert!(value::<bool>(&client, encrypted).await, "{user}");
            run(&client, "begin").await;
            assert_eq!(answered_by(&client).await, PRIMARY_ID, "{user}");
            assert!(value::<bool>(&client, encrypted).await, "{user}");
            assert_eq!(value::<String>(&client, "select current_user::text").await, user);
            run(&client, "commit").await;
            let wrong = try_connect(Login { password: "wrong", ..login }).await.unwrap_err();
            assert_eq!(state(&wrong), "28P01", "{user}");
        }
    }
}

#[test]
fn settings_are_told_once_and_hold_on_both_servers() {
    let tidegate = with_table("split_status");
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "split_status")).unwrap();
    let told = |answer: &[Message]| {
        let told = answer.iter().filter(|message| message.tag == b'S').map(|message| {
            let text = String::from_utf8(message.body.clone()).unwrap();
            let (name, value) = text.trim_end_matches('\0').split_once('\0').unwrap();
            (name.to_owned(), value.to_owned())
        });
        told.collect::<HashMap<_, _>>()
    };
    let set = client.query("set timezone = 'Asia/Kathmandu'").unwrap();
    assert_eq!(told(&set).get("TimeZone").map(String::as_str), Some("Asia/Kathmandu"));
    let both = format!("select {SERVER}, current_setting('timezone')");
    for (begin, server) in [("select 1", REPLICA_ID), ("begin", PRIMARY_ID), ("end", REPLICA_ID)] {
        let answer = client.query(begin).unwrap();
        assert_eq!(told(&answer).get("TimeZone"), None, "{begin}");
        let answer = client.query(&both).unwrap();
        assert_eq!(firsts(&answer), ids(&[server]));
        assert_eq!(told(&answer).get("TimeZone"), None, "{begin}");
        let row = answer.iter().find(|message| message.tag == b'D').unwrap();
        assert!(String::from_utf8_lossy(&row.body).contains("Asia/Kathmandu"), "{begin}");
    }
    let reset = client.query("reset timezone").unwrap();
    assert!(told(&reset).contains_key("TimeZone"), "{}", tags(&reset));
    let answer = client.query(&both).unwrap();
    assert_eq!(firsts(&answer), ids(&[REPLICA_ID]));
    assert_eq!(told(&answer).get("TimeZone"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_reaches_the_server_that_runs_the_statement() {
    let pair = PostgresPair::shared();
    let tidegate = split(shared(), "read_only_transactions = \"replica\"");
    for (begin, server, name) in
        [("begin", &pair.primary, "primary"), ("begin read only", &pair.replica, "replica")]
    {
        let client = connect(&tidegate, "app").await;
        let canceller = client.cancel_token();
        run(&client, begin).await;
        let slow = format!("select pg_sleep(600) /* slow on the {name} */");
        let running = tokio::spawn(async move { (client.batch_execute(&slow).await, client) });
        let active = format!(
            "select count(*) from pg_stat_activity where state = 'active' \
             and pid <> pg_backend_pid() and query like '%slow on the {name}%'"
        );
        wait_for("the statement to run", || (server.query(&active).trim() == "1").then_some(()));
        canceller.cancel_query(tls()).await.unwrap();
        let (ended, client) = running.await.unwrap();
        assert_eq!(state(&ended.unwrap_err()), "57014", "{name}");
        run(&client, "rollback").await;
        assert_eq!(answered_by(&client).await, REPLICA_ID);
    }
}

#[tokio::test]
async fn of_two_servers_one_may_be_down() {
    let mut pair = PostgresPair::start();
    let setup = Setup::pair(&pair).pool("{ mode = \"transaction\", max = 4, wait = \"300ms\" }");
    let tidegate = split(setup.account().quick_probes(), "");
    let client = connect(&tidegate, "app").await;
    run(&client, "create table t (server text)").await;
    pair.wait_for_replica();
    assert_eq!(answered_by(&client).await, REPLICA_ID);
    pair.replica.kill();
    let up = "tidegate_server_up";
    let admin = *tidegate.admin();
    admin.wait_for_metric(up, &[&label(&pair.replica)], |up| up < 0.5);
    assert_eq!(answered_by(&client).await, PRIMARY_ID);
    run(&client, "insert into t values ('1')").await;
    pair.replica.start_again();
    until_answered_by(&client, REPLICA_ID).await;
    pair.wait_for_replica();
    pair.primary.kill();
    admin.wait_for_metric(up, &[&label(&pair.primary)], |up| up < 0.5);
    assert_eq!(value::<i64>(&client, "select count(*) from t").await, 1);
    let refused = client.batch_execute("insert into t values ('2')").await.unwrap_err();
    assert_eq!(state(&refused), "57P03", "{refused:?}");
    assert_eq!(answered_by(&client).await, REPLICA_ID);
    let newcomer = connect(&tidegate, "app").await;
    assert_eq!(answered_by(&newcomer).await, REPLICA_ID);
    pair.primary.start_again();
    admin.wait_for_metric(up, &[&label(&pair.primary)], |up| up > 0.5);
    run(&client, "insert into t values ('2')").await;
}
