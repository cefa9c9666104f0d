//! The plugin `trace-id` in front of real servers.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use tidegate_tests::clients::{Login, python};
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use crate::support::{assert_unharmed, connect, options, run, value};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn with_config(config: &str) -> Tidegate {
    let setup = Setup::single(&MariaDbPair::shared().primary)
        .listener("query_log = { path = \"queries.log\" }")
        .sidecar("trace-id", &format!("deadline = \"1s\"\n[config]\n{config}"));
    Tidegate::start_with_plugins(setup, &[("trace-id", "trace-id")])
}

/// The trace id of the first statement in the log that contains this.
fn logged(tidegate: &Tidegate, part: &str) -> Option<String> {
    let entry = tidegate.wait_for_query("queries.log", &[part]);
    entry["trace_id"].as_str().map(str::to_owned)
}

/// The text of the statement that asks, as the server has got it.
async fn as_the_server_sees_it(connection: &mut Conn, statement: &str) -> String {
    value(connection, statement).await
}

const MYSELF: &str = "select info from information_schema.processlist where id = connection_id()";

#[tokio::test]
async fn the_query_log_has_the_trace_of_each_statement() {
    let tidegate = with_config("");
    let mut app = connect(&tidegate, "").await;
    run(&mut app, &format!("select 1 as commented /*traceparent='{PARENT}'*/")).await;
    run(&mut app, "select 1 as nothing").await;
    run(&mut app, "set @trace_id = 'job-7'").await;
    run(&mut app, "select 1 as afterwards").await;
    let prepared = app.prep("select 1 as prepared, ?").await.unwrap();
    app.exec_drop(&prepared, (1,)).await.unwrap();
    run(&mut app, "set @trace_id = null").await;
    run(&mut app, "select 1 as forgotten").await;
    for (part, trace) in [
        ("commented", Some(ID)),
        ("nothing", None),
        ("afterwards", Some("job-7")),
        ("prepared", Some("job-7")),
        ("forgotten", None),
    ] {
        assert_eq!(logged(&tidegate, part).as_deref(), trace, "{part}");
    }
    assert_eq!(value::<Option<String>>(&mut app, "select @trace_id").await, None);
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn what_the_client_says_when_it_connects_counts() {
    let tidegate = with_config("");
    let login = options(Login::app(tidegate.port(), "")).connect_attribute("trace_id", "job-9");
    let mut app = Conn::new(Opts::from(login)).await.unwrap();
    run(&mut app, "select 1 as anything").await;
    assert_eq!(logged(&tidegate, "anything").as_deref(), Some("job-9"));
}

#[tokio::test]
async fn what_is_attached_to_a_statement_counts() {
    for mode in ["session", "transaction"] {
        let setup = Setup::pair(MariaDbPair::shared())
            .pool(&format!("{{ mode = \"{mode}\" }}"))
            // The client attaches nothing for older versions, nor for a MariaDB.
            .listener("server_version = \"9.1.0\"")
            .listener("query_log = { path = \"queries.log\" }")
            .sidecar("20-read-write-split", "[config]\nupstream = \"db\"")
            .sidecar("trace-id", "deadline = \"1s\"\n[config]\ncomment = true");
        let plugins = [("trace-id", "trace-id"), ("20-read-write-split", "read-write-split")];
        let tidegate = Tidegate::start_with_plugins(setup, &plugins);
        let login = Login::app(tidegate.port(), "");
        assert_eq!(python("attributes.py", login).trim(), "done");
        for client in ["pure", "native"] {
            assert_eq!(logged(&tidegate, &format!("text_{client}")).as_deref(), Some(ID));
            assert_eq!(logged(&tidegate, &format!("plain_{client}")), None);
            // The first line is of its preparation, which has nothing attached.
            let execution = [format!("prepared_{client}"), ID.to_owned()];
            let entry = tidegate.wait_for_query("queries.log", &execution.each_ref().map(|s| &**s));
            assert_eq!(entry["trace_id"], ID);
        }
        assert_unharmed(&tidegate).await;
    }
}

#[tokio::test]
async fn a_variable_that_tidegate_answers_never_reaches_a_server() {
    let tidegate = with_config("answer_variable = true");
    let mut app = connect(&tidegate, "").await;
    run(&mut app, "set @trace_id = 'job-8'").await;
    run(&mut app, "select 1 as afterwards").await;
    assert_eq!(logged(&tidegate, "afterwards").as_deref(), Some("job-8"));
    assert_eq!(value::<Option<String>>(&mut app, "select @trace_id").await, None);
}

#[tokio::test]
async fn the_server_sees_the_trace_in_a_comment() {
    let tidegate = with_config("comment = true\ngenerate = true");
    let mut app = connect(&tidegate, "").await;
    run(&mut app, "set @trace_id = 'a/b'").await;
    for end in ["", ";", " -- the end", " # the end", " ;  /* the end */"] {
        let seen = as_the_server_sees_it(&mut app, &format!("{MYSELF}{end}")).await;
        assert!(seen.starts_with(&format!("{MYSELF} /*trace_id='a%2Fb'*/")), "{seen}");
    }
    let own = format!("{MYSELF} /*traceparent='{PARENT}'*/");
    assert_eq!(as_the_server_sees_it(&mut app, &own).await, own);
    run(&mut app, "set @trace_id = null").await;
    let seen = as_the_server_sees_it(&mut app, MYSELF).await;
    assert!(seen.starts_with(&format!("{MYSELF} /*traceparent='00-")), "{seen}");
    assert_unharmed(&tidegate).await;
}
