//! The plugins `query-rules` and `trace-id` in front of PostgreSQL.

use tidegate_tests::Tidegate;
use tidegate_tests::clients::Login;
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID};
use tokio_postgres::Client;

use super::servers::{answered_by, server_of, shared, split_config, try_first};
use super::support::{assert_unharmed, config, connect, run, state, tls, value};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn with_plugin(name: &str, config: &str) -> Tidegate {
    let setup = shared()
        .listener("query_log = { path = \"queries.log\" }")
        .sidecar(name, &format!("deadline = \"2s\"\non_failure = \"closed\"\n{config}"));
    Tidegate::start_with_plugins(setup, &[(name, name)])
}

#[tokio::test]
async fn rules_route_answer_rewrite_and_refuse() {
    let tidegate = with_plugin(
        "query-rules",
        r#"
        [[config.rules]]
        rule_id = 1
        match_digest = '^select .*current_setting'
        destination = "db/replica"

        [[config.rules]]
        rule_id = 2
        match_pattern = '^SET SESSION CHARACTERISTICS'
        OK_msg = ""

        [[config.rules]]
        rule_id = 3
        match_pattern = '(?s)^ECHO (.*)$'
        replace_pattern = "SELECT ${quote:1}"

        [[config.rules]]
        rule_id = 4
        match_digest = '^(delete from|update)\b'
        flagOUT = 1

        [[config.rules]]
        rule_id = 5
        flagIN = 1
        match_digest = '\bwhere\b'
        negate_match_pattern = true
        error_msg = "say which rows"

        [[config.rules]]
        rule_id = 6
        match_pattern = 'slow'
        timeout = "300ms"
        "#,
    );
    let client = connect(&tidegate, "app").await;
    assert_eq!(answered_by(&client).await, REPLICA_ID);
    assert_eq!(server_of(&client, "show cluster_name").await, PRIMARY_ID);
    run(&client, "set session characteristics as transaction read only").await;
    assert_eq!(value::<String>(&client, "show default_transaction_read_only").await, "off");
    run(&client, "create temp table t (a int)").await;
    run(&client, "delete from t where a = 1").await;
    let refused = client.batch_execute("delete from t /* where a = 1 */").await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().message(), "say which rows");
    assert_eq!(state(&refused), "42000");
    assert_eq!(state(&client.prepare("update t set a = $1").await.unwrap_err()), "42000");
    run(&client, "drop table t").await;
    for setting in ["on", "off"] {
        run(&client, &format!("set standard_conforming_strings = {setting}")).await;
        for text in
            ["", "it's", "'; drop table t; --", "\\", "a\\'b\\\\", "$$", "$a$", "ü € 😀", "?"]
        {
            let echo = format!("ECHO {text}");
            assert_eq!(
                try_first(&client, &echo).await.unwrap().as_deref(),
                Some(text),
                "{setting}"
            );
            assert_eq!(value::<String>(&client, &echo).await, text, "{setting}");
        }
    }
    let slow = client.batch_execute("select pg_sleep(600) /* slow */").await.unwrap_err();
    assert_eq!(state(&slow), "57014");
    assert_unharmed(&tidegate).await;
}

/// The trace id of the first statement in the log that contains this.
fn logged(tidegate: &Tidegate, part: &str) -> Option<String> {
    let entry = tidegate.wait_for_query("queries.log", &[part]);
    entry["trace_id"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn the_query_log_has_the_trace_of_each_statement() {
    let tidegate = with_plugin("trace-id", "[config]\nvariable = \"app.trace_id\"\n");
    let client = connect(&tidegate, "app").await;
    run(&client, &format!("select 1 as commented /*traceparent='{PARENT}'*/")).await;
    run(&client, "select 1 as nothing").await;
    run(&client, "set app.trace_id = 'job-7'").await;
    run(&client, "select 1 as afterwards").await;
    let prepared = client.prepare("select $1::int as prepared").await.unwrap();
    client.query_one(&prepared, &[&1]).await.unwrap();
    run(&client, "reset app.trace_id").await;
    run(&client, "select 1 as forgotten").await;
    for (part, trace) in [
        ("commented", Some(ID)),
        ("nothing", None),
        ("afterwards", Some("job-7")),
        ("prepared", Some("job-7")),
        ("forgotten", None),
    ] {
        assert_eq!(logged(&tidegate, part).as_deref(), trace, "{part}");
    }
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn the_name_of_the_application_is_a_trace() {
    let tidegate = with_plugin(
        "trace-id",
        "[config]\nvariable = \"application_name\"\nkeys = [\"application_name\"]\n",
    );
    let mut named = config(Login::app(tidegate.port(), "app"));
    named.application_name("job-9");
    let (client, connection) = named.connect(tls()).await.unwrap();
    tokio::spawn(connection);
    run(&client, "select 1 as from_login").await;
    run(&client, "set application_name = 'job-10'").await;
    run(&client, "select 1 as from_setting").await;
    assert_eq!(logged(&tidegate, "from_login").as_deref(), Some("job-9"));
    assert_eq!(logged(&tidegate, "from_setting").as_deref(), Some("job-10"));
}

#[tokio::test]
async fn the_server_sees_the_trace_in_a_comment() {
    let config = "[config]\nvariable = \"app.trace_id\"\ncomment = true\n";
    let tidegate = with_plugin("trace-id", config);
    let client = connect(&tidegate, "app").await;
    run(&client, "set app.trace_id = 'a/b'").await;
    let myself = "select query from pg_stat_activity where pid = pg_backend_pid()";
    async fn seen(client: &Client, statement: &str) -> String {
        try_first(client, statement).await.unwrap().unwrap()
    }
    for end in ["", ";", " -- the end", " ;  /* the end */"] {
        let seen = seen(&client, &format!("{myself}{end}")).await;
        assert!(seen.starts_with(&format!("{myself} /*app.trace_id='a%2Fb'*/")), "{seen}");
    }
    let own = format!("{myself} /*traceparent='{PARENT}'*/");
    assert_eq!(seen(&client, &own).await, own);
    run(&client, "reset app.trace_id").await;
    assert_eq!(seen(&client, myself).await, myself);
}

#[tokio::test]
async fn traced_statements_are_split() {
    let setup = shared()
        .sidecar("10-trace-id", "deadline = \"2s\"\n[config]\ngenerate = true\ncomment = true\n")
        .sidecar("20-read-write-split", &split_config("0s", ""));
    let plugins = [("10-trace-id", "trace-id"), ("20-read-write-split", "read-write-split")];
    let tidegate = Tidegate::start_with_plugins(setup, &plugins);
    let client = connect(&tidegate, "app").await;
    assert_eq!(answered_by(&client).await, REPLICA_ID);
    assert_eq!(server_of(&client, "select current_setting('cluster_name')").await, REPLICA_ID);
    run(&client, "begin").await;
    assert_eq!(answered_by(&client).await, PRIMARY_ID);
    run(&client, "commit").await;
    let temporary = "create temp table mine as select current_setting('cluster_name') a";
    run(&client, temporary).await;
    assert_eq!(server_of(&client, "select a from mine").await, PRIMARY_ID);
}
