//! Writes a text as a SQL string literal that means the same whatever the session's modes are.

use std::fmt::Write as _;

use tidegate_sdk::sql_text::Dialect;

/// Appends the literal.
pub(crate) fn push_literal(out: &mut String, text: &str, dialect: Dialect) {
    match dialect {
        Dialect::Mysql => push_mysql(out, text),
        Dialect::Postgres => push_postgres(out, text),
    }
}

/// A backslash in quotes is one thing with `NO_BACKSLASH_ESCAPES` and another without, and a statement
/// does not tell which holds. A text that has one is written in hexadecimal, with its character set.
fn push_mysql(out: &mut String, text: &str) {
    if text.contains('\\') {
        out.push_str("_utf8mb4 X'");
        for byte in text.bytes() {
            write!(out, "{byte:02X}").expect("a String takes all that is written");
        }
    } else {
        // `"` would not do: with ANSI_QUOTES it makes a name.
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
    }
    out.push('\'');
}

/// With `standard_conforming_strings` off, a backslash escapes in any string; in `E'…'` it always does.
fn push_postgres(out: &mut String, text: &str) {
    let escapes = text.contains('\\');
    // Behind a letter, the E would be the end of a name.
    out.push_str(if escapes { " E'" } else { "'" });
    for character in text.chars() {
        if character == '\'' || character == '\\' {
            out.push(character);
        }
        out.push(character);
    }
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use tidegate_sdk::sql_text::{TokenKind, tokens};

    use super::*;

    fn literal(text: &str) -> String {
        let mut out = String::new();
        push_literal(&mut out, text, Dialect::Mysql);
        out
    }

    fn postgres(text: &str) -> String {
        let mut out = String::new();
        push_literal(&mut out, text, Dialect::Postgres);
        out
    }

    #[test]
    fn a_literal_is_one_whatever_is_in_it() {
        assert_eq!(literal(""), "''");
        assert_eq!(literal("it's \"so\""), "'it''s \"so\"'");
        assert_eq!(literal("''"), "''''''");
        assert_eq!(literal("a\n\0b -- c /*"), "'a\n\0b -- c /*'");
        assert_eq!(literal("ü"), "'ü'");
    }

    #[test]
    fn a_backslash_is_written_so_that_no_mode_changes_it() {
        assert_eq!(literal("a\\'b"), "_utf8mb4 X'615C2762'");
        assert_eq!(literal("\\"), "_utf8mb4 X'5C'");
    }

    #[test]
    fn a_literal_of_postgres_is_one_whatever_is_in_it() {
        assert_eq!(postgres(""), "''");
        assert_eq!(postgres("it's \"so\" $$ -- /*"), "'it''s \"so\" $$ -- /*'");
        assert_eq!(postgres("a\\'b"), " E'a\\\\''b'");
        assert_eq!(postgres("\\"), " E'\\\\'");
        for text in ["", "'", "\\", "\\'", "'\\", "a\n'\\\\' b", "ü"] {
            // Also behind a name, and in front of one.
            let whole = format!("a{}b", postgres(text));
            let kinds: Vec<_> =
                tokens(whole.as_bytes(), Dialect::Postgres).map(|token| token.kind).collect();
            assert_eq!(kinds, [TokenKind::Word, TokenKind::String, TokenKind::Word], "{whole}");
        }
    }
}
