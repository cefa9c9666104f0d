//! What plugins decide, and how a chain adds it up.

use std::time::Duration;

use tidegate_hook::{
    Answer, Hooked, Hooks, ListenerId, Outcome, OutcomeKind, Reply, Verdict, set_current_worker,
};
use tidegate_sql::Kind;

use crate::harness::{TestHost, ask, ask_with, rejection, session, tag, target, value};

const TO_ORDERS: &str = "[config]\ntarget = 'orders'";
const TO_REPLICA: &str = "[config]\ntarget = 'orders/replica'";

#[test]
fn without_plugins_nothing_is_wanted_or_decided() {
    let test = TestHost::start(&[]);
    assert_eq!(test.host.wanted(ListenerId(0)), Hooked::empty());
    assert_eq!(test.host.wanted(ListenerId(9)), Hooked::empty());
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    assert!(test.host.status().is_empty());
}

#[test]
fn a_plugin_that_passes_changes_nothing() {
    let test = TestHost::start(&[("noop", "noop", "")]);
    assert_eq!(test.host.wanted(ListenerId(0)), Hooked::SQL);
    let mut ann = session("ann");
    let before = format!("{ann:?}");
    assert_eq!(ask(&*test.host, &mut ann, "SELECT 1"), Verdict::default());
    assert_eq!(format!("{ann:?}"), before, "the session is back as it was");
    let status = test.status("noop");
    assert_eq!((status.calls, status.version, status.failures), (1, 1, 0));
    assert_eq!(status.hooks, ["lifecycle", "sql-hooks"]);
}

#[test]
fn the_last_route_wins() {
    let test = TestHost::start(&[
        ("10-first", "route-all", TO_REPLICA),
        ("20-second", "route-all", TO_ORDERS),
    ]);
    let verdict = test.ask("SELECT 1");
    assert_eq!(verdict.target, target("orders"));
    assert_eq!(verdict.by.as_deref(), Some("20-second"));
}

#[test]
fn the_sidecar_may_change_the_order() {
    let first = format!("order = 7\n{TO_REPLICA}");
    let test = TestHost::start(&[
        ("10-first", "route-all", &first),
        ("20-second", "route-all", TO_ORDERS),
    ]);
    assert_eq!(test.ask("SELECT 1").by.as_deref(), Some("10-first"));
}

#[test]
fn a_listener_may_list_its_plugins() {
    let plugins = [("10-first", "route-all", TO_REPLICA), ("20-second", "route-all", TO_ORDERS)];
    let listed = TestHost::with_orders(Some(&["20-second", "10-first"]), &plugins);
    assert_eq!(listed.ask("SELECT 1").by.as_deref(), Some("10-first"));
    let none = TestHost::with_orders(Some(&["missing"]), &plugins);
    assert_eq!(none.ask("SELECT 1"), Verdict::default());
    assert_eq!(none.host.wanted(ListenerId(0)), Hooked::empty());
    assert_eq!(none.host.wanted(ListenerId(1)), Hooked::SQL);
}

#[test]
fn a_plugin_may_be_for_some_listeners() {
    let users_only = format!("listeners = ['users']\n{TO_ORDERS}");
    let test = TestHost::start(&[("route", "route-all", &users_only)]);
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    let mut of_users = session("ann");
    of_users.listener = ListenerId(1);
    assert_eq!(ask(&*test.host, &mut of_users, "SELECT 1").target, target("orders"));
}

#[test]
fn a_rewrite_is_what_the_next_plugin_sees() {
    let test =
        TestHost::start(&[("10-rewrite", "rewrite", TO_REPLICA), ("20-rewritten", "printer", "")]);
    let verdict = test.ask("SELECT * FROM old_orders");
    assert_eq!(verdict.rewrite.as_deref(), Some("SELECT * FROM new_orders"));
    assert_eq!(verdict.target, target("orders/replica"));
    let log = crate::log::lines_of("20-rewritten");
    assert!(log.iter().any(|line| line.contains("FROM new_orders")), "{log:?}");
}

#[test]
fn a_rejection_ends_the_chain() {
    let test = TestHost::start(&[("10-reject", "reject", ""), ("20-noop", "noop", "")]);
    let verdict = test.ask("SELECT forbidden");
    let why = rejection(&verdict);
    assert_eq!((why.code, why.sqlstate.as_str()), (1142, "42000"));
    assert_eq!(why.message, "this is forbidden");
    assert_eq!(verdict.by.as_deref(), Some("10-reject"));
    assert_eq!(rejection(&test.ask("refused")).code, 0);
    assert_eq!(test.status("20-noop").calls, 0);
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    assert_eq!(test.status("20-noop").calls, 1);
}

