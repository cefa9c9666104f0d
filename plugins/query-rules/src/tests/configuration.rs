//! What is refused when the plugin is loaded, and in which words.

use tidegate_sdk::mock::Host;

use super::{config, try_plugin};

/// The file that is shipped.
const SAMPLE: &str = include_str!("../../query-rules.toml");

fn error(rule: &str) -> String {
    try_plugin(&config(&["comment = 'the first'", rule])).unwrap_err()
}

#[test]
fn the_sample_is_accepted() {
    let (_, table) = SAMPLE.split_once("[config]\n").unwrap();
    let _host = Host::new().with_targets(&["orders", "orders/primary", "orders/replica"]);
    try_plugin(table).unwrap();
}

#[test]
fn an_error_names_the_rule_and_the_key() {
    for (rule, message) in [
        ("match_patern = 'x'", "\"match_patern\": no such key; did you mean \"match_pattern\"?"),
        ("ok_msg = 'x'", "\"ok_msg\": no such key; did you mean \"OK_msg\"?"),
        ("flagout = 3", "\"flagout\": no such key; did you mean \"flagOUT\"?"),
        ("rule_active = 1", "\"rule_active\": no such key; there are: rule_id, active, "),
        ("OK_msg = 1", "\"OK_msg\": want a text, found 1"),
        ("apply = 1", "\"apply\": want true or false, found 1"),
        ("active = 'yes'", "\"active\": want true or false, found \"yes\""),
        ("flagIN = -1", "\"flagIN\": want a whole number from 0, found -1"),
        ("flagOUT = 65536", "\"flagOUT\": want 0 to 65535, found 65536"),
        ("proxy_port = 65536", "\"proxy_port\": 65536 is no port"),
        ("proxy_port = 0", "\"proxy_port\": 0 is no port"),
        ("client_addr = '10.%.1'", "\"client_addr\": a \"%\" stands for the rest"),
        ("digest = '0x12'", "\"digest\": want the sixteen digits that the query log shows"),
        ("timeout = 100", "\"timeout\": want a duration such as \"500ms\", found 100"),
        ("delay = '2h'", "\"delay\": at most \"1h\""),
        ("re_modifiers = 'caseless'", "\"re_modifiers\": no modifier \"caseless\"; there are"),
        ("comment = 3", "\"comment\": want a text, found 3"),
        ("negate_match_pattern = true", "\"negate_match_pattern\": needs \"match_digest\" or"),
        (
            "destination_hostgroup = 1",
            "\"destination_hostgroup\": there are no hostgroups; name a target",
        ),
        ("multiplex = 0", "\"multiplex\": tidegate itself knows"),
        ("match_pattern = '(a'", "\"match_pattern\": no pattern: unclosed group"),
        (
            "match_digest = '(a)\\\\1'",
            "\"match_digest\": no pattern: backreferences are not supported",
        ),
        ("match_pattern = 'a(?=b)'", "\"match_pattern\": no pattern: look-around"),
        ("schema_pattern = '['", "\"schema_pattern\": no pattern: "),
        ("replace_pattern = 'x'", "\"replace_pattern\": needs a \"match_pattern\""),
        (
            "match_digest = 'a', replace_pattern = 'x'",
            "\"replace_pattern\": needs a \"match_pattern\"",
        ),
        (
            "match_pattern = 'a', negate_match_pattern = true, replace_pattern = 'x'",
            "\"replace_pattern\": needs a \"match_pattern\" that is not negated",
        ),
        (
            "match_pattern = 'a', replace_pattern = '\\\\1'",
            "\"replace_pattern\": there is no group 1",
        ),
        (
            "match_pattern = 'a', replace_pattern = '${hex:0}'",
            "\"replace_pattern\": no function \"hex\"; there is: \"${quote:0}\"",
        ),
    ] {
        let error = error(&rule.replace('\'', "\""));
        let expected = format!("[config] \"rules.rule_id=2.{}", &message[1..]);
        assert!(error.starts_with(&expected), "{error}\nwanted {expected}");
    }
}

#[test]
fn numbers_are_given_once() {
    assert_eq!(
        try_plugin("rules = [{ rule_id = 7 }, { rule_id = 7 }]").unwrap_err(),
        "[config] \"rules.rule_id=7.rule_id\": another rule has this number",
    );
    assert_eq!(
        try_plugin("rules = [{ rule_id = 7 }, { apply = true }]").unwrap_err(),
        "[config] \"rules.1.rule_id\": is missing; want a whole number from 0",
    );
    assert_eq!(
        try_plugin("rule = []").unwrap_err(),
        "[config] \"rule\": no such key; did you mean \"rules\"?",
    );
}

#[test]
fn targets_must_exist() {
    let _host = Host::new().with_targets(&["orders"]);
    for key in ["destination", "mirror"] {
        let error = error(&format!("{key} = \"order\""));
        let expected = format!("\"rules.rule_id=2.{key}\": no target \"order\"; there are: orders");
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[test]
fn a_rule_that_is_not_active_must_be_right_all_the_same() {
    assert!(error("active = false, match_pattern = '('").contains("unclosed group"));
}
