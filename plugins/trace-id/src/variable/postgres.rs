//! What statements of PostgreSQL do to a setting.

use tidegate_sdk::sql_text::postgres::{Discard, Setting, setting, statements};
use tidegate_sdk::sql_text::{Dialect, Token, TokenKind, tokens};

use super::Assignment;

/// The last of the statements that sets or resets it for the session.
pub(super) fn assignment(text: &str, name: &str) -> Option<Assignment> {
    let mut alone = true;
    let mut found = None;
    for (index, range) in statements(text.as_bytes()).enumerate() {
        alone = index == 0;
        let statement = text.get(range)?;
        found = done(statement, name).or(found);
    }
    found.map(|(value, only)| Assignment { value, alone: alone && only })
}

/// What one statement makes of it, and whether it does nothing else.
fn done(statement: &str, name: &str) -> Option<(Option<String>, bool)> {
    let is_meant =
        |names: &[Box<[u8]>]| names.iter().any(|set| set.eq_ignore_ascii_case(name.as_bytes()));
    match setting(statement.as_bytes()) {
        Setting::Set { names, .. } if is_meant(&names) => {
            Some((value(statement), names.len() == 1))
        }
        Setting::Reset(names) if is_meant(&names) => Some((Some(String::new()), names.len() == 1)),
        Setting::ResetAll | Setting::Discard(Discard::All) => Some((Some(String::new()), false)),
        _ => None,
    }
}

/// The only token behind the sign. One with an escape in it is no id anyway.
fn value(statement: &str) -> Option<String> {
    let code = tokens(statement.as_bytes(), Dialect::Postgres);
    let code: Vec<Token<'_>> = code.filter(|token| token.kind != TokenKind::Comment).collect();
    let [.., sign, value] = code.as_slice() else {
        return None;
    };
    if sign.bytes != b"=" && !sign.bytes.eq_ignore_ascii_case(b"TO") {
        return None;
    }
    let text = match (value.kind, value.bytes) {
        (TokenKind::Number, digits) => digits.to_vec(),
        (TokenKind::Word, word) => word.to_ascii_lowercase(),
        (TokenKind::String, [b'\'', text @ .., b'\'']) => text.to_vec(),
        _ => return None,
    };
    let plain = !text.iter().any(|byte| matches!(byte, b'\'' | b'\\'));
    String::from_utf8(text).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Assignment> {
        assignment(text, "app.trace_id")
    }

    fn set(value: Option<&str>, alone: bool) -> Option<Assignment> {
        Some(Assignment { value: value.map(str::to_owned), alone })
    }

    #[test]
    fn an_assignment_alone() {
        for text in [
            "SET app.trace_id = 'abc'",
            "set SESSION App.Trace_Id to 'abc';",
            "/* why */ SET app . trace_id /* what */ = abc -- so",
            "SET app.\"trace_id\" TO ABC",
        ] {
            assert_eq!(found(text), set(Some("abc"), true), "{text}");
        }
        assert_eq!(found("SET app.trace_id = 42"), set(Some("42"), true));
        for text in ["RESET app.trace_id", "SET app.trace_id TO DEFAULT", "SET app.trace_id = ''"] {
            assert_eq!(found(text), set(Some(""), true), "{text}");
        }
    }

    #[test]
    fn an_assignment_among_others() {
        for text in [
            "SET a.b = 1; SET app.trace_id = 'abc'",
            "SET app.trace_id = 'x'; SET app.trace_id = 'abc'; SELECT 1",
        ] {
            assert_eq!(found(text), set(Some("abc"), false), "{text}");
        }
        for text in ["RESET ALL", "DISCARD ALL"] {
            assert_eq!(found(text), set(Some(""), false), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_value_is_none() {
        for text in [
            "SET app.trace_id = 'it''s'",
            "SET app.trace_id = E'a\\nb'",
            "SET app.trace_id = $$a$$",
            "SET app.trace_id = a, b",
            "SET app.trace_id = -1",
        ] {
            assert_eq!(found(text), set(None, true), "{text}");
        }
    }

    #[test]
    fn all_else_is_no_assignment() {
        for text in [
            "",
            "SET",
            "SET a.b = 1",
            "SET trace_id = 'abc'",
            "SET LOCAL app.trace_id = 'abc'",
            "SET app.trace_id FROM CURRENT",
            "SET a.b = 'SET app.trace_id = 1'",
            "SELECT 1",
            "RESET a.b",
            "DISCARD PLANS",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
