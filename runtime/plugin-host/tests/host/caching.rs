//! Verdicts that are reused without a call.

use std::time::Duration;

use tidegate_hook::{SessionState, set_current_worker};

use crate::harness::{TestHost, ask, ask_with, session, tag, target};

fn host(scope: &str) -> TestHost {
    let sidecar = format!("[config]\ntarget = 'orders'\ncount = true\nscope = '{scope}'");
    TestHost::start(&[("reusing", "reuse", &sidecar)])
}

#[test]
fn a_reused_verdict_needs_no_call() {
    let test = host("user");
    let mut ann = session("ann");
    for text in ["SELECT 1", "SELECT 1", "select  2"] {
        let verdict = ask(&*test.host, &mut ann, text);
        assert_eq!(tag(&verdict, "calls"), Some("1"), "{text}");
        assert_eq!(verdict.target, target("orders"));
        assert_eq!(verdict.by.as_deref(), Some("reusing"));
    }
    let status = test.status("reusing");
    assert_eq!((status.calls, status.cache_hits), (1, 2));
    let hits = test.metric("tidegate_plugin_verdict_cache_hits_total", &[("plugin", "reusing")]);
    assert_eq!(hits, 2.0);
    assert_eq!(tag(&ask(&*test.host, &mut ann, "SELECT a FROM t"), "calls"), Some("2"));
}

#[test]
fn a_reused_verdict_holds_back_and_mirrors_all_the_same() {
    let sidecar = "[config]\ntarget = 'orders'\nscope = 'user'\nmirror = 'users/replica'";
    let test = TestHost::start(&[("reusing", "reuse", sidecar)]);
    let mut ann = session("ann");
    for _ in 0..2 {
        let verdict = ask(&*test.host, &mut ann, "SELECT 1");
        let expected = (Some(Duration::from_millis(50)), target("users/replica"));
        assert_eq!((verdict.delay(), verdict.mirror()), expected);
        assert_eq!(verdict.action(), "route");
    }
    let status = test.status("reusing");
    assert_eq!((status.calls, status.cache_hits), (1, 1));
}

#[test]
fn what_is_attached_counts_as_text() {
    let of = |scope: &str| {
        let test = host(scope);
        let mut ann = session("ann");
        for attached in ["1", "1", "2"] {
            ask_with(&*test.host, &mut ann, "SELECT 1", &[("a", attached)]);
        }
        test.status("reusing").calls
    };
    assert_eq!((of("user"), of("text")), (1, 2));
}

#[test]
fn users_and_states_do_not_share() {
    let test = host("user");
    let calls =
        |session: &mut _| tag(&ask(&*test.host, session, "SELECT 1"), "calls").unwrap().to_owned();
    let (mut ann, mut bob, mut ann_again) = (session("ann"), session("bob"), session("ann"));
    assert_eq!([calls(&mut ann), calls(&mut bob), calls(&mut ann_again)], ["1", "2", "1"]);
    ann.state = SessionState::IN_TRANSACTION;
    assert_eq!(calls(&mut ann), "3");
    bob.database = Some("other".into());
    bob.refresh_identity();
    assert_eq!(calls(&mut bob), "4");
}

#[test]
fn a_scope_may_be_the_text_or_the_session() {
    let of = |scope: &str| {
        let test = host(scope);
        let (mut one, mut two) = (session("ann"), session("ann"));
        ask(&*test.host, &mut one, "SELECT 1");
        ask(&*test.host, &mut one, "SELECT 2");
        ask(&*test.host, &mut two, "SELECT 1");
        test.status("reusing").calls
    };
    assert_eq!((of("user"), of("text"), of("session")), (1, 2, 2));
}

#[test]
fn workers_and_versions_do_not_share() {
    let test = host("user");
    let mut ann = session("ann");
    for worker in [0, 1, 0, 1] {
        set_current_worker(worker);
        assert_eq!(tag(&ask(&*test.host, &mut ann, "SELECT 1"), "calls"), Some("1"));
    }
    assert_eq!(test.status("reusing").calls, 2);
    let other = "[config]\ntarget = 'users'\ncount = true\nscope = 'user'";
    test.reload(|test| test.configure("reusing", other));
    assert_eq!(ask(&*test.host, &mut ann, "SELECT 1").target, target("users"));
}
