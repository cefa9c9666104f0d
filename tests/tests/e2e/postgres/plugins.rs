//! What plugins can do to a statement of PostgreSQL, and what becomes of it when they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::{RawPostgres, extended};
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID, users};
use tidegate_tests::setup::UPSTREAM;
use tidegate_tests::{PostgresPair, Tidegate, wait_for};
use tokio_postgres::types::Type;

use super::servers::{answered_by, server_of, shared};
use super::support::{assert_unharmed, connect, run, state, tags, try_connect, value};

/// In front of the shared pair, with one plugin and its sidecar.
fn with_plugin(source: &str, sidecar: &str) -> Tidegate {
    let sidecar = match sidecar.contains("deadline") {
        true => sidecar.to_owned(),
        false => format!("deadline = \"2s\"\n{sidecar}"),
    };
    Tidegate::start_with_plugins(shared().sidecar(source, &sidecar), &[(source, source)])
}

fn to(target: &str) -> String {
    format!("[config]\ntarget = \"{target}\"\n")
}

#[tokio::test]
async fn a_plugin_routes_by_role_and_by_address() {
    let pair = PostgresPair::shared();
    let replica = format!("{UPSTREAM}@{}", pair.replica.address());
    for (target, server) in [
        (format!("{UPSTREAM}/replica"), REPLICA_ID),
        (format!("{UPSTREAM}/primary"), PRIMARY_ID),
        (UPSTREAM.to_owned(), PRIMARY_ID),
        (replica, REPLICA_ID),
    ] {
        let tidegate = with_plugin("route-all", &to(&target));
        let client = connect(&tidegate, "app").await;
        assert_eq!(answered_by(&client).await, server, "{target}");
        assert_eq!(server_of(&client, "show cluster_name").await, server, "{target}, simple");
    }
}

#[tokio::test]
async fn users_and_databases_are_routed_by_their_names() {
    let pair = PostgresPair::shared();
    let database = pair.database("pg_plugins_router");
    let config = format!(
        "[config]\ndefault = \"{UPSTREAM}/primary\"\n[config.users]\nro = \"{UPSTREAM}/replica\"\n\
         [config.databases]\n{database} = \"{UPSTREAM}/replica\"\n"
    );
    let tidegate = with_plugin("user-router", &config);
    let (user, password) = users::READER;
    let login = Login { user, password, ..Login::app(tidegate.port(), "app") };
    assert_eq!(answered_by(&try_connect(login).await.unwrap()).await, REPLICA_ID);
    assert_eq!(answered_by(&connect(&tidegate, "app").await).await, PRIMARY_ID);
    let client = connect(&tidegate, database).await;
    assert_eq!(answered_by(&client).await, REPLICA_ID);
    run(&client, "begin").await;
    let refused = client.batch_execute("create table t (a int)").await.unwrap_err();
    assert_eq!(state(&refused), "25006", "a replica takes no writes");
    run(&client, "rollback").await;
}

#[tokio::test]
async fn a_plugin_rewrites_texts_and_prepared_statements() {
    let pair = PostgresPair::shared();
    let tidegate = with_plugin("rewrite", "");
    let client = connect(&tidegate, pair.database("pg_plugins_rewrite")).await;
    run(&client, "create table new_orders (a int); insert into new_orders values (5)").await;
    assert_eq!(server_of(&client, "select a from old_orders").await, 5);
    assert_eq!(value::<i32>(&client, "select a from old_orders").await, 5);
    let prepared = client.prepare("select a from old_orders where a > $1").await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.query_one(&prepared, &[&1]).await.unwrap().get::<_, i32>(0), 5);
    }
    assert_eq!(value::<i32>(&client, "select 9").await, 9);
}

