//! A primary that dies under sessions which do all sorts of work, with every plugin in place.

use std::time::Instant;

use tidegate_tests::{PostgresPair, Setup, Tidegate};

use super::load::{Load, Work};
use super::servers::{TRANSACTION, split, split_config, wait_for_promotion};
use super::support::{assert_unharmed, connect, run};
use crate::routing::router_config;

/// Every sample plugin in front of a primary and its replica.
pub(crate) fn with_all_plugins(setup: Setup, sticky: &str) -> Tidegate {
    let deadline = "deadline = \"2s\"\n";
    let rules = "[[config.rules]]\nrule_id = 1\nmatch_pattern = '^insert'\nlog = true\n";
    let setup = setup
        .listener("query_log = { path = \"queries.log\" }")
        .sidecar("10-trace-id", &format!("{deadline}[config]\ngenerate = true\n"))
        .sidecar("20-user-router", &format!("{deadline}{}", router_config()))
        .sidecar("30-query-rules", &format!("{deadline}[config]\n{rules}"))
        .sidecar("40-read-write-split", &split_config(sticky, ""));
    let plugins = [
        ("10-trace-id", "trace-id"),
        ("20-user-router", "user-router"),
        ("30-query-rules", "query-rules"),
        ("40-read-write-split", "read-write-split"),
    ];
    Tidegate::start_with_plugins(setup, &plugins)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_promoted_for_a_dead_primary_takes_the_writes() {
    let mut pair = PostgresPair::start();
    let tidegate = with_all_plugins(Setup::discovering(&pair).pool(TRANSACTION), "0s");
    let works = [Work::Insert, Work::Execute, Work::Transaction, Work::Read].repeat(3);
    let load = Load::start(&tidegate, &works).await;
    load.progress(25);
    pair.primary.kill();
    let killed = Instant::now();
    // What was acknowledged and has not arrived is lost with the primary, whoever stands before it.
    pair.promote();
    wait_for_promotion(&tidegate, &pair.replica);
    load.progress(25);
    let took = killed.elapsed();
    let report = load.stop().await;
    eprintln!("everybody works again after {took:?}\n{report}");
    // What was on its way when the primary died may have been carried out or not: 08006. Where there
    // was no primary: 57P03.
    for work in [Work::Insert, Work::Execute] {
        report.assert_only(work, &["08006", "57P03"]);
        assert!(report.done(work) >= 150, "{report}");
    }
    // A session whose transaction is lost ends, so that it cannot go on as if nothing were.
    report.assert_only(Work::Transaction, &["08006", "57P03", "ended"]);
    // Where nothing is written, nobody needs a primary.
    report.assert_only(Work::Read, &[]);
    assert!(report.errors("08006") <= 18, "{report}");
    let ask = |statement: &str| pair.replica.query(&format!("\\connect app\n{statement}"));
    let halves = "select count(*) from (select writer, n from written where part > 0 \
                  group by writer, n having count(*) <> 2) as halves";
    assert_eq!(ask(halves).trim(), "0", "transactions are stored whole");
    let twice = "select count(*) from (select writer, n, part from written \
                 group by writer, n, part having count(*) > 1) as twice";
    assert_eq!(ask(twice).trim(), "0", "nothing is carried out twice");
    // Nor does it take over when it comes back as it was.
    pair.primary.start_again();
    tidegate.wait_for_log(&["a second server can be written to", &pair.primary.address()]);
    let client = connect(&tidegate, "app").await;
    run(&client, "insert into written values (99, 0, 0)").await;
    assert_eq!(ask("select n from written where writer = 99").trim(), "0");
    assert_unharmed(&tidegate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_under_load_loses_nothing() {
    let mut pair = PostgresPair::start();
    let tidegate = split(Setup::discovering(&pair).pool(TRANSACTION), "");
    let load =
        Load::start(&tidegate, &[Work::Insert, Work::Execute, Work::Insert, Work::Read]).await;
    load.progress(25);
    pair.switch_over();
    wait_for_promotion(&tidegate, &pair.replica);
    load.progress(25);
    let report = load.stop().await;
    eprintln!("{report}");
    for work in [Work::Insert, Work::Execute] {
        // The server says that it goes, or closes; and then there is none for a while.
        report.assert_only(work, &["57P01", "08006", "57P03"]);
    }
    report.assert_only(Work::Read, &[]);
    let rows = pair.replica.query("\\connect app\nselect count(*) from written");
    let rows: u32 = rows.trim().parse().unwrap();
    let acknowledged = report.done(Work::Insert) + report.done(Work::Execute);
    let unknown = report.errors("08006") + report.errors("57P01");
    assert!((acknowledged..=acknowledged + unknown).contains(&rows), "{rows} rows\n{report}");
    assert_unharmed(&tidegate).await;
}
