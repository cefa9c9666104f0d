//! The plugin `query-rules` in front of real servers.

use mysql_async::prelude::Queryable as _;
use tidegate_tests::clients::Login;
use tidegate_tests::server::{PRIMARY_ID, REPLICA_ID};
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use crate::support::{
    answered_by, assert_unharmed, connect, run, server_error, try_connect, value,
};

const LOGGED: &str = "query_log = { path = \"queries.log\" }";

fn with_rules(rules: &str) -> Tidegate {
    with_setup(|_| rules.to_owned())
}

fn with_setup(rules: impl FnOnce(&Setup) -> String) -> Tidegate {
    let setup = Setup::pair(MariaDbPair::shared()).listener(LOGGED);
    let sidecar = format!("deadline = \"1s\"\non_failure = \"closed\"\n{}", rules(&setup));
    let setup = setup.sidecar("query-rules", &sidecar);
    Tidegate::start_with_plugins(setup, &[("query-rules", "query-rules")])
}

#[tokio::test]
async fn statements_go_by_port_user_schema_and_digest() {
    let tidegate = with_setup(|setup| {
        format!(
            r#"
            [[config.rules]]
            rule_id = 1
            proxy_port = {}
            destination = "db/primary"

            [[config.rules]]
            rule_id = 2
            username = "ro"
            client_addr = "127.0.0.%"
            destination = "db/replica"

            [[config.rules]]
            rule_id = 3
            schemaname = "mysql"
            match_digest = '^select @@server_id'
            destination = "db/replica"
            log = true

            [[config.rules]]
            rule_id = 4
            proxy_port = 1
            error_msg = "never"
            "#,
            setup.port()
        )
    });
    let mut app = connect(&tidegate, "").await;
    assert_eq!(answered_by(&mut app).await, PRIMARY_ID);
    run(&mut app, "use mysql").await;
    assert_eq!(answered_by(&mut app).await, REPLICA_ID);
    assert_eq!(value::<u32>(&mut app, "select 1 + @@server_id").await, 1 + PRIMARY_ID);
    let prepared = app.prep("select @@server_id, ?").await.unwrap();
    let answer: Option<(u32, u32)> = app.exec_first(&prepared, (7,)).await.unwrap();
    assert_eq!(answer, Some((REPLICA_ID, 7)));
    let login = Login { user: "ro", password: "ropw", ..Login::app(tidegate.port(), "") };
    let mut ro = try_connect(login).await.unwrap();
    assert_eq!(answered_by(&mut ro).await, REPLICA_ID);
    let entry = tidegate.wait_for_query("queries.log", &["\"database\":\"mysql\"", "@@server_id"]);
    assert_eq!(entry["tags"]["rules"], "1,3", "{entry}");
    assert_eq!(entry["plugin"], "query-rules", "{entry}");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn statements_are_answered_and_refused() {
    let tidegate = with_rules(
        r#"
        [[config.rules]]
        rule_id = 1
        match_pattern = '^SET SESSION TRANSACTION READ ONLY'
        OK_msg = "as you wish"

        [[config.rules]]
        rule_id = 2
        match_digest = '^(delete from|update)\b'
        flagOUT = 1

        [[config.rules]]
        rule_id = 3
        flagIN = 1
        match_digest = '\bwhere\b'
        negate_match_pattern = true
        error_msg = "say which rows"
        "#,
    );
    let mut app = connect(&tidegate, "").await;
    run(&mut app, "set session transaction read only").await;
    assert_eq!((app.affected_rows(), app.info().into_owned()), (0, "as you wish".to_owned()));
    assert_eq!(value::<u8>(&mut app, "select @@tx_read_only").await, 0);
    run(&mut app, "create or replace temporary table app.t (a int)").await;
    run(&mut app, "delete from app.t where a = 1").await;
    let error = app.query_drop("delete from app.t /* where a = 1 */").await.unwrap_err();
    assert_eq!(server_error(&error), (1148, "say which rows"));
    let mysql_async::Error::Server(error) = error else { panic!("{error}") };
    assert_eq!(error.state, "42000");
    let prepared = app.prep("update app.t set a = ?").await.unwrap_err();
    assert_eq!(server_error(&prepared), (1148, "say which rows"));
}

/// Whatever a text holds, a literal made of it is that text, in every mode of the session.
#[tokio::test]
async fn what_is_quoted_comes_back_as_it_was() {
    let tidegate = with_rules(
        r#"
        [[config.rules]]
        rule_id = 1
        match_pattern = '(?s)^ECHO (.*)$'
        replace_pattern = "SELECT ${quote:1}"
        "#,
    );
    let mut app = connect(&tidegate, "").await;
    for mode in ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"] {
        run(&mut app, &format!("set session sql_mode = '{mode}'")).await;
        for text in [
            "",
            "it's",
            "''",
            "'; DROP TABLE t; -- ",
            "\\",
            "\\' OR 1=1 -- ",
            "a\\\\'b\\",
            "\"quoted\" `names`",
            "line\nline\r\n\ttab \0 nul \u{1a} sub",
            "ü € 😀 \\ü",
            "/* comment */ # -- ?",
            "%_\\%\\_",
        ] {
            assert_eq!(value::<String>(&mut app, &format!("ECHO {text}")).await, text, "{mode}");
        }
        let long = "x'\\".repeat(15_000);
        assert_eq!(value::<String>(&mut app, &format!("ECHO {long}")).await, long, "{mode}");
    }
    let error = app.query_drop(format!("ECHO {}", "x".repeat(70_000))).await.unwrap_err();
    assert!(server_error(&error).1.contains("longer than 64 KiB"), "{error}");
    let error = app.query_drop(b"ECHO caf\xe9".as_slice()).await.unwrap_err();
    assert!(server_error(&error).1.contains("not all UTF-8"), "{error}");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn rules_that_are_wrong_leave_the_others_in_force() {
    let tidegate = with_rules("config.rules = [{ rule_id = 1, destination = 'db/replica' }]");
    let mut app = connect(&tidegate, "").await;
    assert_eq!(answered_by(&mut app).await, REPLICA_ID);
    let wrong = "config.rules = [{ rule_id = 7, destination = 'db/primary', ok_msg = 'x' }]";
    tidegate.write_sidecar("query-rules", wrong);
    tidegate.wait_for_log(&["rules.rule_id=7.ok_msg", "did you mean \"OK_msg\"?"]);
    assert_eq!(answered_by(&mut app).await, REPLICA_ID);
}
