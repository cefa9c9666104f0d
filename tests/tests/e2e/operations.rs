//! What an operator sees: checks, health, metrics, logs.

use std::fs;
use std::process::Output;

use mysql_async::prelude::Queryable as _;
use tidegate_tests::server::PRIMARY_ID;
use tidegate_tests::setup::{LISTENER, UPSTREAM};
use tidegate_tests::tidegate::command;
use tidegate_tests::{MariaDb, MariaDbPair, PATIENCE, Scratch, Setup, Tidegate, wait_for};

use crate::support::{assert_unharmed, connect, run, value};

/// `EX_CONFIG` of sysexits.
const BAD_CONFIGURATION: i32 = 78;

/// Writes a setup into a folder and lets `tidegate check` look at it.
fn check(setup: &Setup, change: impl Fn(String) -> String) -> (Output, String) {
    let folder = Scratch::new();
    setup.write(folder.path());
    let file = folder.path().join("tidegate.toml");
    fs::write(&file, change(setup.text())).unwrap();
    let output = command().args(["check", "--config"]).arg(&file).output().unwrap();
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output, said)
}

fn setup() -> Setup {
    Setup::new(&[("127.0.0.1:3306".to_owned(), "primary")])
}

#[test]
fn a_good_configuration_passes_the_check() {
    let (output, said) = check(&setup(), |text| text);
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_mistake_is_shown_with_file_line_key_and_the_nearest_valid_key() {
    let (output, said) = check(&setup(), |text| text.replace("pool = {", "pol = {"));
    assert_eq!(output.status.code(), Some(BAD_CONFIGURATION), "{said}");
    let line = 1 + setup().text().lines().position(|line| line.starts_with("pool")).unwrap();
    for part in [&format!("tidegate.toml:{line}:"), "pol", "`pool`"] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn all_mistakes_are_shown_at_once_and_no_password_among_them() {
    let (output, said) = check(&setup(), |text| {
        text.replace("wait = \"5s\"", "wait = \"soon\"")
            .replace("source = \"config\"", "source = \"confg\"")
    });
    assert_eq!(output.status.code(), Some(BAD_CONFIGURATION));
    for part in ["soon", "confg", "`config`"] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains("apppw"), "{said}");
    let (output, said) = check(&setup(), |_| "this is [not TOML".to_owned());
    assert_eq!(output.status.code(), Some(BAD_CONFIGURATION));
    assert!(said.contains("tidegate.toml:1:"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = command().args(["check", "--config", "no-such-file.toml"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(BAD_CONFIGURATION), "{said}");
    assert!(said.contains("no-such-file.toml"), "{said}");
}

#[test]
fn run_refuses_a_bad_configuration_in_the_same_words() {
    let folder = Scratch::new();
    setup().write(folder.path());
    let file = folder.path().join("tidegate.toml");
    fs::write(&file, setup().text().replace("[admin]", "[admn]")).unwrap();
    let output = command().args(["run", "--config"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(BAD_CONFIGURATION), "{said}");
    assert!(said.contains("tidegate.toml:1:") && said.contains("`admin`"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Scratch::new();
    setup().write(folder.path());
    let own = format!("127.0.0.1:{}", setup().admin_port());
    let text = setup().text();
    let old = text.lines().nth(1).unwrap().to_owned();
    assert!(old.contains("bind"), "{own} {old}");
    fs::write(
        folder.path().join("tidegate.toml"),
        text.replacen(&old, &format!("bind = {address:?}"), 1),
    )
    .unwrap();
    let output = command()
        .args(["run", "--config", "tidegate.toml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&address), "{said}");
}

#[test]
fn health_follows_the_servers() {
    let mut server = MariaDb::start();
    let tidegate = Tidegate::start(Setup::single(&server).account().quick_probes());
    let admin = tidegate.admin();
    assert_eq!(admin.status("/livez"), Some(200));
    assert_eq!(admin.status("/readyz"), Some(200));
    assert_eq!(admin.status("/nowhere"), Some(404));
    server.kill();
    admin.wait_for_status("/readyz", 503, PATIENCE);
    let why = admin.get("/readyz").unwrap().body;
    assert!(why.contains(UPSTREAM), "{why}");
    assert_eq!(admin.status("/livez"), Some(200), "a proxy without servers is alive");
    server.start_again();
    admin.wait_for_status("/readyz", 200, PATIENCE);
}

#[tokio::test]
async fn metrics_count_what_happened() {
    // Without a plugin nothing reads statements, and their kind is unknown.
    let setup = Setup::single(&MariaDbPair::shared().primary);
    let tidegate = Tidegate::start_with_plugins(setup, &[("noop", "noop")]);
    let listener = format!("listener=\"{LISTENER}\"");
    let mut connection = connect(&tidegate, "").await;
    for _ in 0..7 {
        assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    }
    assert!(connection.query_drop("select * from missing.missing").await.is_err());
    let admin = tidegate.admin();
    let reads = [listener.as_str(), "kind=\"read\"", "outcome=\"ok\""];
    admin.wait_for_metric("tidegate_statements_total", &reads, |n| n > 6.5);
    admin.wait_for_metric("tidegate_statements_total", &["outcome=\"server_error\""], |n| n > 0.5);
    assert!(admin.metric("tidegate_sessions", &[&listener]) > 0.5);
    assert!(admin.metric("tidegate_logins_total", &["result=\"ok\""]) > 0.5);
    let upstream = format!("upstream=\"{UPSTREAM}\"");
    assert!(admin.metric("tidegate_server_connects_total", &[&upstream, "result=\"ok\""]) > 0.5);
    assert!(admin.metric("tidegate_server_up", &[&upstream]) > 0.5);
    connection.disconnect().await.unwrap();
    admin.wait_for_metric("tidegate_sessions", &[&listener], |open| open < 0.5);
    let metrics = admin.get("/metrics").unwrap();
    assert!(metrics.head.to_lowercase().contains("content-type: text/plain"), "{}", metrics.head);
    let foreign = metrics.body.lines().find(|line| {
        !line.starts_with('#') && !line.starts_with("tidegate_") && !line.starts_with("process_")
    });
    assert_eq!(foreign, None);
}

#[tokio::test]
async fn the_query_log_tells_each_statement_without_its_literals() {
    let setup = Setup::pair(MariaDbPair::shared())
        .listener("query_log = { path = \"queries.log\" }")
        .sidecar(
            "route-all",
            &format!("[config]\ntarget = \"{UPSTREAM}/primary\"\nversion = \"7\"\n"),
        );
    let tidegate = Tidegate::start_with_plugins(setup, &[("route-all", "route-all")]);
    let mut connection = connect(&tidegate, "mysql").await;
    run(&mut connection, "select 'hunter2' union all select 'x'").await;
    assert!(
        connection.query_drop("select * from missing where password = 'hunter2'").await.is_err()
    );
    let log = tidegate.folder().join("queries.log");
    let entry = |part: &str| {
        wait_for(&format!("{part} in the query log"), || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            assert!(!text.contains("hunter2"), "a literal is in the log:\n{text}");
            let line = text.lines().find(|line| line.contains(part))?;
            Some(serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        })
    };
    let good = entry("\"rows\":2");
    let primary = MariaDbPair::shared().primary.address();
    for (key, expected) in [
        ("listener", LISTENER),
        ("user", "app"),
        ("database", "mysql"),
        ("kind", "read"),
        ("outcome", "ok"),
        ("verdict", "route"),
        ("plugin", "route-all"),
        ("target", "db/primary"),
        ("server", &primary),
    ] {
        assert_eq!(good[key], expected, "{key} of {good}");
    }
    assert_eq!(good["tags"]["version"], "7", "{good}");
    for key in ["ts", "session", "client", "digest", "query", "duration_us"] {
        assert!(!good[key].is_null(), "{key} of {good}");
    }
    let bad = entry("server_error");
    assert_eq!(bad["error_code"], 1146, "{bad}");
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_query_log_that_was_moved_away_is_opened_anew_on_sighup() {
    let setup = Setup::single(&MariaDbPair::shared().primary)
        .listener("query_log = { path = \"queries.log\" }");
    let mut tidegate = Tidegate::start(setup);
    let log = tidegate.folder().join("queries.log");
    let has = |text: &str| fs::read_to_string(&log).is_ok_and(|lines| lines.contains(text));
    let mut connection = connect(&tidegate, "").await;
    run(&mut connection, "select 1 as before_the_move").await;
    wait_for("the first line", || has("before_the_move").then_some(()));
    fs::rename(&log, log.with_extension("old")).unwrap();
    tidegate.hang_up();
    wait_for("a new file", || log.exists().then_some(()));
    run(&mut connection, "select 1 as after_the_move").await;
    wait_for("a line in the new file", || has("after_the_move").then_some(()));
    assert!(!has("before_the_move"), "the old file was copied");
}

#[tokio::test]
async fn the_admin_port_tells_how_each_plugin_is_doing() {
    let setup = Setup::single(&MariaDbPair::shared().primary);
    let tidegate =
        Tidegate::start_with_plugins(setup, &[("10-noop", "noop"), ("20-reply", "reply")]);
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    tidegate.write_plugin_file("30-broken.wasm", b"this is not WebAssembly");
    let plugins = wait_for("the broken plugin to be listed", || {
        let body = tidegate.admin().get("/plugins").unwrap().body;
        let plugins: Vec<serde_json::Value> = serde_json::from_str(&body).expect("a JSON list");
        (plugins.len() == 3).then_some(plugins)
    });
    let of = |name: &str| plugins.iter().find(|plugin| plugin["name"] == name).unwrap();
    assert_eq!(
        (&of("10-noop")["state"], &of("30-broken")["state"]),
        (&"live".into(), &"failed".into())
    );
    assert!(of("10-noop")["calls"].as_u64() >= Some(1), "{plugins:?}");
    assert!(!of("30-broken")["last_error"].as_str().unwrap_or_default().is_empty());
}

#[tokio::test]
async fn json_logs_are_json() {
    let setup = Setup::single(&MariaDbPair::shared().primary)
        .top("[log]\nformat = \"json\"\nlevel = \"debug\"\n");
    let tidegate = Tidegate::start(setup);
    let mut connection = connect(&tidegate, "").await;
    assert_eq!(crate::support::answered_by(&mut connection).await, PRIMARY_ID);
    let log = tidegate.log();
    assert!(!log.is_empty());
    for line in log {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&line);
        assert!(parsed.is_ok(), "{line}");
    }
}

#[test]
fn help_names_every_command() {
    let help = command().arg("--help").output().unwrap();
    let text = String::from_utf8_lossy(&help.stdout);
    for name in ["run", "check"] {
        assert!(text.contains(name), "{text}");
    }
    let version = command().arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("tidegate "));
}

#[tokio::test]
async fn the_query_log_shows_what_plugins_have_noted() {
    let setup =
        Setup::pair(MariaDbPair::shared()).listener("query_log = { path = \"queries.log\" }");
    let tidegate = Tidegate::start_with_plugins(setup, &[("annotate", "annotate")]);
    let mut connection = connect(&tidegate, "").await;
    run(&mut connection, "select 1").await;
    let log = tidegate.folder().join("queries.log");
    let entry = wait_for("a line with a trace id", || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let line = text.lines().find(|line| line.contains("trace_id"))?.to_owned();
        Some(serde_json::from_str::<serde_json::Value>(&line).expect("JSON"))
    });
    assert_eq!(entry["trace_id"], "4bf92f", "{entry}");
    assert_eq!(entry["idempotency_key"], "order-7", "{entry}");
}
