//! What only a session of PostgreSQL asks of its statements: where one ends and the next begins, what
//! it sets, and what it names on the connection.

mod objects;
mod settings;
mod statements;

pub use objects::{Name, Object, Which, object};
pub use settings::{Discard, Setting, setting};
pub use statements::{Statements, statements};

use crate::lexer::TokenKind;

/// Names are cut to this length by the server.
const LONGEST_NAME: usize = 63;

/// A name as the server reads it: in lower case unless it is quoted, without quotes, and cut to the
/// length that the server keeps. `None` of a name with escapes (`U&"…"`), and of what is no name.
fn name(kind: TokenKind, bytes: &[u8]) -> Option<Box<[u8]>> {
    let mut name = match kind {
        TokenKind::Word => bytes.to_ascii_lowercase(),
        TokenKind::QuotedName => unquoted(bytes)?,
        _ => return None,
    };
    if name.len() > LONGEST_NAME {
        // Not within a character of UTF-8.
        let is_start = |&at: &usize| name.get(at).is_some_and(|byte| byte & 0xc0 != 0x80);
        let end = (0..=LONGEST_NAME).rev().find(is_start).unwrap_or(0);
        name.truncate(end);
    }
    Some(name.into())
}

fn unquoted(bytes: &[u8]) -> Option<Vec<u8>> {
    let inside = bytes.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut name = Vec::with_capacity(inside.len());
    let mut quote = false;
    for &byte in inside {
        quote = byte == b'"' && !quote;
        if !quote {
            name.push(byte);
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_folded_unless_it_is_quoted_and_cut_between_characters() {
        let of = |kind, text: &str| name(kind, text.as_bytes()).map(|name| name.to_vec());
        assert_eq!(of(TokenKind::Word, "Ab_Ä"), Some("ab_Ä".into()));
        assert_eq!(of(TokenKind::QuotedName, "\"A\"\"\"\"b\""), Some("A\"\"b".into()));
        assert_eq!(of(TokenKind::QuotedName, "U&\"a\""), None);
        assert_eq!(of(TokenKind::QuotedName, "\""), None);
        assert_eq!(of(TokenKind::String, "'a'"), None);
        assert_eq!(of(TokenKind::Word, &"a".repeat(70)), Some(vec![b'a'; 63]));
        let long = format!("{}ä", "a".repeat(62));
        assert_eq!(of(TokenKind::Word, &long), Some(vec![b'a'; 62]));
    }
}
