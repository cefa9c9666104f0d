//! Writes a text as a SQL string literal that means the same whatever the session's modes are.

use std::fmt::Write as _;

use tidegate_sdk::sql_text::Dialect;

/// Appends the literal.
pub(crate) fn push_literal(out: &mut String, text: &str, dialect: Dialect) {
    match dialect {
        Dialect::Mysql => push_mysql(out, text),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> String {
        let mut out = String::new();
        push_literal(&mut out, text, Dialect::Mysql);
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
}
