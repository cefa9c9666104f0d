//! From MySQL's SQL to SQLite's: what must be understood before SQLite sees a statement.

/// What a statement asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
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
pub(crate) fn request(text: &str) -> Request {
    let mut words = words(text);
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

/// The words of a statement, without what encloses and separates them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| c.is_whitespace() || matches!(c, ';' | '`' | '\'' | '"' | '=' | ',');
    without_comments(text).split(separates).filter(|word| !word.is_empty())
}

/// The statement without the comments that it begins with.
fn without_comments(text: &str) -> &str {
    let text = text.trim_start();
    let rest = match text.strip_prefix("/*") {
        Some(comment) => comment.split_once("*/"),
        None => text.strip_prefix("--").and_then(|comment| comment.split_once('\n')),
    };
    rest.map_or(text, |(_, rest)| without_comments(rest))
}

/// The function that stands in for `@@name`.
pub(crate) const VARIABLE: &str = "system_variable";

/// Writes `@@name` as a call that SQLite can make. What is quoted stays as it is.
pub(crate) fn translate(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.find(['@', '\'', '"', '`']) {
        let (before, from) = rest.split_at(next);
        out.push_str(before);
        rest = match from.strip_prefix("@@") {
            Some(name) => variable(name, &mut out),
            None => quoted(from, &mut out),
        };
    }
    out.push_str(rest);
    out
}

/// The name of a column as the client wrote it, before [`translate`].
pub(crate) fn column_name(name: &str) -> String {
    let variable = name.strip_prefix(VARIABLE).and_then(|call| call.strip_prefix("('"));
    match variable.and_then(|call| call.strip_suffix("')")) {
        Some(variable) => format!("@@{variable}"),
        None => name.to_owned(),
    }
}

fn variable<'a>(text: &'a str, out: &mut String) -> &'a str {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let (name, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    out.push_str(&format!("{VARIABLE}('{}')", name.to_ascii_lowercase()));
    rest
}

/// Copies what begins with a quote up to the same quote; of anything else, one character.
fn quoted<'a>(text: &'a str, out: &mut String) -> &'a str {
    let mut characters = text.char_indices();
    let quote = characters.next().map_or('@', |(_, quote)| quote);
    let end = match quote {
        '@' => Some(1),
        _ => characters.find(|(_, c)| *c == quote).map(|(at, _)| at + 1),
    };
    let (copied, rest) = text.split_at(end.unwrap_or(text.len()));
    out.push_str(copied);
    rest
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
