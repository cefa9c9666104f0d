//! PgBouncer's `userlist.txt`.
//!
//! ```text
//! ; a comment
//! "name" "password, md5… or SCRAM-SHA-256$…"   what follows is passed over
//! ```
//! A quote within quotes is written twice.
//!
//! <https://www.pgbouncer.org/config.html#authentication-file-format>

use std::fmt;

use zeroize::Zeroizing;

/// A user of the list.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub user: String,
    /// For [`Verifier::parse_unlabelled`](super::Verifier::parse_unlabelled).
    pub secret: Zeroizing<String>,
}

/// A place in the list that cannot be understood. What stands there may be a password, and is not
/// shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ListError {
    /// Counted from 1.
    pub line: usize,
    pub what: &'static str,
}

/// Reads a list. A user may be there more than once; the last time counts.
///
/// # Errors
/// A [`ListError`] at the first place that is not of this form.
pub fn parse(text: &str) -> Result<Vec<Entry>, ListError> {
    let mut list = List { rest: text, line: 1 };
    let mut entries = Vec::new();
    loop {
        list.skip_blank();
        match list.rest.chars().next() {
            None => return Ok(entries),
            Some(';') => {}
            Some(_) => {
                let user = list.quoted("a user's name in double quotes is expected")?;
                let secret = list.secret()?;
                entries.push(Entry { user: user.as_str().to_owned(), secret });
            }
        }
        list.skip_line();
    }
}

struct List<'a> {
    rest: &'a str,
    line: usize,
}

impl List<'_> {
    fn secret(&mut self) -> Result<Zeroizing<String>, ListError> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        self.quoted("a password in double quotes is expected behind the name")
    }

    /// What stands in quotes at this place; else, `what` is wrong.
    fn quoted(&mut self, what: &'static str) -> Result<Zeroizing<String>, ListError> {
        let line = self.line;
        let Some(mut rest) = self.rest.strip_prefix('"') else {
            return Err(ListError { line, what });
        };
        let mut text = Zeroizing::new(String::with_capacity(rest.find('"').unwrap_or_default()));
        loop {
            let Some((part, behind)) = rest.split_once('"') else {
                return Err(ListError { line, what: "a quote is not closed" });
            };
            self.line += part.matches('\n').count();
            text.push_str(part);
            match behind.strip_prefix('"') {
                Some(more) => {
                    text.push('"');
                    rest = more;
                }
                None => {
                    self.rest = behind;
                    return Ok(text);
                }
            }
        }
    }

    fn skip_blank(&mut self) {
        let rest = self.rest.trim_start();
        let skipped = &self.rest[..self.rest.len() - rest.len()];
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, String)> {
        let entries = parse(text).unwrap();
        entries.into_iter().map(|entry| (entry.user, entry.secret.to_string())).collect()
    }

    fn pair(user: &str, secret: &str) -> (String, String) {
        (user.to_owned(), secret.to_owned())
    }

    #[test]
    fn users_stand_one_behind_the_other() {
        let text = "\n; comment \"x\" \"y\"\n\"marko\" \"asdasd\"\r\n  \"joe\"\t\"md5d578\" \"old\" junk\n\
                    \"a\"\"b\" \"\"\"\"\n\"empty\" \"\"\n\"last\" \"\"\"x\"\"y\"\"\"";
        let expected = [
            pair("marko", "asdasd"),
            pair("joe", "md5d578"),
            pair("a\"b", "\""),
            pair("empty", ""),
            pair("last", "\"x\"y\""),
        ];
        assert_eq!(entries(text), expected);
        assert!(entries("").is_empty());
    }

    #[test]
    fn a_fault_is_found_where_it_is() {
        for (text, line, what) in [
            ("\"a\" \"b\"\n\nmarko \"x\"", 3, "a user's name in double quotes is expected"),
            ("\"a\"\n\"b\" \"c\"", 1, "a password in double quotes is expected behind the name"),
            ("\"a\" b", 1, "a password in double quotes is expected behind the name"),
            ("; x\n\"a\" \"b", 2, "a quote is not closed"),
            ("\"a\n\" \"b\"\n\"c", 3, "a quote is not closed"),
            ("\"a\" \"b\"\"", 1, "a quote is not closed"),
        ] {
            assert_eq!(parse(text), Err(ListError { line, what }), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", parse("\"app\" \"secret\"").unwrap());
        assert_eq!(shown, "[Entry { user: \"app\", .. }]");
    }
}
