use tidegate_sdk::mock;
use tidegate_sdk::mock::MockSession;
use tidegate_sdk::sql_text::Dialect;

use super::*;

/// The file that is shipped.
const SAMPLE: &str = include_str!("../trace-id.toml");

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn plugin(config: &str) -> TraceId {
    TraceId::from_config(&mock::sidecar(&format!("[config]\n{config}"))).unwrap()
}

fn error(config: &str) -> String {
    let config = mock::sidecar(&format!("[config]\n{config}"));
    TraceId::from_config(&config).unwrap_err().to_string()
}

fn app() -> MockSession {
    mock::session("app")
}

fn ask(plugin: &TraceId, session: &Session, text: &str) -> Verdict {
    plugin.on_statement(session, &mock::statement_in(session.dialect(), text))
}

fn id(plugin: &TraceId, session: &Session, text: &str) -> Option<String> {
    ask(plugin, session, text).trace_id
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn without_a_trace_there_is_no_opinion() {
    let plugin = plugin("");
    for text in ["SELECT 1", "SET NAMES utf8mb4", "SELECT 1 /*traceparent='bad'*/"] {
        assert_eq!(ask(&plugin, &app(), text), Verdict::next(), "{text}");
    }
}

#[test]
fn a_trace_comes_from_any_source() {
    let plugin = plugin("");
    assert_eq!(id(&plugin, &app(), &format!("SELECT 1 /*traceparent='{PARENT}'*/")), some(ID));
    let attached = mock::statement("SELECT 1").with_attribute("traceparent", PARENT);
    assert_eq!(plugin.on_statement(&app(), &attached).trace_id, some(ID));
    let connected = app().with_connection_attribute("trace_id", "job-7");
    assert_eq!(id(&plugin, &connected, "SELECT 1"), some("job-7"));
    let session = app();
    assert_eq!(ask(&plugin, &session, "SET @trace_id = 'abc'"), Verdict::next().trace_id("abc"));
    assert_eq!(id(&plugin, &session, "SELECT 1"), some("abc"));
    assert_eq!(session.attribute("trace-id"), some("abc"));
    assert_eq!(id(&plugin, &app(), "SELECT 1"), None);
}

/// Everything says something else; who is asked first?
fn first(sources: &str) -> Option<String> {
    let plugin = plugin(&format!("sources = {sources}"));
    let session = app().with_connection_attribute("trace_id", "connection");
    assert_eq!(ask(&plugin, &session, "SET @trace_id = 'variable'").action, Action::Next);
    let text = "SELECT 1 /*trace_id='comment'*/";
    let statement = mock::statement(text).with_attribute("trace_id", "attribute");
    plugin.on_statement(&session, &statement).trace_id
}

#[test]
fn the_order_of_the_sources_is_configured() {
    assert_eq!(first("['comment', 'query-attribute']"), some("comment"));
    assert_eq!(first("['query-attribute', 'comment']"), some("attribute"));
    assert_eq!(first("['session-variable', 'comment']"), some("variable"));
    assert_eq!(first("['connection-attribute']"), some("connection"));
    assert_eq!(first("[]"), None);
}

#[test]
fn the_order_of_the_keys_too() {
    let text = format!("SELECT 1 /*trace_id='plain',traceparent='{PARENT}'*/");
    assert_eq!(id(&plugin(""), &app(), &text), some(ID));
    assert_eq!(id(&plugin("keys = ['trace_id', 'traceparent']"), &app(), &text), some("plain"));
    assert_eq!(id(&plugin("keys = ['request']"), &app(), &text), None);
    let other = "SELECT 1 /*request='r1'*/";
    assert_eq!(id(&plugin("keys = ['request']"), &app(), other), some("r1"));
}

#[test]
fn what_is_not_valid_is_passed_over() {
    let plugin = plugin("");
    let session = app().with_connection_attribute("trace_id", "connection");
    let text = "SELECT 1 /*traceparent='00-bad',trace_id='a b'*/";
    assert_eq!(id(&plugin, &session, text), some("connection"));
}

#[test]
fn a_variable_can_be_changed_and_forgotten() {
    let plugin = plugin("variable = 'request'");
    let session = app();
    for (text, expected) in [
        ("SET @request = 'a'", some("a")),
        ("SET @trace_id = 'other'", some("a")),
        ("SET @x = 1, @REQUEST := 'b', autocommit = 1", some("b")),
        ("SET @request = 'not an id'", None),
        ("SET @request = 'c'", some("c")),
        ("SET @request = NULL", None),
        ("SET @request = 'd'", some("d")),
        ("SET @request = UUID()", None),
    ] {
        assert_eq!(id(&plugin, &session, text), expected, "{text}");
        assert_eq!(id(&plugin, &session, "SELECT 1"), expected, "after {text}");
    }
}

#[test]
fn a_variable_survives_another_version_of_the_plugin() {
    let session = app().with_connection_attribute("job", "7");
    assert_eq!(id(&plugin(""), &session, "SET @trace_id = 'a'"), some("a"));
    assert_eq!(id(&plugin("keys = ['job']"), &session, "SELECT 1"), some("a"));
    let connection_first = "keys = ['job']\nsources = ['connection-attribute', 'session-variable']";
    assert_eq!(id(&plugin(connection_first), &session, "SELECT 1"), some("7"));
}

#[test]
fn a_set_of_the_variable_alone_may_be_answered() {
    let plugin = plugin("answer_variable = true");
    let session = app();
    let answered = |text| ask(&plugin, &session, text).action == Verdict::reply_done(0).action;
    assert!(answered("SET @trace_id = 'a';"));
    assert_eq!(id(&plugin, &session, "SELECT 1"), some("a"));
    assert!(answered("SET @trace_id = NULL"));
    assert_eq!(id(&plugin, &session, "SELECT 1"), None);
    assert!(!answered("SET @trace_id = 'a', @b = 1"));
    assert!(!answered("SET @trace_id = UUID()"));
    assert!(!answered("SET @b = 1"));
    assert_eq!(
        ask(&super::tests::plugin(""), &session, "SET @trace_id = 'a'").action,
        Action::Next
    );
}

#[test]
fn the_server_may_see_the_trace() {
    let plugin = plugin("comment = true");
    let session = app();
    assert_eq!(ask(&plugin, &session, "SET @trace_id = 'a/b'").action, Action::Next);
    let comment = |text| ask(&plugin, &session, text).action;
    let rewritten = |text: &str| Action::Rewrite(text.to_owned());
    assert_eq!(comment("SELECT 1;"), rewritten("SELECT 1 /*trace_id='a%2Fb'*/;"));
    assert_eq!(
        comment("DELETE FROM t -- all"),
        rewritten("DELETE FROM t /*trace_id='a%2Fb'*/ -- all")
    );
    assert_eq!(comment("CALL p()"), rewritten("CALL p() /*trace_id='a%2Fb'*/"));
    for text in [
        "SELECT 1 /*trace_id='own'*/",
        "BEGIN",
        "SET NAMES utf8mb4",
        "CREATE PROCEDURE p() SELECT 1",
        &format!("SELECT '{}'", "x".repeat(20_000)),
    ] {
        assert_eq!(comment(text), Action::Next, "{text:.60}");
    }
    let prepared = plugin.on_statement(&session, &mock::prepared("SELECT ?"));
    assert_eq!(prepared, Verdict::next().trace_id("a/b"));
    let latin1 = plugin.on_statement(&session, &mock::statement(b"SELECT 'caf\xe9'"));
    assert_eq!(latin1, Verdict::next().trace_id("a/b"));
}

#[test]
fn a_whole_traceparent_goes_into_the_comment() {
    let plugin = plugin("comment = true");
    let attached = mock::statement("SELECT 1").with_attribute("traceparent", PARENT);
    let verdict = plugin.on_statement(&app(), &attached);
    assert_eq!(
        verdict,
        Verdict::rewrite(format!("SELECT 1 /*traceparent='{PARENT}'*/")).trace_id(ID)
    );
}

#[test]
fn a_comment_behind_a_long_text_is_found() {
    let text = format!("SELECT '{}' /*trace_id='far'*/", "x".repeat(20_000));
    assert_eq!(id(&plugin("comment = true"), &app(), &text), some("far"));
}

#[test]
fn a_trace_may_be_made() {
    let plugin = plugin("generate = true\ncomment = true");
    let session = app();
    let made = |text| {
        let verdict = ask(&plugin, &session, text);
        let Action::Rewrite(text) = verdict.action else { panic!("{:?}", verdict.action) };
        let id = verdict.trace_id.unwrap();
        assert!(text.contains(&format!("/*traceparent='00-{id}-")), "{text}");
        id
    };
    assert_ne!(made("SELECT 1"), made("SELECT 1"));
    assert_eq!(id(&plugin, &session, "SELECT 1 /*trace_id='own'*/"), some("own"));
}

#[test]
fn the_sample_is_accepted_and_mistakes_are_not() {
    TraceId::from_config(&mock::sidecar(SAMPLE)).unwrap();
    assert_eq!(
        error("sources = ['comment', 'coment']"),
        "[config] \"sources.1\": no source \"coment\"; there are: comment, query-attribute, \
         session-variable, connection-attribute",
    );
    assert_eq!(error("keys = ['a', '']"), "[config] \"keys.1\": want a name, found \"\"");
    assert_eq!(
        error("coment = true"),
        "[config] \"coment\": no such key; did you mean \"comment\"?"
    );
    assert_eq!(error("comment = 'yes'"), "[config] \"comment\": want true or false, found \"yes\"");
}

fn postgres() -> MockSession {
    app().with_dialect(Dialect::Postgres)
}

#[test]
fn on_postgresql_a_trace_comes_from_a_comment_a_setting_or_the_name_of_the_application() {
    let plugin =
        plugin("keys = ['traceparent', 'application_name']\nvariable = 'application_name'");
    let comment = format!("SELECT 1 /* /* c */ */ /*traceparent='{PARENT}'*/");
    assert_eq!(id(&plugin, &postgres(), &comment), some(ID));
    let string = format!("SELECT $$ /*traceparent='{PARENT}'*/ $$");
    assert_eq!(id(&plugin, &postgres(), &string), None);
    let session = postgres().with_connection_attribute("application_name", "shop");
    assert_eq!(id(&plugin, &session, "SELECT 1"), some("shop"));
    let set = ask(&plugin, &session, "SET application_name TO 'job-7'");
    assert_eq!(set, Verdict::next().trace_id("job-7"));
    assert_eq!(id(&plugin, &session, "SELECT 1"), some("job-7"));
    assert_eq!(id(&plugin, &session, "RESET application_name"), some("shop"));
    assert_eq!(id(&plugin, &session, "SELECT 1"), some("shop"));
    let spaces = postgres().with_connection_attribute("application_name", "a shop");
    assert_eq!(id(&plugin, &spaces, "SELECT 1"), None);
}

#[test]
fn on_postgresql_a_comment_is_put_where_it_is_one() {
    let plugin = plugin("comment = true\nkeys = ['trace_id']");
    let session = postgres().with_connection_attribute("trace_id", "7");
    for (text, expected) in [
        ("SELECT 1;--c", "SELECT 1 /*trace_id='7'*/;--c"),
        ("SELECT $$;--$$ /* /* c */ */", "SELECT $$;--$$ /*trace_id='7'*/ /* /* c */ */"),
        ("SELECT a # 1", "SELECT a # 1 /*trace_id='7'*/"),
    ] {
        let expected = Verdict::rewrite(expected).trace_id("7");
        assert_eq!(ask(&plugin, &session, text), expected, "{text}");
    }
}
