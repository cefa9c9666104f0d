//! `docs/observability.md` is true and complete.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::{
    KindLabel, LoginResult, OutcomeLabel, PinReason, QueryLog, QueryLogEntry, SessionFailure,
    Telemetry, VerdictLabel, WaitFailure,
};

const PAGE: &str = include_str!("../../../docs/observability.md");

fn telemetry() -> Telemetry {
    let telemetry = Telemetry::new().unwrap();
    telemetry.listener("orders");
    telemetry.server("orders", "db:3306").set_lag(Some(Duration::ZERO));
    telemetry
}

/// The words in the first column of the page's tables.
fn rows() -> impl Iterator<Item = &'static str> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap())
}

#[test]
fn every_metric_stands_on_the_page_with_its_type_and_labels_and_an_example() {
    for family in telemetry().registry.gather() {
        let name = family.name();
        let start = format!("| `{name}` | {:?} |", family.get_field_type()).to_lowercase();
        let row = PAGE.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("no row starts with {start}"));
        for label in family.get_metric()[0].get_label().iter().map(|label| label.name()) {
            let common = ["listener", "upstream", "server"].contains(&label);
            assert!(common || row.contains(&format!("`{label}`")), "{name}: {label}");
        }
        let example =
            |line: &str| line.starts_with(name) && line[name.len()..].starts_with(['{', '_']);
        assert!(PAGE.lines().any(example), "{name} has no example");
    }
}

#[test]
fn the_page_names_no_metric_that_is_not_there() {
    let families = telemetry().registry.gather();
    let names: BTreeSet<_> = families.iter().map(|family| family.name()).collect();
    // The plugin host registers its own.
    let documented = rows().filter(|word| word.starts_with("tidegate_"));
    for name in documented.filter(|name| !name.starts_with("tidegate_plugin_")) {
        assert!(names.contains(name), "`{name}` is documented, but there is no such metric");
    }
}

#[test]
fn every_word_of_a_label_is_explained() {
    let words = [
        KindLabel::WORDS,
        OutcomeLabel::WORDS,
        LoginResult::WORDS,
        SessionFailure::WORDS,
        VerdictLabel::WORDS,
        PinReason::WORDS,
        WaitFailure::WORDS,
    ];
    for word in words.concat() {
        assert!(PAGE.contains(&format!("`{word}`")), "`{word}` is not explained");
    }
}

#[test]
fn the_fields_of_the_query_log_are_those_of_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queries.log");
    let telemetry = telemetry();
    let log = QueryLog::open(&path, &telemetry.listener("orders")).unwrap();
    log.record(&QueryLogEntry {
        time: SystemTime::now(),
        listener: "orders",
        session: 1,
        trace_id: Some("4bf92f"),
        idempotency_key: Some("order-7"),
        user: "app",
        client: "10.0.0.9:50123",
        database: Some("shop"),
        digest: 1,
        query: "select ?",
        kind: KindLabel::Read,
        target: Some("orders"),
        server: Some("10.0.0.1:3306"),
        rows: 1,
        duration: Duration::from_micros(1),
        outcome: OutcomeLabel::ServerError,
        error_code: 1146,
        verdict: Some(VerdictLabel::Next),
        plugin: Some("p"),
        tags: &[("a".to_owned(), "b".to_owned())],
    });
    drop(log);
    let line = std::fs::read_to_string(&path).unwrap();
    let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
    let written: BTreeSet<_> = line.keys().map(String::as_str).collect();
    let section = PAGE.split("## The query log").nth(1).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<_> = rows.map(|row| row.split('`').next().unwrap()).collect();
    assert_eq!(written, documented);
}