#[test]
fn replies_carry_counts_or_rows() {
    let test = TestHost::start(&[("reply", "reply", "")]);
    let done = Reply::Done { affected: 3, last_insert_id: 7, info: "as you wish".to_owned() };
    assert_eq!(test.ask("DELETE FROM reply").answer, Some(Answer::Reply(done)));
    let Some(Answer::Reply(Reply::Rows(rows))) = test.ask("SELECT 'who'").answer else {
        panic!("no rows")
    };
    let types: Vec<_> = rows.columns.iter().map(|column| column.type_name.as_str()).collect();
    assert_eq!(types, ["text", "bigint", "double", "blob"]);
    let text = |value: &Option<Vec<u8>>| value.as_ref().map(|v| String::from_utf8_lossy(v).into());
    let first: Vec<Option<String>> = rows.rows[0][..3].iter().map(text).collect();
    assert_eq!(first, [Some("ann".into()), Some("42".into()), Some("0.5".into())]);
    assert_eq!(rows.rows[0][3], Some(vec![0, 255]));
    assert_eq!(rows.rows[1][1..], [None, None, None]);
}

#[test]
fn a_session_is_admitted_or_not() {
    let test = TestHost::start(&[("reject", "reject", "")]);
    assert!(test.host.wanted(ListenerId(0)).contains(Hooked::CONNECTION | Hooked::SQL));
    assert_eq!(test.host.on_authenticated(&mut session("ann")), Default::default());
    let admission = test.host.on_authenticated(&mut session("banned"));
    assert_eq!(admission.reject.unwrap().message, "you are banned");
    assert_eq!(admission.by.as_deref(), Some("reject"));
}

#[test]
fn a_plugin_learns_what_the_client_says_of_itself_and_of_the_statement() {
    let test = TestHost::start(&[("told", "told", "")]);
    let mut ann = session("ann");
    let known = |verdict: &Verdict| {
        ["port", "program", "attached", "partial"].map(|key| tag(verdict, key).map(str::to_owned))
    };
    let verdict = ask(&*test.host, &mut ann, "SELECT 1");
    assert_eq!(known(&verdict), [Some("0".to_owned()), None, None, None]);
    ann.local_port = 3307;
    ann.connection_attributes = [("program_name", "shop")].into_iter().collect();
    let attached = [("other", "x"), ("traceparent", "00-7"), ("traceparent", "second")];
    let verdict = ask_with(&*test.host, &mut ann, "SELECT 1", &attached);
    let expected = ["3307", "shop", "00-7"].map(|text| Some(text.to_owned()));
    assert_eq!(known(&verdict)[..3], expected);
    assert_eq!(tag(&ask(&*test.host, &mut ann, "SELECT 1"), "attached"), None);
    let partial = |length| {
        let long = format!("SELECT '{}'", "x".repeat(length));
        tag(&test.ask(&long), "partial").map(str::to_owned)
    };
    assert_eq!((partial(20_000), partial(70_000)), (None, Some("true".to_owned())));
}

#[test]
fn observers_are_told_and_their_metrics_are_exported() {
    let test = TestHost::start(&[("watching", "observer", "")]);
    let observers = Hooked::SQL_OBSERVER | Hooked::CONNECTION_OBSERVER;
    assert_eq!(test.host.wanted(ListenerId(0)), observers);
    let mut ann = session("ann");
    for (worker, outcome) in
        [(0, OutcomeKind::Ok), (1, OutcomeKind::Ok), (1, OutcomeKind::TimedOut)]
    {
        set_current_worker(worker);
        let outcome = Outcome {
            digest: 1,
            kind: Kind::Read,
            outcome,
            error_code: 0,
            rows: 5,
            duration: Duration::from_millis(250),
        };
        test.host.on_outcome(&mut ann, &outcome);
    }
    test.host.on_closed(&mut ann, 10, 20);
    let plugin = ("plugin", "watching");
    let user = |name: &str| test.metric(&format!("tidegate_plugin_user_{name}"), &[plugin]);
    assert_eq!(test.metric("tidegate_plugin_user_statements", &[plugin, ("outcome", "good")]), 2.0);
    assert_eq!((user("statements"), user("rows"), user("sessions")), (3.0, 15.0, 1.0));
    assert_eq!(user("seconds"), 0.75);
    let calls = |hook| test.metric("tidegate_plugin_calls_total", &[plugin, ("hook", hook)]);
    assert_eq!((calls("on_outcome"), calls("on_closed"), calls("on_statement")), (3.0, 1.0, 0.0));
}

#[test]
fn the_store_is_shared_by_workers() {
    let test = TestHost::start(&[("counting", "kv", "")]);
    for (worker, count) in [(0, "1"), (1, "2"), (0, "3")] {
        set_current_worker(worker);
        assert_eq!(value(&test.ask("SELECT 'count'")), count);
    }
}

#[test]
fn the_store_has_a_quota() {
    let test = TestHost::start(&[("filling", "kv", "")]);
    assert!(value(&test.ask("SELECT 'fill'")).contains("full"));
    assert_eq!(value(&test.ask("SELECT 'count'")), "1", "there is room again");
}

#[test]
fn each_worker_has_an_instance_of_its_own() {
    let test = TestHost::start(&[("counting", "trap", "")]);
    let survived = |worker| {
        set_current_worker(worker);
        tag(&test.ask("SELECT 1"), "survived").unwrap().to_owned()
    };
    assert_eq!([survived(0), survived(0), survived(1), survived(0)], ["1", "2", "1", "3"]);
}
