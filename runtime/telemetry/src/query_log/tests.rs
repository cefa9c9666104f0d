use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use crate::{KindLabel, OutcomeLabel, Telemetry, VerdictLabel};

use super::entry::QUERY_MAX;
use super::*;

fn entry() -> QueryLogEntry<'static> {
    QueryLogEntry {
        time: UNIX_EPOCH + Duration::from_millis(1_767_225_600_123),
        listener: "orders",
        session: 7,
        trace_id: None,
        idempotency_key: None,
        user: "app",
        client: "10.0.0.9:50123",
        database: None,
        digest: 0x2a,
        query: "SELECT * FROM t WHERE id = ?",
        kind: KindLabel::Read,
        target: None,
        server: None,
        rows: 1,
        duration: Duration::from_micros(345),
        outcome: OutcomeLabel::Ok,
        error_code: 0,
        verdict: None,
        plugin: None,
        tags: &[],
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "no line is cut");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_bare_statement_has_only_what_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queries.log");
    let telemetry = Telemetry::new().unwrap();
    let log = QueryLog::open(&path, &telemetry.listener("orders")).unwrap();
    log.record(&entry());
    drop(log);
    let expected = json!({
        "ts": "2026-01-01T00:00:00.123Z", "listener": "orders", "session": 7, "user": "app",
        "client": "10.0.0.9:50123", "digest": "000000000000002a",
        "query": "SELECT * FROM t WHERE id = ?", "kind": "read", "rows": 1, "duration_us": 345,
        "outcome": "ok",
    });
    assert_eq!(lines(&path), [expected]);
}

#[test]
fn everything_that_is_known_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queries.log");
    let telemetry = Telemetry::new().unwrap();
    let log = QueryLog::open(&path, &telemetry.listener("orders")).unwrap();
    let tags = [("team".to_owned(), "billing".to_owned())];
    log.record(&QueryLogEntry {
        trace_id: Some("4bf92f"),
        idempotency_key: Some("order-7"),
        database: Some("shop"),
        target: Some("orders/replica"),
        server: Some("10.0.0.2:3306"),
        outcome: OutcomeLabel::ServerError,
        error_code: 1146,
        verdict: Some(VerdictLabel::Route),
        plugin: Some("read-write-split"),
        tags: &tags,
        ..entry()
    });
    drop(log);
    let lines = lines(&path);
    for (field, expected) in [
        ("trace_id", json!("4bf92f")),
        ("idempotency_key", json!("order-7")),
        ("database", json!("shop")),
        ("target", json!("orders/replica")),
        ("server", json!("10.0.0.2:3306")),
        ("outcome", json!("server_error")),
        ("error_code", json!(1146)),
        ("verdict", json!("route")),
        ("plugin", json!("read-write-split")),
        ("tags", json!({ "team": "billing" })),
    ] {
        assert_eq!(lines[0][field], expected, "{field}");
    }
}

#[test]
fn long_statements_are_cut_between_characters() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queries.log");
    let telemetry = Telemetry::new().unwrap();
    let log = QueryLog::open(&path, &telemetry.listener("orders")).unwrap();
    let query = "x".to_owned() + &"ö".repeat(QUERY_MAX);
    log.record(&QueryLogEntry { query: &query, ..entry() });
    drop(log);
    assert_eq!(lines(&path)[0]["query"].as_str().unwrap().len(), QUERY_MAX - 1);
}

#[test]
fn reopening_follows_a_moved_file_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (path, moved) = (directory.path().join("queries.log"), directory.path().join("old.log"));
    let telemetry = Telemetry::new().unwrap();
    let log = QueryLog::open(&path, &telemetry.listener("orders")).unwrap();
    log.record(&QueryLogEntry { session: 1, ..entry() });
    std::fs::rename(&path, &moved).unwrap();
    log.record(&QueryLogEntry { session: 2, ..entry() });
    log.reopen().unwrap();
    log.record(&QueryLogEntry { session: 3, ..entry() });
    drop(log);
    let sessions =
        |path| lines(path).iter().map(|line| line["session"].clone()).collect::<Vec<_>>();
    assert_eq!(sessions(&moved), [1, 2]);
    assert_eq!(sessions(&path), [3]);
}

#[test]
fn every_line_is_written_or_counted_as_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queries.log");
    let telemetry = Telemetry::new().unwrap();
    let metrics = telemetry.listener("orders");
    let log = QueryLog::open(&path, &metrics).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10_000).for_each(|_| log.record(&entry())));
        }
    });
    drop(log);
    let written = u64::try_from(lines(&path).len()).unwrap();
    assert!(written > 0, "what the buffers hold is written");
    assert_eq!(written + metrics.query_log_dropped().get(), 40_000);
}

#[test]
fn what_the_disk_refuses_is_counted() {
    let telemetry = Telemetry::new().unwrap();
    let metrics = telemetry.listener("orders");
    let log = QueryLog::open(Path::new("/dev/full"), &metrics).unwrap();
    log.record(&entry());
    drop(log);
    assert_eq!(metrics.query_log_dropped().get(), 1);
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let telemetry = Telemetry::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    QueryLog::open(&directory.path().join("no/queries.log"), &telemetry.listener("a")).unwrap_err();
}

#[test]
fn a_writer_that_has_fallen_asleep_is_woken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queries.log");
    let telemetry = Telemetry::new().unwrap();
    let log = QueryLog::open(&path, &telemetry.listener("orders")).unwrap();
    wait_until(|| log.shared.asleep.load(Ordering::Acquire));
    log.record(&entry());
    wait_until(|| lines(&path).len() == 1);
    wait_until(|| log.shared.asleep.load(Ordering::Acquire));
    log.record(&entry());
    wait_until(|| lines(&path).len() == 2);
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it did not happen within 20 s");
        std::thread::yield_now();
    }
}
