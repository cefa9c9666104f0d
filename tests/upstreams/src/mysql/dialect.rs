//! From MySQL's SQL to SQLite's: what must be understood before SQLite sees a statement.

use crate::sql;

/// What a statement asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Begin,
    Commit,
    Rollback,
    /// `SET …`: accepted, for drivers set what does not exist here.
    Set,
    Show,
    Use,
    /// All that SQLite understands as it is.
    Sqlite,
}

/// Looks at the first words of a statement.
pub(super) fn request(text: &str) -> Request {
    let mut words = sql::words(text);
    let first = words.next().unwrap_or_default().to_ascii_uppercase();
    let second = words.next().unwrap_or_default().to_ascii_uppercase();
    match (first.as_str(), second.as_str()) {
        ("BEGIN", _) | ("START", "TRANSACTION") => Request::Begin,
        ("COMMIT", _) => Request::Commit,
        // `ROLLBACK TO a_savepoint` is something else.
        ("ROLLBACK", "" | "WORK") => Request::Rollback,
        ("SET", _) => Request::Set,
        ("SHOW", _) => Request::Show,
        ("USE", _) => Request::Use,
        _ => Request::Sqlite,
    }
}

/// The function that stands in for `@@name`.
pub(super) const VARIABLE: &str = "system_variable";

/// Writes `@@name` as a call that SQLite can make.
pub(super) fn translate(text: &str) -> String {
    sql::rewrite(text, |code, out| {
        let mut pieces = code.split("@@");
        out.extend(pieces.next());
        pieces.for_each(|piece| variable(piece, out));
    })
}

/// The name of a column as the client wrote it, before [`translate`].
pub(super) fn column_name(name: &str) -> String {
    let variable = name.strip_prefix(VARIABLE).and_then(|call| call.strip_prefix("('"));
    match variable.and_then(|call| call.strip_suffix("')")) {
        Some(variable) => format!("@@{variable}"),
        None => name.to_owned(),
    }
}

/// Writes the call for the name that `text` begins with, and what is behind the name.
fn variable(text: &str, out: &mut String) {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let (name, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    out.push_str(&format!("{VARIABLE}('{}')", name.to_ascii_lowercase()));
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_their_first_words() {
        assert_eq!(request("begin"), Request::Begin);
        assert_eq!(request(" /* hello */ START  transaction;"), Request::Begin);
        assert_eq!(request("-- a comment\ncommit"), Request::Commit);
        assert_eq!(request("ROLLBACK;"), Request::Rollback);
        assert_eq!(request("ROLLBACK TO a"), Request::Sqlite);
        assert_eq!(request("set names utf8mb4"), Request::Set);
        assert_eq!(request("beginning"), Request::Sqlite);
        assert_eq!(request("/* only this"), Request::Sqlite);
    }

    #[test]
    fn variables_become_calls() {
        let text = translate("SELECT @@SERVER_ID, '@@a', @@global.read_only");
        assert_eq!(
            text,
            "SELECT system_variable('server_id'), '@@a', system_variable('global.read_only')"
        );
        assert_eq!(translate("a @b 'open @@c"), "a @b 'open @@c");
    }

    #[test]
    fn columns_keep_their_names() {
        assert_eq!(column_name("system_variable('server_id')"), "@@server_id");
        assert_eq!(column_name("count(*)"), "count(*)");
    }
}
