mod configuration;
mod flow;
mod postgres;
mod reuse;

use tidegate_sdk::mock;
use tidegate_sdk::mock::MockSession;
use tidegate_sdk::sql::*;

use super::QueryRules;

/// The plugin with this `[config]`.
fn plugin(config: &str) -> QueryRules {
    try_plugin(config).unwrap()
}

fn try_plugin(config: &str) -> Result<QueryRules, String> {
    let sidecar = format!("[config]\n{config}");
    QueryRules::from_config(&mock::sidecar(&sidecar)).map_err(|error| error.to_string())
}

/// The plugin with these rules, numbered from 1: each a line of keys, without its braces.
fn rules(rules: &[&str]) -> QueryRules {
    plugin(&config(rules))
}

fn config(rules: &[&str]) -> String {
    let numbered = rules.iter().enumerate();
    let tables = numbered.map(|(at, rule)| format!("{{ rule_id = {}, {rule} }}", at + 1));
    format!("rules = [{}]", tables.collect::<Vec<_>>().join(", "))
}

fn app() -> MockSession {
    mock::session("app").with_database("shop").with_listener("front").with_local_port(3306)
}

/// The verdict without what the host may reuse.
fn ask(plugin: &QueryRules, session: &Session, text: &str) -> Verdict {
    let mut verdict = plugin.on_statement(session, &mock::statement_in(session.dialect(), text));
    verdict.reuse = None;
    verdict
}

/// Does a rule with these conditions hold for the statement?
fn holds(conditions: &str, session: &Session, text: &str) -> bool {
    let plugin = rules(&[&format!("{conditions}, destination = 'there'")]);
    match ask(&plugin, session, text) {
        verdict if verdict == Verdict::route("there") => true,
        verdict if verdict == Verdict::next() => false,
        other => panic!("{conditions}: {other:?}"),
    }
}

#[test]
fn no_rules_no_opinion() {
    for config in ["", "rules = []", "rules = [{ rule_id = 1, active = false, OK_msg = 'x' }]"] {
        assert_eq!(ask(&plugin(config), &app(), "SELECT 1"), Verdict::next(), "{config}");
    }
}

#[test]
fn a_rule_without_conditions_holds_for_everything() {
    let plugin = rules(&["destination = 'orders/replica'"]);
    assert_eq!(ask(&plugin, &app(), "BEGIN"), Verdict::route("orders/replica"));
}

#[test]
fn conditions_of_the_session() {
    let holds =
        |conditions: &str| holds(conditions, &app().with_peer("192.0.2.7:1234"), "SELECT 1");
    for condition in [
        "listener = 'front'",
        "proxy_port = 3306",
        "username = 'app'",
        "client_addr = '192.0.2.7'",
        "client_addr = '192.0.%'",
        "client_addr = '%'",
        "schemaname = 'shop'",
        "schema_pattern = '^sh'",
        "schema_pattern = 'SHOP'",
        "listener = 'front', proxy_port = 3306, username = 'app', schemaname = 'shop'",
    ] {
        assert!(holds(condition), "{condition}");
    }
    for condition in [
        "listener = 'back'",
        "proxy_port = 3307",
        "username = 'App'",
        "client_addr = '192.0.2.8'",
        "client_addr = '10.%'",
        "schemaname = 'SHOP'",
        "schema_pattern = '^op'",
        "schema_pattern = 'SHOP', re_modifiers = ''",
        "listener = 'front', proxy_port = 3306, username = 'bob', schemaname = 'shop'",
    ] {
        assert!(!holds(condition), "{condition}");
    }
}

#[test]
fn without_a_database_or_an_address_nothing_is_alike() {
    let nowhere = mock::session("app").with_peer("");
    assert!(!holds("schemaname = ''", &nowhere, "SELECT 1"));
    assert!(!holds("schema_pattern = '.*'", &nowhere, "SELECT 1"));
    assert!(holds("client_addr = '%'", &nowhere, "SELECT 1"));
    assert!(!holds("client_addr = '1%'", &nowhere, "SELECT 1"));
}

