//! Files change; sessions notice nothing but the new decisions.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tidegate_hook::{Hooked, Hooks, ListenerId, Verdict, set_current_worker};
use tidegate_plugin_host::PluginState;

use crate::harness::{PATIENT, TestHost, ask, component, session, tag, target, value, wait_for};
use crate::log::lines_of;

fn to(target: &str) -> String {
    format!("[config]\ntarget = '{target}'")
}

fn version(number: usize) -> String {
    format!("[config]\ntarget = 'orders'\nversion = '{number}'")
}

#[test]
fn a_plugin_comes_changes_and_goes() {
    let test = TestHost::start(&[]);
    test.configure("route", &to("orders"));
    test.reload(|test| test.drop_in("route", "route-all"));
    assert_eq!(test.host.wanted(ListenerId(0)), Hooked::SQL);
    assert_eq!(test.ask("SELECT 1").target, target("orders"));
    test.reload(|test| test.configure("route", &to("users")));
    assert_eq!(test.ask("SELECT 1").target, target("users"));
    assert_eq!(test.status("route").version, 2);
    test.reload(|test| test.remove("route.wasm"));
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    assert_eq!(test.host.wanted(ListenerId(0)), Hooked::empty());
    test.reload(|test| test.drop_in("route", "noop"));
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    assert_eq!(test.host.wanted(ListenerId(0)), Hooked::SQL);
}

#[test]
fn a_file_that_is_written_in_place_is_taken_when_it_is_whole() {
    let test = TestHost::start(&[("growing", "route-all", &to("orders"))]);
    let whole = std::fs::read(component("noop")).unwrap();
    let (start, rest) = whole.split_at(whole.len() / 2);
    std::fs::write(test.path("growing.wasm"), start).unwrap();
    wait_for("the half file to be tried", || test.error("growing").contains("does not compile"));
    assert_eq!(test.ask("SELECT 1").target, target("orders"), "the old version serves");
    assert_eq!(test.status("growing").state, PluginState::Live);
    test.reload(|test| {
        use std::io::Write;
        let file = std::fs::OpenOptions::new().append(true).open(test.path("growing.wasm"));
        file.unwrap().write_all(rest).unwrap();
    });
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    assert_eq!(test.status("growing").last_error, None);
}

#[test]
fn what_cannot_be_used_is_said_once_and_changes_nothing() {
    let test = TestHost::start(&[("steady", "route-all", &to("orders"))]);
    let generation = test.host.generation();
    test.write("steady.wasm", b"\0asm\x01\0\0\0");
    wait_for("the file to be tried", || test.error("steady").contains("core module"));
    // Written again, and looked at again: nothing has changed.
    test.write("steady.wasm", b"\0asm\x01\0\0\0");
    test.write("other.txt", b"");
    wait_for("a later change to be seen", || {
        test.write("later.wasm", b"");
        test.host.status().iter().any(|status| status.name == "later")
    });
    let said = lines_of("steady").iter().filter(|line| line.contains("core module")).count();
    assert_eq!(said, 1);
    assert_eq!(test.host.generation(), generation);
    assert_eq!(test.ask("SELECT 1").target, target("orders"));
    assert!(test.metric("tidegate_plugin_reloads_total", &[("result", "failed")]) >= 1.0);
}

#[test]
fn init_that_refuses_keeps_the_old_version() {
    let test = TestHost::start(&[("picky", "refuse-init", "")]);
    test.configure("picky", "[config]\nreason = 'bad weather'");
    wait_for("the refusal", || test.error("picky").contains("bad weather"));
    let status = test.status("picky");
    assert_eq!((status.state, status.version), (PluginState::Live, 1));
    test.ask("SELECT 1");
    assert_eq!(test.status("picky").calls, 1);
}

#[test]
fn what_changes_together_goes_live_together() {
    let test = TestHost::start(&[("one", "route-all", &to("orders")), ("two", "noop", "")]);
    let generation = test.host.generation();
    test.write("two.wasm", b"broken");
    test.configure("one", &to("users"));
    wait_for("the broken file to be tried", || test.error("two").contains("not WebAssembly"));
    // Had the two been seen apart, the first would have been published by itself.
    if test.host.generation() == generation {
        assert_eq!(test.ask("SELECT 1").target, target("orders"));
    }
    // What is known to be broken does not hold up what comes later.
    test.reload(|test| test.configure("one", &to("users/replica")));
    assert_eq!(test.ask("SELECT 1").target, target("users/replica"));
    assert_eq!(test.status("two").state, PluginState::Live, "its old version serves");
}

#[test]
fn unchanged_plugins_keep_their_instances() {
    let test = TestHost::start(&[("kept", "trap", ""), ("other", "noop", "")]);
    set_current_worker(0);
    assert_eq!(tag(&test.ask("SELECT 1"), "survived"), Some("1"));
    test.reload(|test| test.configure("other", "order = 5"));
    assert_eq!(tag(&test.ask("SELECT 1"), "survived"), Some("2"));
    assert_eq!((test.status("kept").version, test.status("other").version), (1, 2));
}

#[test]
fn the_store_survives_a_reload() {
    let test = TestHost::start(&[("counting", "kv", "")]);
    assert_eq!(value(&test.ask("SELECT 'count'")), "1");
    test.reload(|test| test.configure("counting", "order = 1"));
    assert_eq!(value(&test.ask("SELECT 'count'")), "2");
    test.reload(|test| test.remove("counting.wasm"));
    test.reload(|test| test.drop_in("counting", "kv"));
    assert_eq!(value(&test.ask("SELECT 'count'")), "3", "it was gone for a moment only");
}

#[test]
fn swaps_under_load_lose_no_statement() {
    const SWAPS: usize = 40;
    let test = TestHost::start(&[("swapped", "route-all", &version(0)), ("also", "noop", "")]);
    let (stop, most_live, asked) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for worker in 0..2 {
            let (test, stop, most_live, asked) = (&test, &stop, &most_live, &asked);
            scope.spawn(move || {
                set_current_worker(worker);
                let (mut ann, mut newest) = (session("ann"), 0);
                while !stop.load(Ordering::Relaxed) {
                    let verdict = ask(&*test.host, &mut ann, "SELECT 1");
                    let version: usize = tag(&verdict, "version").unwrap().parse().unwrap();
                    assert!(version >= newest, "{version} after {newest}");
                    newest = version;
                    most_live.fetch_max(test.host.live_generations(), Ordering::Relaxed);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 1..=SWAPS {
            test.reload(|test| test.configure("swapped", &version(number)));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(tag(&test.ask("SELECT 1"), "version"), Some(SWAPS.to_string().as_str()));
    assert!(most_live.load(Ordering::Relaxed) <= 2);
    assert!(asked.load(Ordering::Relaxed) > SWAPS);
    let status = test.status("swapped");
    assert_eq!((status.failures, status.version), (0, 1 + SWAPS as u64));
    wait_for("the old generation to go", || test.host.live_generations() == 1);
    assert_eq!(test.status("also").version, 1);
}

#[test]
fn hidden_and_unfinished_files_are_not_looked_at() {
    let test = TestHost::start(&[("noop", "noop", "")]);
    let generation = test.host.generation();
    for name in [".noop.wasm", "noop.wasm~", "noop.wasm.tmp", "noop.wasm.part", "lonely.toml"] {
        std::fs::write(test.path(name), "x").unwrap();
    }
    // The next generation has been made of all that is there.
    test.reload(|test| test.write("noop.toml", format!("{PATIENT}order = 1").as_bytes()));
    assert_eq!(test.host.generation(), generation + 1);
    assert_eq!(test.host.status().len(), 1);
}
