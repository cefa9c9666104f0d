//! Prepared statements of many sessions on connections that they share.

use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::{RawPostgres, extended};
use tidegate_tests::{Postgres, Setup, Tidegate};

use super::support::{connect, run, state, tags, value};

/// One server for each test, of which it can be told what it was asked.
fn start(pool: &str) -> (Postgres, Tidegate) {
    let server = Postgres::start();
    let setup = Setup::single(&server);
    let tidegate = Tidegate::start(setup.pool(&format!("{{ mode = \"transaction\", {pool} }}")));
    (server, tidegate)
}

/// The texts that the connection knows, as a session of the same kind is told.
fn known(client: &mut RawPostgres) -> Vec<String> {
    let statement = "select statement from pg_prepared_statements order by 1";
    let answer = client.query(statement).unwrap();
    let rows = answer.iter().filter(|message| message.tag == b'D');
    rows.map(|row| String::from_utf8(row.body[6..].to_vec()).unwrap()).collect()
}

fn raw(tidegate: &Tidegate) -> RawPostgres {
    RawPostgres::login(Login::app(tidegate.port(), "app")).unwrap()
}

fn ask(client: &mut RawPostgres, messages: &[Vec<u8>]) -> String {
    client.send_bytes(&messages.concat()).unwrap();
    tags(&client.read_answer().unwrap())
}

fn execute(statement: &str, parameters: &[&str]) -> Vec<u8> {
    [extended::bind("", statement, parameters), extended::execute("", 0)].concat()
}

#[tokio::test]
async fn names_are_each_sessions_own_and_equal_texts_are_prepared_once() {
    let (_server, tidegate) = start("max = 1, wait = \"5s\"");
    let mut sessions: Vec<_> = (0..4).map(|_| raw(&tidegate)).collect();
    // The same name for two texts.
    for (n, session) in sessions.iter_mut().enumerate() {
        let text = ["select 'even' || $1", "select 'odd', $1::int"][n % 2];
        let prepare = [extended::parse("mine", text), extended::describe("mine"), extended::sync()];
        assert_eq!(ask(session, &prepare), "1 t T ZI");
    }
    for _ in 0..3 {
        for session in &mut sessions {
            let answer = ask(session, &[execute("mine", &["7"]), extended::sync()]);
            assert_eq!(answer, "2 D CSELECT 1 ZI");
        }
    }
    for (n, session) in sessions.iter_mut().enumerate() {
        session.send_bytes(&[execute("mine", &["7"]), extended::sync()].concat()).unwrap();
        let answer = session.read_answer().unwrap();
        let row = answer.iter().find(|message| message.tag == b'D').unwrap();
        let wanted: &[u8] = [&b"even7"[..], b"odd"][n % 2];
        assert!(row.body.windows(wanted.len()).any(|part| part == wanted), "{row:?}");
    }
    assert_eq!(known(&mut raw(&tidegate)), ["select 'even' || $1", "select 'odd', $1::int"]);
    // What one has closed the others still have.
    let closing = [extended::close("mine"), extended::sync()];
    assert_eq!(ask(&mut sessions[0], &closing), "3 ZI");
    let mine = [execute("mine", &["7"]), extended::sync()];
    assert_eq!(ask(&mut sessions[0], &mine), "E26000 ZI");
    assert_eq!(ask(&mut sessions[2], &mine), "2 D CSELECT 1 ZI");
    // A name that is taken is taken.
    let again = [extended::parse("mine", "select 3"), extended::sync()];
    assert_eq!(ask(&mut sessions[2], &again), "E42P05 ZI");
    assert_eq!(ask(&mut sessions[2], &mine), "2 D CSELECT 1 ZI");
    assert_eq!(ask(&mut sessions[0], &again), "1 ZI");
}

/// The server writes down how often it has parsed.
fn parses(server: &Postgres, text: &str) -> usize {
    server.log().lines().filter(|line| line.contains("parse ") && line.contains(text)).count()
}

#[tokio::test]
async fn what_is_known_is_not_parsed_again_though_it_has_no_name() {
    let server = Postgres::start_with(&["-c", "log_min_duration_statement=0"]);
    let pool = "{ mode = \"transaction\", max = 1, wait = \"5s\" }";
    let tidegate = Tidegate::start(Setup::single(&server).pool(pool));
    let mut one = raw(&tidegate);
    let mut two = raw(&tidegate);
    let batch = [
        extended::parse("", "select $1::int + 4711"),
        extended::bind("", "", &["1"]),
        extended::execute("", 0),
        extended::sync(),
    ];
    for _ in 0..5 {
        assert_eq!(ask(&mut one, &batch), "1 2 D CSELECT 1 ZI");
        assert_eq!(ask(&mut two, &batch), "1 2 D CSELECT 1 ZI");
    }
    let named = [
        extended::parse("name", "select $1::int + 4711"),
        extended::describe("name"),
        execute("name", &["1"]),
        extended::sync(),
    ];
    assert_eq!(ask(&mut two, &named), "1 t T 2 D CSELECT 1 ZI");
    let client = connect(&tidegate, "app").await;
    assert_eq!(parses(&server, "+ 4711"), 1, "{}", server.log());
    // With other types it is another statement.
    let typed =
        [(&7_i64 as &(dyn tokio_postgres::types::ToSql + Sync), tokio_postgres::types::Type::INT8)];
    client.query_typed("select $1 + 815", &typed).await.unwrap();
    let typed =
        [(&7_i32 as &(dyn tokio_postgres::types::ToSql + Sync), tokio_postgres::types::Type::INT4)];
    client.query_typed("select $1 + 815", &typed).await.unwrap();
    assert_eq!(parses(&server, "+ 815"), 2, "{}", server.log());
}