#[test]
fn an_ipv4_client_of_an_ipv6_listener_has_its_ipv4_address() {
    let mapped = app().with_peer("[::ffff:192.0.2.7]:1234");
    assert!(holds("client_addr = '192.0.2.%'", &mapped, "SELECT 1"));
}

#[test]
fn conditions_of_the_statement() {
    let holds = |conditions: &str, text: &str| holds(conditions, &app(), text);
    assert!(holds("match_pattern = '^select'", "SELECT 1"));
    assert!(holds("match_pattern = 'orders'", "SELECT * FROM Orders WHERE a = 1"));
    assert!(!holds("match_pattern = 'orders', re_modifiers = ''", "SELECT * FROM Orders"));
    assert!(!holds("match_pattern = '^ORDERS'", "SELECT * FROM orders"));
    assert!(!holds("match_pattern = 'a.b'", "a\nb"));
    assert!(holds("match_pattern = '(?s)a.b'", "a\nb"));
    assert!(holds(
        "match_digest = '^select a from t where b = [?]$'",
        "SELECT a  FROM t WHERE b = 7"
    ));
    assert!(!holds("match_digest = '7'", "SELECT a FROM t WHERE b = 7"));
    assert!(!holds("match_digest = 'hidden'", "SELECT /* hidden */ 1"));
    assert!(!holds("match_digest = 'select', match_pattern = 'update'", "SELECT 1"));
    let digest = format!("digest = '0x{:016X}'", mock::statement("SELECT 1").digest());
    assert!(holds(&digest, "select  2") && !holds(&digest, "SELECT 1, 2"));
}

#[test]
fn negation_is_of_both_patterns() {
    let holds = |conditions: &str, text: &str| {
        holds(&format!("{conditions}, negate_match_pattern = true"), &app(), text)
    };
    assert!(holds("match_pattern = '^SELECT'", "UPDATE t SET a = 1"));
    assert!(!holds("match_pattern = '^SELECT'", "SELECT 1"));
    let both = "match_digest = '^select', match_pattern = 'orders'";
    assert!(holds(both, "UPDATE t SET a = 1"));
    assert!(!holds(both, "SELECT 1") && !holds(both, "UPDATE orders SET a = 1"));
    assert!(!holds("match_pattern = '^SELECT', username = 'bob'", "UPDATE t SET a = 1"));
}

#[test]
fn many_patterns_are_the_same_as_few() {
    let list: Vec<String> = (0..100)
        .map(|n| format!("match_pattern = 'FROM table{n}\\b', destination = 'd{n}'"))
        .chain(
            (0..100).map(|n| format!("match_digest = 'update table{n} set', destination = 'u{n}'")),
        )
        .collect();
    let list: Vec<&str> = list.iter().map(|rule| rule.as_str()).collect();
    let plugin = plugin(&config(&list).replace("\\b", "\\\\b").replace('\'', "\""));
    for (text, target) in [
        ("SELECT a from Table7 WHERE b = 1", Some("d7")),
        ("UPDATE table42 SET a = 'FROM table9'", Some("u42")),
        ("SELECT a FROM table7x", None),
        ("SELECT a FROM tableK7, ü", None),
    ] {
        let expected = target.map_or_else(Verdict::next, Verdict::route);
        assert_eq!(ask(&plugin, &app(), text), expected, "{text}");
    }
}

#[test]
fn what_is_found_is_answered_in_the_right_order() {
    let ask = |rule: &str| ask(&rules(&[rule]), &app(), "SELECT 1");
    let error = Rejection::new("no").code(1148).sqlstate("42000");
    assert_eq!(ask("error_msg = 'no', destination = 'd'"), Verdict::reject(error));
    assert_eq!(ask("OK_msg = 'fine'"), Verdict::reply_done(0).info("fine"));
    assert_eq!(ask("OK_msg = '', error_msg = 'no', destination = 'd'"), Verdict::reply_done(0));
    let rewritten = Verdict::rewrite("SELECT 2");
    assert_eq!(ask("match_pattern = '1', replace_pattern = '2'"), rewritten);
    let routed = Verdict::rewrite("SELECT 2").to("d");
    assert_eq!(ask("match_pattern = '1', replace_pattern = '2', destination = 'd'"), routed);
    assert_eq!(
        ask("match_pattern = '1', replace_pattern = '2', OK_msg = ''"),
        Verdict::reply_done(0)
    );
}

