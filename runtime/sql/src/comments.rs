//! What a client tells the proxy in the comments of a statement.
//!
//! A hint is a comment that begins with `tidegate:` and goes on with `key=value` pairs:
//! `/* tidegate: route=primary */`. Any form of comment will do, before, in or behind the statement.
//! Only what the server takes for a comment is read, so that a string cannot hold a hint.

use crate::{Dialect, TokenKind, tokens};

/// What the text of a comment begins with that holds hints.
const PREFIX: &str = "tidegate:";

/// The value of the first hint of this key.
///
/// ```
/// use tidegate_sql::{Dialect, comments::hint};
///
/// let text = b"SELECT 1 /* tidegate: route=primary */";
/// assert_eq!(hint(text, Dialect::Mysql, "route"), Some("primary"));
/// assert_eq!(hint(b"SELECT '/* tidegate: route=primary */'", Dialect::Mysql, "route"), None);
/// ```
#[must_use]
pub fn hint<'a>(text: &'a [u8], dialect: Dialect, key: &str) -> Option<&'a str> {
    // Hardly any text has one, and looking for the word is quicker than cutting the text into tokens.
    let mentioned = text.windows(PREFIX.len()).any(|bytes| bytes == PREFIX.as_bytes());
    let mut found = mentioned.then(|| hints(text, dialect))?;
    found.find_map(|(name, value)| (name == key).then_some(value))
}

/// All hints of a text in order: their keys and values. Pairs are parted by white space, `,` or `;`;
/// what is no pair is passed over, and so is a comment that is not UTF-8.
///
/// ```
/// use tidegate_sql::{Dialect, comments::hints};
///
/// let found = hints(b"/* tidegate: route=replica, team=web */ SELECT 1", Dialect::Mysql);
/// assert!(found.eq([("route", "replica"), ("team", "web")]));
/// ```
pub fn hints(text: &[u8], dialect: Dialect) -> impl Iterator<Item = (&str, &str)> {
    tokens(text, dialect)
        .filter(|token| token.kind == TokenKind::Comment)
        .filter_map(|token| inside(token.bytes)?.trim_start().strip_prefix(PREFIX))
        .flat_map(|list| list.split([' ', '\t', '\r', '\n', ',', ';']))
        .filter_map(|pair| pair.split_once('='))
}

/// The text of a comment without the marks at its ends.
fn inside(comment: &[u8]) -> Option<&str> {
    let comment = str::from_utf8(comment).ok()?;
    if let Some(block) = comment.strip_prefix("/*") {
        return Some(block.strip_suffix("*/").unwrap_or(block));
    }
    comment.strip_prefix("--").or_else(|| comment.strip_prefix('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Option<&str> {
        hint(text.as_bytes(), Dialect::Mysql, "route")
    }

    #[test]
    fn a_hint_may_stand_anywhere_and_in_any_comment() {
        for text in [
            "/* tidegate: route=primary */ SELECT 1",
            "/*tidegate:route=primary*/SELECT 1",
            "SELECT 1 /* tidegate: route=primary */",
            "SELECT /* tidegate: route=primary */ 1",
            "/* of the shop */ /* tidegate: route=primary */ SELECT 1",
            "SELECT 1 -- tidegate: route=primary",
            "SELECT 1 # tidegate: route=primary\n + 1",
            "/*\n\ttidegate: team=web;route=primary,\n*/ SELECT 1",
            "/* tidegate: route=primary */ SELECT 1 /* tidegate: route=replica */",
            "SELECT 1 /* tidegate: route=primary",
        ] {
            assert_eq!(route(text), Some("primary"), "{text}");
        }
    }

    #[test]
    fn all_else_is_no_hint() {
        for text in [
            "",
            "SELECT 1",
            "SELECT 'it''s /* tidegate: route=primary */'",
            "SELECT \"-- tidegate: route=primary\"",
            "SELECT `/* tidegate: route=primary */` FROM t",
            "SELECT 1 /* use tidegate: route=primary */",
            "SELECT 1 /* tidegate route=primary */",
            "SELECT 1 /* TIDEGATE: ROUTE=primary */",
            "SELECT 1 /* tidegate: reroute=primary */",
            "SELECT 1 /* tidegate: route */",
            "SELECT 1 /*+ tidegate: route=primary */",
            "SELECT 1 /*! tidegate: route=primary */",
            "SELECT 1 --tidegate: route=primary",
        ] {
            assert_eq!(route(text), None, "{text}");
        }
        assert_eq!(hint(b"/* tidegate: route=\xff */ SELECT 1", Dialect::Mysql, "route"), None);
    }

    #[test]
    fn what_is_a_comment_depends_on_the_dialect() {
        for (text, expected) in [
            ("SELECT 1 --tidegate: route=primary", true),
            ("SELECT 1 /* tidegate: route=primary /* c */ */", true),
            ("SELECT 1 /* c /* tidegate: route=primary */ */", false),
            ("SELECT 1 # tidegate: route=primary", false),
            ("SELECT $$ /* tidegate: route=primary */ $$", false),
            ("SELECT E'\\' -- tidegate: route=primary'", false),
        ] {
            let found = hint(text.as_bytes(), Dialect::Postgres, "route");
            assert_eq!(found, expected.then_some("primary"), "{text}");
        }
    }

    #[test]
    fn keys_are_told_apart_and_a_value_may_be_empty() {
        let text = b"/* tidegate: a=1 b=x=y c= */ SELECT 1 -- tidegate: d=2";
        let found: Vec<_> = hints(text, Dialect::Mysql).collect();
        assert_eq!(found, [("a", "1"), ("b", "x=y"), ("c", ""), ("d", "2")]);
    }
}
