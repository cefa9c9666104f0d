//! The hook that runs by itself.

use crate::harness::{TestHost, value, wait_for};

fn ticks(test: &TestHost) -> u64 {
    value(&test.ask("SELECT ticks")).parse().unwrap()
}

#[test]
fn it_ticks_and_publishes_through_the_store() {
    let test = TestHost::start(&[("ticking", "ticker", "")]);
    assert_eq!(test.status("ticking").hooks, ["lifecycle", "ticker", "sql-hooks"]);
    wait_for("three ticks", || ticks(&test) >= 3);
    assert!(test.metric("tidegate_plugin_ticks_total", &[("plugin", "ticking")]) >= 3.0);
}

#[test]
fn a_new_version_takes_over_the_ticking() {
    let test = TestHost::start(&[("ticking", "ticker", "")]);
    wait_for("a tick", || ticks(&test) >= 1);
    test.reload(|test| test.configure("ticking", "order = 1"));
    let before = ticks(&test);
    wait_for("more ticks", || ticks(&test) >= before + 3);
}

#[test]
fn it_ends_with_the_plugin() {
    let test = TestHost::start(&[("ending", "ticker", ""), ("going-on", "ticker", "")]);
    let counted = |plugin| test.metric("tidegate_plugin_ticks_total", &[("plugin", plugin)]);
    wait_for("a tick", || counted("ending") >= 1.0);
    test.reload(|test| test.remove("ending.wasm"));
    wait_for("the old generation to go", || test.host.live_generations() == 1);
    let (ended, going_on) = (counted("ending"), counted("going-on"));
    wait_for("the other to tick", || counted("going-on") >= going_on + 5.0);
    assert!(counted("ending") <= ended + 1.0, "one tick may have been under way");
}
