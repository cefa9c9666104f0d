//! What a plugin can do to the world, which is to print.

use tidegate_hook::Hooks;

use crate::harness::{TestHost, ask, session, tag, wait_for};
use crate::log::lines_of;

#[test]
fn printing_from_a_tokio_worker_ends_in_the_log() {
    let test = TestHost::start(&[("talkative", "printer", "")]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let host = std::sync::Arc::clone(&test.host);
    let verdict = runtime.block_on(async {
        tokio::spawn(async move { ask(&*host, &mut session("ann"), "SELECT 1") }).await.unwrap()
    });
    assert_eq!(tag(&verdict, "std"), Some("clock,instant"), "no environment and no files");
    let lines = lines_of("talkative");
    for (level, line) in [
        ("INFO", "out: ann says"),
        ("INFO", "out: in pieces"),
        ("WARN", "err: SELECT 1"),
        ("WARN", "err: second line"),
        ("INFO", "log: 0"),
    ] {
        let logged = |l: &String| l.contains(level) && l.starts_with(|c: char| c.is_ascii_digit());
        let found = lines.iter().filter(|l| logged(l) && l.contains(line)).count();
        assert_eq!(found, 1, "{line}: {lines:#?}");
    }
}

#[test]
fn a_flood_of_messages_is_cut_off() {
    let test = TestHost::start(&[("flooding", "printer", "")]);
    let mut ann = session("ann");
    for _ in 0..200 {
        ask(&*test.host, &mut ann, "SELECT 1");
    }
    let lines = lines_of("flooding").len();
    assert!((200..800).contains(&lines), "{lines} of 1000");
    wait_for("a message to be let in", || {
        ask(&*test.host, &mut ann, "SELECT 1");
        lines_of("flooding").iter().any(|line| line.contains("too many messages"))
    });
}

#[test]
fn asking_about_another_session_is_refused() {
    let test = TestHost::start(&[("curious", "nosy", "on_failure = 'closed'")]);
    let mut ann = session("ann");
    assert_eq!(ask(&*test.host, &mut ann, "SELECT 1").answer, None);
    let verdict = ask(&*test.host, &mut ann, "SELECT nosy");
    assert_eq!(crate::harness::rejection(&verdict).code, 1105);
    let refused = [("plugin", "curious"), ("kind", "refused")];
    assert_eq!(test.metric("tidegate_plugin_failures_total", &refused), 1.0);
    let error = test.error("curious");
    assert!(error.contains(&format!("asked about session {}", ann.id + 1)), "{error}");
    assert!(test.host.wanted(ann.listener).contains(tidegate_hook::Hooked::SQL));
}

#[test]
fn what_a_plugin_imports_is_known() {
    let test = TestHost::start(&[("counting", "kv", "")]);
    let imports = test.status("counting").imports;
    assert!(imports.iter().any(|name| name.starts_with("tidegate:plugin/kv@")), "{imports:?}");
    assert!(!imports.iter().any(|name| name.contains("/metrics@")), "{imports:?}");
}