#[tokio::test]
async fn only_so_many_statements_are_kept_at_the_server() {
    let (_server, tidegate) = start("max = 1, wait = \"5s\", statements = 2");
    let client = connect(&tidegate, "app").await;
    let mut prepared = Vec::new();
    for n in 0..6_i32 {
        prepared.push((n, client.prepare(&format!("select {n} + $1::int")).await.unwrap()));
    }
    for _ in 0..3 {
        for (n, statement) in &prepared {
            let sum: i32 = client.query_one(statement, &[&1]).await.unwrap().get(0);
            assert_eq!(sum, n + 1);
        }
        prepared.reverse();
    }
    let rows: i64 = value(&client, "select count(*) from pg_prepared_statements").await;
    assert!(rows <= 2, "{rows} statements");
    // All in one batch, of more statements than are kept.
    let mut one = raw(&tidegate);
    let text = |n: usize| format!("select {n} + $1::int");
    let names: Vec<_> = (0..4).map(|n| format!("n{n}")).collect();
    let parses = names.iter().enumerate().map(|(n, name)| extended::parse(name, &text(n)));
    let executions = names.iter().map(|name| execute(name, &["1"]));
    let all: Vec<_> = parses.chain(executions).chain([extended::sync()]).collect();
    let wanted = format!("1 1 1 1 {} ZI", ["2 D CSELECT 1"; 4].join(" "));
    assert_eq!(ask(&mut one, &all), wanted);
}

#[tokio::test]
async fn what_is_deallocated_or_discarded_is_gone_for_its_session_only() {
    let (_server, tidegate) = start("max = 1, wait = \"5s\"");
    for gone in ["deallocate all", "discard all"] {
        let mut one = raw(&tidegate);
        let mut two = raw(&tidegate);
        for session in [&mut one, &mut two] {
            let prepare = [extended::parse("n", "select $1::int"), extended::sync()];
            assert_eq!(ask(session, &prepare), "1 ZI");
        }
        assert!(tags(&one.query(gone).unwrap()).ends_with("ZI"));
        let use_it = [execute("n", &["1"]), extended::sync()];
        assert_eq!(ask(&mut one, &use_it), "E26000 ZI", "{gone}");
        assert_eq!(ask(&mut two, &use_it), "2 D CSELECT 1 ZI", "{gone}");
        let prepare = [extended::parse("n", "select $1::int"), extended::sync()];
        assert_eq!(ask(&mut one, &prepare), "1 ZI", "{gone}");
        assert_eq!(ask(&mut one, &use_it), "2 D CSELECT 1 ZI", "{gone}");
    }
    // It knows the names of the protocol, too.
    let mut one = raw(&tidegate);
    let prepare = [extended::parse("n", "select $1::int"), extended::sync()];
    assert_eq!(ask(&mut one, &prepare), "1 ZI");
    assert_eq!(tags(&one.query("deallocate n").unwrap()), "CDEALLOCATE ZI");
    assert_eq!(ask(&mut one, &[execute("n", &["1"]), extended::sync()]), "E26000 ZI");
}

/// A statement whose preparation fails is not taken for prepared, here or there.
#[tokio::test]
async fn what_could_not_be_prepared_is_not_taken_for_prepared() {
    let (_server, tidegate) = start("max = 1, wait = \"5s\"");
    let mut one = raw(&tidegate);
    let wrong = [extended::parse("n", "select nothing from nowhere"), extended::sync()];
    for _ in 0..2 {
        assert_eq!(ask(&mut one, &wrong), "E42P01 ZI");
        assert_eq!(ask(&mut one, &[execute("n", &[]), extended::sync()]), "E26000 ZI");
    }
    let client = connect(&tidegate, "app").await;
    run(&client, "create table nowhere (nothing int)").await;
    assert_eq!(ask(&mut one, &wrong), "1 ZI");
    assert_eq!(ask(&mut one, &[execute("n", &[]), extended::sync()]), "2 CSELECT 0 ZI");
    // Behind an error, nothing of the batch is prepared.
    let batch = [
        extended::parse("a", "select 1/0"),
        execute("a", &[]),
        extended::parse("b", "select 2"),
        extended::sync(),
    ];
    assert_eq!(ask(&mut one, &batch), "1 E22012 ZI");
    assert_eq!(ask(&mut one, &[execute("b", &[]), extended::sync()]), "E26000 ZI");
    let stale = client.query_one("select 1 where $1", &[&true]).await.map(|_| ());
    assert!(stale.is_ok(), "{:?}", stale.map_err(|error| state(&error).to_owned()));
}
