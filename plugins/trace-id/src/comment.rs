//! Comments as sqlcommenter writes them: `/*application='shop',traceparent='00-…-01'*/`.
//!
//! <https://google.github.io/sqlcommenter/spec/>

use std::fmt::Write as _;

use tidegate_sdk::sql_text::{Dialect, TokenKind, tokens};

use crate::trace::Trace;

/// The trace under the first of these keys that a comment has; earlier keys go before earlier comments.
pub(crate) fn find(text: &str, keys: &[String], dialect: Dialect) -> Option<Trace> {
    // Hardly any text has one, and looking for the word is quicker than cutting the text into tokens.
    let mut mentioned = keys.iter().filter(|key| text.contains(key.as_str()));
    mentioned.find_map(|key| {
        let comments =
            tokens(text.as_bytes(), dialect).filter(|token| token.kind == TokenKind::Comment);
        let mut pairs = comments.filter_map(|comment| inside(comment.bytes)).flat_map(Pairs);
        pairs.find_map(|(name, value)| if name == *key { Trace::new(key, &value) } else { None })
    })
}

/// The text of a block comment.
fn inside(comment: &[u8]) -> Option<&str> {
    str::from_utf8(comment.strip_prefix(b"/*")?.strip_suffix(b"*/")?).ok()
}

/// The pairs of a comment, up to what is none.
struct Pairs<'a>(&'a str);

impl Iterator for Pairs<'_> {
    type Item = (String, String);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = self.0.trim_start_matches([',', ' ']).split_once("='")?;
        let mut value = String::new();
        let mut characters = rest.chars();
        loop {
            match characters.next()? {
                '\'' => break,
                '\\' => value.push(characters.next()?),
                other => value.push(other),
            }
        }
        self.0 = characters.as_str();
        Some((decode(key.trim())?, decode(&value)?))
    }
}

/// Undoes the encoding of URLs.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        rest = behind;
        bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The text with a comment that names the trace, behind its last word: what follows are comments and
/// semicolons, one of which might hide it, and the other make it a statement of its own.
pub(crate) fn append(text: &str, trace: &Trace, dialect: Dialect) -> String {
    let beside = |kind, bytes: &[u8]| kind == TokenKind::Comment || bytes == b";";
    let words = tokens(text.as_bytes(), dialect).filter(|token| !beside(token.kind, token.bytes));
    let start = text.as_ptr().addr();
    let end = words.last().map_or(0, |last| last.bytes.as_ptr().addr() + last.bytes.len() - start);
    let (statement, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    format!("{statement} /*{}='{}'*/{rest}", encode(&trace.key), encode(&trace.value))
}

/// The encoding of URLs.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes all that is written");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn found(text: &str) -> Option<String> {
        let keys = ["traceparent", "trace_id"].map(str::to_owned);
        find(&text.replace('@', VALID), &keys, Dialect::Mysql).map(|trace| trace.value)
    }

    #[test]
    fn a_trace_is_found_in_any_block_comment() {
        for text in [
            "SELECT 1 /*traceparent='@'*/",
            "/*traceparent='@'*/ SELECT 1",
            "SELECT /* traceparent='@' */ 1",
            "SELECT 1 /*action='%2Fa%20b',application='it\\'s',traceparent='@',tracestate='a%3D1'*/;",
            "SELECT '/*traceparent=' /* no pairs here */ /*traceparent='@'*/",
            "SELECT 1 /*trace%70arent='@'*/ -- traceparent",
            "SELECT 1 /*traceparent='00'*/ /*traceparent='@'*/",
            "SELECT 1 /*trace_id='7'*/ /*traceparent='@'*/",
        ] {
            assert_eq!(found(text).as_deref(), Some(VALID), "{text}");
        }
        assert_eq!(found("SELECT 1 /*trace_id='a%2Fb'*/").as_deref(), Some("a/b"));
    }

    #[test]
    fn all_else_is_none() {
        for text in [
            "SELECT 1",
            "SELECT '/*traceparent=''@''*/'",
            "SELECT 1 -- traceparent='@'",
            "SELECT 1 # traceparent='@'",
            "SELECT 1 /*traceparent=@*/",
            "SELECT 1 /*traceparent='@*/",
            "SELECT 1 /*traceparent='@'",
            "SELECT 1 /*+ traceparent='@' */",
            "SELECT 1 /*!50000 traceparent='@' */",
            "SELECT 1 /*xtraceparent='@'*/",
            "SELECT 1 /*TRACEPARENT='@'*/",
            "SELECT 1 /*a=1,traceparent='@'*/",
            "SELECT 1 /*traceparent='%zz'*/",
            "SELECT 1 /*traceparent='%0'*/",
            "SELECT 1 /*traceparent='\\",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn a_comment_is_put_where_it_is_one() {
        let trace = Trace::new("trace_id", "a/b").unwrap();
        for (text, expected) in [
            ("SELECT 1", "SELECT 1 #"),
            ("SELECT 1;", "SELECT 1 #;"),
            ("SELECT 1 ; ", "SELECT 1 # ; "),
            ("SELECT 1 -- all of it", "SELECT 1 # -- all of it"),
            ("SELECT 1 # ;\n", "SELECT 1 # # ;\n"),
            ("SELECT 1 /* open", "SELECT 1 # /* open"),
            ("SELECT 'a;' /*!, 1 */", "SELECT 'a;' /*!, 1 */ #"),
            ("SELECT 1; SELECT 2; -- two", "SELECT 1; SELECT 2 #; -- two"),
            ("/* first */ SELECT 'ü'", "/* first */ SELECT 'ü' #"),
        ] {
            let expected = expected.replacen('#', "/*trace_id='a%2Fb'*/", 1);
            assert_eq!(append(text, &trace, Dialect::Mysql), expected);
        }
    }

    #[test]
    fn what_was_appended_is_found() {
        let trace = Trace::new("trace_id", "a.b:c@d/e+f=_-").unwrap();
        let text = append("SELECT 1", &trace, Dialect::Mysql);
        assert_eq!(find(&text, &["trace_id".to_owned()], Dialect::Mysql), Some(trace));
    }
}
