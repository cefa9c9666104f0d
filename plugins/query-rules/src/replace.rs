//! Puts a `replace_pattern` in the place of what its `match_pattern` matches.

use regex::Regex;
use tidegate_sdk::sql_text::{Dialect, TokenKind, tokens};

use crate::rule::Replace;

/// No statement grows beyond this, in bytes.
const LENGTH_MAX: usize = 1 << 20;

/// The text with its first match replaced, or with all; `None` where it would grow too long.
pub(crate) fn replace(
    pattern: &Regex,
    with: &Replace,
    text: &str,
    dialect: Dialect,
) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    let many = if with.global { usize::MAX } else { 1 };
    for captures in pattern.captures_iter(text).take(many) {
        let found = captures.get_match();
        out.push_str(&text[rest..found.start()]);
        with.template.expand(&captures, dialect, &mut out);
        rest = found.end();
        if out.len() > LENGTH_MAX {
            return None;
        }
    }
    out.push_str(&text[rest..]);
    (out.len() <= LENGTH_MAX).then_some(out)
}

/// How many values have to be bound to a prepared statement: one for each `?`, or up to the highest `$1`.
pub(crate) fn placeholders(text: &str, dialect: Dialect) -> usize {
    let all = tokens(text.as_bytes(), dialect).filter(|token| token.kind == TokenKind::Placeholder);
    match dialect {
        Dialect::Mysql => all.count(),
        Dialect::Postgres => all.filter_map(|token| number(token.bytes)).max().unwrap_or(0),
    }
}

/// The number of `$1`.
fn number(placeholder: &[u8]) -> Option<usize> {
    str::from_utf8(placeholder.strip_prefix(b"$")?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    fn replaced(pattern: &str, template: &str, global: bool, text: &str) -> Option<String> {
        let pattern = Regex::new(pattern).unwrap();
        let template = Template::parse(template, pattern.captures_len()).unwrap();
        replace(&pattern, &Replace { template, global }, text, Dialect::Mysql)
    }

    #[test]
    fn the_first_match_or_all_are_replaced() {
        let text = "SELECT 1, 2, 3";
        let once = replaced("[0-9]", "<\\0>", false, text);
        assert_eq!(once.as_deref(), Some("SELECT <1>, 2, 3"));
        let all = replaced("[0-9]", "<\\0>", true, text);
        assert_eq!(all.as_deref(), Some("SELECT <1>, <2>, <3>"));
        assert_eq!(replaced("x", "y", true, text).as_deref(), Some(text));
        assert_eq!(replaced("", "-", true, "aé").as_deref(), Some("-a-é-"));
    }

    #[test]
    fn a_text_does_not_grow_without_bound() {
        let long = "a".repeat(64 << 10);
        assert_eq!(replaced("a", &"b".repeat(100), true, &long), None);
        assert_eq!(replaced("a", "\\0\\0", true, &long).map(|text| text.len()), Some(128 << 10));
    }

    #[test]
    fn placeholders_in_literals_are_none() {
        assert_eq!(placeholders("SELECT ?, '?' FROM t WHERE a = ? -- ?", Dialect::Mysql), 2);
        let text = "SELECT $2, '$9', $$ $8 $$, a ? 'b' FROM t WHERE a = $1 OR b = $2 --$7";
        assert_eq!(placeholders(text, Dialect::Postgres), 2);
        assert_eq!(placeholders("SELECT a ? 'b'", Dialect::Postgres), 0);
    }
}
