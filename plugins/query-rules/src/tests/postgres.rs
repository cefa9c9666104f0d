//! Statements of PostgreSQL.

use tidegate_sdk::sql_text::Dialect;

use super::*;

fn session() -> MockSession {
    app().with_dialect(Dialect::Postgres)
}

#[test]
fn digest_texts_are_those_of_the_dialect() {
    let digest = r"match_digest = '^select a :: int from t where b = [?]$'";
    for text in [
        "SELECT a::int FROM t WHERE b = $1",
        "SELECT a::int FROM t WHERE b = E'it\\'s' --c",
        "SELECT a::int /* /* c */ */ FROM t WHERE b = $x$ $$ $x$",
    ] {
        assert!(holds(digest, &session(), text), "{text}");
    }
    assert!(!holds(digest, &app(), "SELECT a::int FROM t WHERE b = $1"));
    let digest = mock::statement_in(Dialect::Postgres, "SELECT $1").digest();
    assert!(holds(&format!("digest = '0x{digest:016X}'"), &session(), "select 'a'"));
}

#[test]
fn what_is_put_in_is_quoted_for_the_server() {
    let wrap = rules(&["match_pattern = '^SELECT.*', replace_pattern = 'CALL run(${quote:0})'"]);
    for (text, expected) in [
        ("SELECT 'it''s'", "CALL run('SELECT ''it''''s''')"),
        ("SELECT E'\\n'", "CALL run( E'SELECT E''\\\\n''')"),
    ] {
        assert_eq!(ask(&wrap, &session(), text), Verdict::rewrite(expected), "{text}");
    }
}

#[test]
fn a_prepared_statement_keeps_its_placeholders() {
    let swap = r"match_pattern = 'a = (\$\d)', replace_pattern = 'a = \1 AND c = \1'";
    let plugin = rules(&[swap]);
    let prepare =
        |text| plugin.on_statement(&session(), &mock::prepared_in(Dialect::Postgres, text)).action;
    let rewritten = "SELECT 1 WHERE a = $1 AND c = $1 AND b = $2".to_owned();
    assert_eq!(prepare("SELECT 1 WHERE a = $1 AND b = $2"), Action::Rewrite(rewritten));
    let drop = rules(&[r"match_pattern = ' AND b = \$2', replace_pattern = ''"]);
    let text = "SELECT 1 WHERE a = $1 AND b = $2";
    let verdict = drop.on_statement(&session(), &mock::prepared_in(Dialect::Postgres, text));
    let Action::Reject(why) = verdict.action else { panic!("not refused") };
    assert!(why.message.contains("1 placeholders in the place of 2"), "{}", why.message);
}
