//! A thousand swaps under load: no statement is lost, no generation and no memory is left behind.
//!
//! It has a process of its own, since it measures that process's memory.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[path = "../host/harness.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use the rest")]
mod harness;
#[path = "../host/log.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use the rest")]
mod log;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tidegate_hook::{OutcomeKind, Verdict, set_current_worker};

use harness::{TestHost, ask, session, tag, target, wait_for};

const SWAPS: usize = 1000;
/// By then everything has been allocated that stays allocated.
const WARM: usize = 200;
/// What an allocator may keep in reserve; an instance that leaked with each swap would take more.
const GROWTH_MAX_KIB: usize = 16 << 10;

/// What the statements of one worker have seen.
#[derive(Default)]
struct Seen {
    asked: AtomicUsize,
    most_live: AtomicUsize,
    stop: AtomicBool,
}

#[test]
fn a_thousand_swaps_leave_nothing_behind() {
    let test =
        TestHost::start(&[("swapped", "route-all", &version(0)), ("beside", "observer", "")]);
    let seen = Seen::default();
    let growth = thread::scope(|scope| {
        for worker in 0..2 {
            let (test, seen) = (&test, &seen);
            scope.spawn(move || keep_asking(test, worker, seen));
        }
        let growth = swap_all(&test);
        seen.stop.store(true, Ordering::Relaxed);
        growth
    });
    assert!(growth < GROWTH_MAX_KIB, "memory grew by {growth} KiB");
    assert!(seen.most_live.load(Ordering::Relaxed) <= 2);
    assert!(seen.asked.load(Ordering::Relaxed) > SWAPS);
    let status = test.status("swapped");
    assert_eq!((status.failures, status.version), (0, 1 + SWAPS as u64));
    wait_for("the old generation to go", || test.host.live_generations() == 1);
}

fn version(number: usize) -> String {
    format!("[config]\ntarget = 'orders'\nversion = '{number}'")
}

/// Swaps the configuration each time, and the component now and then. Returns by how many KiB the
/// process has grown.
fn swap_all(test: &TestHost) -> usize {
    let mut warm = 0;
    for number in 1..=SWAPS {
        if number == WARM {
            warm = resident_kib();
        }
        test.reload(|test| {
            test.configure("swapped", &version(number));
            if number % 50 == 0 {
                // Bytes that mean nothing change the component and not what it does.
                let mut component = std::fs::read(harness::component("route-all")).unwrap();
                let name = b"\x05swaps";
                component.extend([0, u8::try_from(name.len() + 8).unwrap()]);
                component.extend(name);
                component.extend(number.to_le_bytes());
                test.write("swapped.wasm", &component);
            }
        });
        wait_for("the version to serve", || {
            tag(&test.ask("SELECT 1"), "version") == Some(&number.to_string())
        });
    }
    resident_kib().saturating_sub(warm)
}

fn keep_asking(test: &TestHost, worker: usize, seen: &Seen) {
    set_current_worker(worker);
    let (mut ann, mut newest) = (session("ann"), 0);
    while !seen.stop.load(Ordering::Relaxed) {
        let verdict: Verdict = ask(&*test.host, &mut ann, "SELECT 1");
        assert_eq!(verdict.target, target("orders"));
        let version: usize = tag(&verdict, "version").unwrap().parse().unwrap();
        assert!(version >= newest, "{version} after {newest}");
        newest = version;
        observe(test, &mut ann);
        seen.most_live.fetch_max(test.host.live_generations(), Ordering::Relaxed);
        seen.asked.fetch_add(1, Ordering::Relaxed);
        // Leaves the processors to whoever else tests here.
        thread::yield_now();
    }
}

fn observe(test: &TestHost, session: &mut Box<tidegate_hook::SessionContext>) {
    use tidegate_hook::Hooks;
    let outcome = tidegate_hook::Outcome {
        digest: 1,
        kind: tidegate_sql::Kind::Read,
        outcome: OutcomeKind::Ok,
        error_code: 0,
        rows: 1,
        duration: std::time::Duration::ZERO,
    };
    test.host.on_outcome(session, &outcome);
}

/// The process's resident memory.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