#[test]
fn the_rest_goes_with_any_answer() {
    let extras = "timeout = '1s', delay = '20ms', mirror = 'candidate', log = true";
    for (rule, verdict) in [
        ("comment = 'nothing else'", Verdict::next()),
        ("destination = 'd'", Verdict::route("d")),
        ("OK_msg = 'fine'", Verdict::reply_done(0).info("fine")),
    ] {
        let expected = verdict
            .timeout(std::time::Duration::from_secs(1))
            .delay(std::time::Duration::from_millis(20))
            .mirror("candidate")
            .tag("rules", "1");
        assert_eq!(ask(&rules(&[&format!("{rule}, {extras}")]), &app(), "SELECT 1"), expected);
    }
}

#[test]
fn matches_are_replaced_and_quoted() {
    let ask = |rule: &str, text: &str| match ask(&rules(&[rule]), &app(), text).action {
        Action::Rewrite(text) => text,
        other => panic!("{other:?}"),
    };
    let wrap =
        r#"match_pattern = '(?s)^SELECT.*\bFROM\b.*$', replace_pattern = 'CALL run(${quote:0})'"#;
    assert_eq!(
        ask(wrap, "SELECT a FROM t WHERE b = 'it''s'"),
        "CALL run('SELECT a FROM t WHERE b = ''it''''s''')"
    );
    assert_eq!(ask(wrap, "SELECT\n\"x\"\nFROM t"), "CALL run('SELECT\n\"x\"\nFROM t')");
    assert_eq!(
        ask(wrap, "SELECT '\\' FROM t"),
        "CALL run(_utf8mb4 X'53454C45435420275C272046524F4D2074')"
    );
    let swap = r"match_pattern = '(\w+)_(\w+)', replace_pattern = '\2_\1'";
    assert_eq!(ask(swap, "SELECT a_b, c_d"), "SELECT b_a, c_d");
    let all = r"match_pattern = '(\w+)_(\w+)', replace_pattern = '\2_\1', re_modifiers = 'GLOBAL'";
    assert_eq!(ask(all, "SELECT a_b, c_d"), "SELECT b_a, d_c");
}

#[test]
fn what_cannot_be_rewritten_is_refused_rather_than_passed() {
    let plugin = rules(&["match_pattern = 'secret', replace_pattern = 'public'"]);
    let refused = |statement: Statement| match plugin.on_statement(&app(), &statement).action {
        Action::Reject(why) => why.message,
        other => panic!("{other:?}"),
    };
    let long = |length| format!("SELECT secret, '{}'", "x".repeat(length));
    assert!(
        refused(mock::statement(long(70_000)))
            .contains("rule 1 rewrites this statement, which is longer")
    );
    let latin1 = b"SELECT secret FROM caf\xe9";
    assert!(refused(mock::statement(latin1)).contains("which is not all UTF-8"));
    let held = ask(&plugin, &app(), &long(20_000));
    assert_eq!(held, Verdict::rewrite(long(20_000).replace("secret", "public")));
    // Beyond what is held nothing is seen, and nothing is done.
    assert_eq!(
        ask(&plugin, &app(), &format!("SELECT '{}', secret", "x".repeat(70_000))),
        Verdict::next()
    );
}

#[test]
fn a_prepared_statement_keeps_its_placeholders() {
    let call = "match_pattern = '^SELECT.*', replace_pattern = 'CALL run(${quote:0})'";
    let plugin = rules(&[call]);
    let prepare = |text| plugin.on_statement(&app(), &mock::prepared(text)).action;
    let Action::Reject(why) = prepare("SELECT a FROM t WHERE b = ? AND c = '?'") else {
        panic!("not refused")
    };
    assert!(why.message.contains("0 placeholders in the place of 1"), "{}", why.message);
    let rewritten = "CALL run('SELECT a FROM t WHERE b = ''?''')";
    assert_eq!(prepare("SELECT a FROM t WHERE b = '?'"), Action::Rewrite(rewritten.to_owned()));
}