/// What an error of the client's own session would be, inside and outside of a transaction.
#[tokio::test]
async fn a_plugin_rejects_statements_as_a_server_would() {
    let tidegate = with_plugin("reject", "");
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "app")).unwrap();
    assert_eq!(tags(&client.query("select 'forbidden'").unwrap()), "E42000 ZI");
    assert_eq!(tags(&client.query("select 7").unwrap()), "T D CSELECT 1 ZI");
    let batch = |text: &str| {
        [
            extended::parse("n", text),
            extended::describe("n"),
            extended::bind("", "n", &[]),
            extended::execute("", 0),
            extended::sync(),
        ]
        .concat()
    };
    client.send_bytes(&batch("select 'forbidden'")).unwrap();
    assert_eq!(tags(&client.read_answer().unwrap()), "E42000 ZI");
    // It was not prepared.
    client.send_bytes(&batch("select 7")).unwrap();
    assert_eq!(tags(&client.read_answer().unwrap()), "1 t T 2 D CSELECT 1 ZI");
    // In a transaction, which has failed then.
    for extended in [false, true] {
        assert_eq!(tags(&client.query("begin").unwrap()), "CBEGIN ZT");
        if extended {
            let parse = extended::parse("other", "select 'forbidden'");
            client.send_bytes(&[parse, extended::sync()].concat()).unwrap();
            assert_eq!(tags(&client.read_answer().unwrap()), "E42000 ZE");
        } else {
            assert_eq!(tags(&client.query("select 'forbidden'").unwrap()), "E42000 ZE");
        }
        assert_eq!(tags(&client.query("select 7").unwrap()), "E25P02 ZE");
        assert_eq!(tags(&client.query("commit").unwrap()), "CROLLBACK ZI");
    }
    let client = connect(&tidegate, "app").await;
    let refused = client.batch_execute("select 'refused'").await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().message(), "this is refused");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_plugin_answers_with_rows_and_with_counts() {
    let tidegate = with_plugin("reply", "");
    let client = connect(&tidegate, "app").await;
    // `tokio_postgres` asks for the binary form.
    for in_transaction in [false, true] {
        if in_transaction {
            run(&client, "begin").await;
        }
        let rows = client.query("SELECT 'who'", &[]).await.unwrap();
        assert_eq!(rows.len(), 2);
        let types: Vec<_> = rows[0].columns().iter().map(|column| column.type_().clone()).collect();
        assert_eq!(types, [Type::TEXT, Type::INT8, Type::FLOAT8, Type::BYTEA]);
        let first: (String, i64) = (rows[0].get(0), rows[0].get(1));
        assert_eq!(first, ("app".to_owned(), 42));
        assert!((rows[0].get::<_, f64>(2) - 0.5).abs() < f64::EPSILON);
        assert_eq!(rows[0].get::<_, Vec<u8>>(3), [0, 255]);
        assert_eq!(rows[1].get::<_, String>(0), "nobody");
        assert_eq!(rows[1].get::<_, Option<i64>>(1), None);
        assert!(client.query("SELECT 'nobody'", &[]).await.unwrap().is_empty());
        client.execute("DELETE FROM reply", &[]).await.unwrap();
        let rows = client.query_typed("SELECT 'who'", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, i64>(1), 42);
        assert_eq!(value::<i32>(&client, "select 1").await, 1);
    }
    run(&client, "commit").await;
    let mut client = RawPostgres::login(Login::app(tidegate.port(), "app")).unwrap();
    let answer = client.query("SELECT 'who'").unwrap();
    assert_eq!(tags(&answer), "T D D CSELECT 2 ZI");
    let row = String::from_utf8_lossy(&answer[1].body).into_owned();
    for text in ["app", "42", "0.5", "\\x00ff"] {
        assert!(row.contains(text), "{text} in {row}");
    }
    assert_eq!(tags(&client.query("DELETE FROM reply").unwrap()), "Cas you wish ZI");
    assert_eq!(tags(&client.query("begin").unwrap()), "CBEGIN ZT");
    assert_eq!(tags(&client.query("SELECT 'who'").unwrap()), "T D D CSELECT 2 ZT");
    assert_eq!(tags(&client.query("rollback").unwrap()), "CROLLBACK ZI");
    // Between statements of the server, in their order, and from a statement that has a name.
    let own = [extended::parse("own", "SELECT 'who'"), extended::parse("its", "select 7")];
    client.send_bytes(&[&own.concat()[..], &extended::sync()].concat()).unwrap();
    assert_eq!(tags(&client.read_answer().unwrap()), "1 1 ZI");
    let execute = |name: &str| {
        let bind = extended::bind("", name, &[]);
        [extended::describe(name), bind, extended::execute("", 0)].concat()
    };
    let all = [execute("its"), execute("own"), execute("its"), extended::sync()].concat();
    client.send_bytes(&all).unwrap();
    let wanted = "t T 2 D CSELECT 1 t T 2 D D CSELECT 2 t T 2 D CSELECT 1 ZI";
    assert_eq!(tags(&client.read_answer().unwrap()), wanted);
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_plugin_lets_only_administrators_change_tables() {
    let config = "[config]\nadministrators = [\"app\"]\n";
    let tidegate = with_plugin("example", config);
    let database = PostgresPair::shared().database("pg_plugins_example");
    let client = connect(&tidegate, database).await;
    run(&client, "create table t (a int)").await;
    let (user, password) = users::READER;
    let login = Login { user, password, ..Login::app(tidegate.port(), database) };
    let reader = try_connect(login).await.unwrap();
    for statement in ["drop table t", "select 1; drop table t"] {
        let refused = reader.batch_execute(statement).await.unwrap_err();
        assert_eq!(state(&refused), "42000", "{refused:?}");
    }
    assert_eq!(state(&reader.query("drop table t", &[]).await.unwrap_err()), "42000");
    assert_eq!(value::<i64>(&reader, "select count(*) from t").await, 0);
}

#[tokio::test]
async fn a_plugin_limits_the_time_of_a_statement_and_the_session_goes_on() {
    let tidegate = with_plugin("annotate", "");
    let client = connect(&tidegate, "app").await;
    let slow = "select pg_sleep(600) /* slow */";
    assert_eq!(state(&client.batch_execute(slow).await.unwrap_err()), "57014");
    assert_eq!(state(&client.query(slow, &[]).await.unwrap_err()), "57014");
    run(&client, "begin").await;
    assert_eq!(state(&client.batch_execute(slow).await.unwrap_err()), "57014");
    assert_eq!(state(&client.batch_execute("select 1").await.unwrap_err()), "25P02");
    run(&client, "rollback").await;
    for _ in 0..20 {
        assert_eq!(value::<i32>(&client, "select 7 /* slow */").await, 7);
    }
    let timed_out = ["outcome=\"timed_out\""];
    assert!(tidegate.admin().metric("tidegate_statements_total", &timed_out) > 2.5);
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_plugin_that_fails_costs_its_statement_what_the_operator_says() {
    for (on_failure, passes) in [("open", true), ("closed", false)] {
        let tidegate = with_plugin("trap", &format!("on_failure = \"{on_failure}\"\n"));
        let client = connect(&tidegate, "app").await;
        run(&client, "create temp table t (a text)").await;
        run(&client, "begin").await;
        let trapped = client.batch_execute("insert into t values ('trap')").await;
        assert_eq!(trapped.is_ok(), passes, "{trapped:?}");
        run(&client, if passes { "commit" } else { "rollback" }).await;
        let rows: i64 = value(&client, "select count(*) from t").await;
        assert_eq!(rows, i64::from(passes));
        assert_eq!(client.query("select 'trap'", &[]).await.is_ok(), passes);
        assert_eq!(value::<i32>(&client, "select 1").await, 1);
    }
}

/// Plugins come, change and go under sessions by either protocol: no statement fails, and each is
/// answered by a server that some generation has chosen.
#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_swapped_under_load_without_a_failed_statement() {
    let tidegate = Arc::new(Tidegate::start(shared()));
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[AtomicU64; 2]> = Arc::default();
    let sessions: Vec<_> = (0..6)
        .map(|n| {
            let (tidegate, stop) = (Arc::clone(&tidegate), Arc::clone(&stop));
            let counts = Arc::clone(&counts);
            tokio::spawn(async move {
                let client = connect(&tidegate, "app").await;
                let text = "select current_setting('cluster_name'), $1::int";
                let prepared = client.prepare(text).await.unwrap();
                let mut number = 0_i32;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let server = match (n + number) % 3 {
                        0 => server_of(&client, "show cluster_name").await,
                        1 => answered_by(&client).await,
                        _ => {
                            let row = client.query_one(&prepared, &[&number]).await.unwrap();
                            assert_eq!(row.get::<_, i32>(1), number);
                            row.get::<_, String>(0).parse().unwrap()
                        }
                    };
                    counts[usize::from(server == REPLICA_ID)].fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let more_of = |replica: bool| {
        let count = || counts[usize::from(replica)].load(Ordering::Relaxed);
        let before = count();
        wait_for("answers", || (count() > before + 50).then_some(()));
    };
    more_of(false);
    for _ in 0..3 {
        tidegate.write_sidecar("route-all", &format!("deadline = \"2s\"\n{}", to("db/replica")));
        tidegate.drop_plugin("route-all", "route-all");
        more_of(true);
        tidegate.write_sidecar("route-all", &format!("deadline = \"2s\"\n{}", to("db/primary")));
        more_of(false);
        tidegate.remove_plugin_file("route-all.wasm");
        more_of(false);
    }
    stop.store(true, Ordering::Relaxed);
    for session in sessions {
        session.await.expect("no statement fails");
    }
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_mirrored_statement_is_carried_out_again_with_the_settings_of_its_session() {
    let pair = PostgresPair::shared();
    let database = pair.database("mirrored");
    pair.primary.execute(&format!(
        "\\connect {database}\ncreate table t (name text); grant all on t to app"
    ));
    let primary = format!("{UPSTREAM}/primary");
    let config = format!("target = \"{primary}\"\nscope = \"session\"\nmirror = \"{primary}\"");
    let tidegate = with_plugin("reuse", &format!("[config]\n{config}\n"));
    let client = connect(&tidegate, database).await;
    run(&client, "set myapp.name = 'mine'").await;
    run(&client, "insert into t values (current_setting('myapp.name'))").await;
    let arrived = format!("\\connect {database}\nselect string_agg(name, ',') from t");
    wait_for("the copy to arrive", || {
        (pair.primary.query(&arrived).trim() == "mine,mine").then_some(())
    });
    assert_unharmed(&tidegate).await;
}
