//! In which order rules are gone through, and what leads from one to another.

use tidegate_sdk::mock;
use tidegate_sdk::sql::*;

use super::{app, ask, plugin, rules, try_plugin};

/// The numbers of the rules that held.
fn path(config: &str, text: &str) -> String {
    let verdict = ask(&plugin(config), &app(), text);
    verdict.tags.first().map(|(_, ids)| ids.clone()).unwrap_or_default()
}

#[test]
fn rules_go_by_their_numbers_and_the_last_word_counts() {
    let config = "rules = [
        { rule_id = 30, destination = 'c' },
        { rule_id = 10, destination = 'a', delay = '1ms' },
        { rule_id = 20, destination = 'b' },
    ]";
    let expected = Verdict::route("c").delay(std::time::Duration::from_millis(1));
    assert_eq!(ask(&plugin(config), &app(), "SELECT 1"), expected);
}

#[test]
fn apply_ends_it() {
    let plugin = rules(&[
        "match_pattern = '^SELECT', destination = 'replica', apply = true",
        "destination = 'primary'",
    ]);
    assert_eq!(ask(&plugin, &app(), "SELECT 1"), Verdict::route("replica"));
    assert_eq!(ask(&plugin, &app(), "COMMIT"), Verdict::route("primary"));
}

#[test]
fn a_later_pattern_sees_what_earlier_rules_wrote_and_a_digest_does_not() {
    let plugin = rules(&[
        "match_pattern = 'old', replace_pattern = 'new'",
        "match_pattern = 'new', replace_pattern = 'newest'",
        "match_pattern = 'old', error_msg = 'never'",
        "match_digest = 'new', error_msg = 'never'",
        "match_digest = 'from old', destination = 'd'",
    ]);
    let verdict = ask(&plugin, &app(), "SELECT * FROM old");
    assert_eq!(verdict, Verdict::rewrite("SELECT * FROM newest").to("d"));
}

const CHAIN: &str = "
    rules = [
        { rule_id = 1, flagIN = 5, log = true },
        { rule_id = 2, flagIN = 0, flagOUT = 5, log = true },
        { rule_id = 3, flagIN = 0, log = true },
        { rule_id = 4, flagIN = 5, flagOUT = 6, log = true },
        { rule_id = 5, flagIN = 6, log = true },
    ]";

#[test]
fn a_flag_leads_to_the_rules_behind_that_have_it() {
    assert_eq!(path(CHAIN, "SELECT 1"), "2,4,5");
}

#[test]
fn with_iterations_a_flag_starts_again_at_the_first_rule() {
    assert_eq!(path(&format!("iterations = 1\n{CHAIN}"), "SELECT 1"), "2,1,4,5");
    assert_eq!(path(&format!("iterations = 2\n{CHAIN}"), "SELECT 1"), "2,1,4,5");
    let circle = "iterations = 100\nrules = [{ rule_id = 1, flagOUT = 0, log = true }]";
    assert_eq!(path(circle, "SELECT 1").split(',').count(), 101);
    assert!(try_plugin("iterations = 101").unwrap_err().contains("at most 100"));
}

#[test]
fn logging_can_be_taken_back() {
    let plugin = rules(&["log = true", "match_pattern = 'ping', log = false"]);
    assert_eq!(ask(&plugin, &app(), "SELECT 1").tags, [("rules".to_owned(), "1".to_owned())]);
    assert!(ask(&plugin, &app(), "SELECT 'ping'").tags.is_empty());
}

#[test]
fn a_rule_may_set_where_the_next_statements_start() {
    let plugin = rules(&[
        "match_pattern = '^BEGIN', next_query_flagIN = 7, username = 'app'",
        "flagIN = 7, destination = 'primary'",
        "flagIN = 7, match_pattern = '^COMMIT', next_query_flagIN = 0",
        "flagIN = 0, destination = 'replica'",
    ]);
    let (session, other) = (app(), mock::session("bob"));
    let ask = |session, text| ask(&plugin, session, text).target.map(|t| t.name().to_owned());
    let (primary, replica) = (Some("primary".to_owned()), Some("replica".to_owned()));
    assert_eq!(ask(&session, "SELECT 1"), replica);
    assert_eq!(ask(&session, "BEGIN"), replica);
    assert_eq!(ask(&session, "SELECT 1"), primary);
    assert_eq!(ask(&other, "SELECT 1"), replica);
    assert_eq!(ask(&session, "COMMIT"), primary);
    assert_eq!(ask(&session, "SELECT 1"), replica);
}

#[test]
fn the_start_survives_another_version_of_the_rules_that_knows_of_it() {
    let set = "username = 'app', next_query_flagIN = 7";
    let session = app();
    assert_eq!(ask(&rules(&[set]), &session, "SELECT 1"), Verdict::next());
    let seven = "flagIN = 7, username = 'app', destination = 'seven'";
    let knows = rules(&[seven, "match_pattern = '^COMMIT', next_query_flagIN = 0"]);
    assert_eq!(ask(&knows, &session, "SELECT 1"), Verdict::route("seven"));
    assert_eq!(ask(&rules(&[seven]), &session, "SELECT 1"), Verdict::next());
}

#[test]
fn sessions_of_all_kinds_keep_to_their_own_rules() {
    let list: Vec<String> =
        (0..10).map(|n| format!("username = 'user{n}', destination = 'd{n}'")).collect();
    let plugin = rules(&list.iter().map(String::as_str).collect::<Vec<_>>());
    let sessions: Vec<_> = (0..12).map(|n| mock::session(&format!("user{n}"))).collect();
    for _ in 0..2 {
        for (n, session) in sessions.iter().enumerate() {
            let expected = if n < 10 { Verdict::route(format!("d{n}")) } else { Verdict::next() };
            assert_eq!(ask(&plugin, session, "SELECT 1"), expected);
        }
    }
}

#[test]
fn a_mark_of_another_instance_is_not_believed() {
    let (one, two) = (
        rules(&["username = 'bob'", "username = 'app', destination = 'one'"]),
        rules(&["username = 'app', destination = 'two'", "username = 'bob', destination = 'bob'"]),
    );
    let session = app();
    for _ in 0..2 {
        assert_eq!(ask(&one, &session, "SELECT 1"), Verdict::route("one"));
        assert_eq!(ask(&two, &session, "SELECT 1"), Verdict::route("two"));
    }
}
