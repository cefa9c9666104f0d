//! Plugins that panic, loop, eat memory, and keep doing so.

use std::time::{Duration, Instant};

use tidegate_hook::Verdict;
use tidegate_plugin_host::PluginState;

use crate::harness::{TestHost, ask, rejection, session, tag, wait_for};
use crate::log::lines_of;

impl TestHost {
    fn failures(&self, plugin: &str, kind: &str) -> f64 {
        let labels = [("plugin", plugin), ("kind", kind)];
        self.metric("tidegate_plugin_failures_total", &labels)
    }
}

#[test]
fn a_panic_is_as_if_the_plugin_were_not_there() {
    let test = TestHost::start(&[("panicky", "trap", "")]);
    assert_eq!(test.ask("SELECT trap"), Verdict::default(), "what it said before is gone");
    assert_eq!(test.failures("panicky", "trap"), 1.0);
    let log = lines_of("panicky");
    assert!(log.iter().any(|line| line.contains("asked to trap by ann")), "{log:?}");
    assert!(log.iter().any(|line| line.contains("panicked (trap)")), "{log:?}");
}

#[test]
fn an_instance_that_panicked_is_replaced() {
    let test = TestHost::start(&[("panicky", "trap", "")]);
    let survived = || tag(&test.ask("SELECT 1"), "survived").unwrap().to_owned();
    assert_eq!([survived(), survived()], ["1", "2"]);
    test.ask("SELECT trap");
    assert_eq!([survived(), survived()], ["1", "2"], "a new instance counts from nothing");
    assert_eq!(test.status("panicky").state, PluginState::Live);
}

#[test]
fn a_plugin_that_must_not_be_passed_by_refuses() {
    let test = TestHost::start(&[("strict", "trap", "on_failure = 'closed'")]);
    let verdict = test.ask("SELECT trap");
    let why = rejection(&verdict);
    assert_eq!((why.code, why.sqlstate.as_str()), (1105, "HY000"));
    assert_eq!(why.message, "plugin strict failed; the statement was refused");
    assert_eq!(verdict.by.as_deref(), Some("strict"));
    assert!(verdict.annotations.is_none());
}

#[test]
fn the_rest_of_the_chain_goes_on_after_a_failure() {
    let to_orders = "[config]\ntarget = 'orders'";
    let test = TestHost::start(&[("10-panicky", "trap", ""), ("20-route", "route-all", to_orders)]);
    assert_eq!(test.ask("SELECT trap").by.as_deref(), Some("20-route"));
}

#[test]
fn a_loop_ends_at_the_deadline() {
    let test = TestHost::start(&[("looping", "looper", "")]);
    // The default, which an honest statement keeps even on a busy machine.
    test.reload(|test| test.write("looping.toml", b"deadline = \"5ms\""));
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    assert_eq!(test.failures("looping", "deadline"), 0.0);
    let started = Instant::now();
    assert_eq!(test.ask("SELECT loop"), Verdict::default());
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(4), "{took:?}");
    assert_eq!(test.failures("looping", "deadline"), 1.0);
    assert!(test.error("looping").contains("ran past its deadline"));
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    assert_eq!(test.failures("looping", "deadline"), 1.0);
}

#[test]
fn memory_is_capped() {
    let test = TestHost::start(&[("growing", "grower", "memory = '8MiB'")]);
    for _ in 0..3 {
        test.ask("SELECT keep");
    }
    let kept = test.status("growing").memory_high_water;
    assert!((4 << 20..8 << 20).contains(&kept), "{kept}");
    assert_eq!(test.ask("SELECT grow"), Verdict::default());
    assert_eq!(test.failures("growing", "memory"), 1.0);
    let high_water = test.status("growing").memory_high_water;
    assert!((7 << 20..=8 << 20).contains(&high_water), "{high_water}");
    assert_eq!(test.ask("SELECT keep"), Verdict::default(), "the next instance has room");
    assert_eq!(test.failures("growing", "memory"), 1.0);
}

#[test]
fn a_crash_loop_is_left_alone_and_tried_again() {
    let test = TestHost::start(&[("crashing", "trap", "")]);
    let mut ann = session("ann");
    wait_for("the crash loop to be noticed", || {
        ask(&*test.host, &mut ann, "SELECT trap");
        test.status("crashing").state == PluginState::Degraded
    });
    assert_eq!(test.metric("tidegate_plugin_degraded", &[("plugin", "crashing")]), 1.0);
    assert!(lines_of("crashing").iter().any(|line| line.contains("is left alone")));
    wait_for("a call that works", || {
        tag(&ask(&*test.host, &mut ann, "SELECT 1"), "survived").is_some()
    });
    assert_eq!(test.status("crashing").state, PluginState::Live);
    assert!(lines_of("crashing").iter().any(|line| line.contains("it works again")));
}

#[test]
fn a_plugin_that_is_left_alone_is_not_called_and_may_still_refuse() {
    let test = TestHost::start(&[("crashing", "trap", "on_failure = 'closed'")]);
    let mut ann = session("ann");
    // Each failed try doubles the back-off, so that it is soon long enough for what follows.
    wait_for("a long back-off", || {
        rejection(&ask(&*test.host, &mut ann, "SELECT trap"));
        test.status("crashing").failures >= 9
    });
    let calls = test.status("crashing").calls;
    assert_eq!(rejection(&ask(&*test.host, &mut ann, "SELECT 1")).code, 1105);
    assert_eq!(test.status("crashing").calls, calls);
}

#[test]
fn a_new_version_is_given_a_new_chance() {
    let test = TestHost::start(&[("crashing", "trap", "")]);
    wait_for("a long back-off", || {
        test.ask("SELECT trap");
        test.status("crashing").failures >= 9
    });
    test.reload(|test| test.configure("crashing", "order = 1"));
    assert_eq!(tag(&test.ask("SELECT 1"), "survived"), Some("1"));
}
