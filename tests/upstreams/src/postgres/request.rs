//! From PostgreSQL's SQL to SQLite's: what must be understood before SQLite sees a statement.

use tidegate_postgres_wire::message::ErrorResponse;

use super::error::{SYNTAX_ERROR, error};
use crate::sql::{self, Part};

/// What a statement asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Begin,
    Commit,
    Rollback,
    /// Back to a savepoint: what a failed transaction accepts besides its end.
    RollbackTo,
    Set {
        name: String,
        /// `None` for what the session began with.
        value: Option<String>,
        /// Until the end of the transaction.
        local: bool,
    },
    /// One setting, or all, to what the session began with.
    Reset(Option<String>),
    /// A setting.
    Show(String),
    /// One prepared statement, or all.
    Deallocate(Option<String>),
    DiscardAll,
    /// All that SQLite understands as it is.
    Sqlite,
}

/// Looks at the first words of a statement.
pub(super) fn request(text: &str) -> Result<Request, ErrorResponse> {
    let words: Vec<&str> = sql::words(text).take(3).collect();
    let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
    let named = |at: usize| words.get(at).map(|name| (*name).to_owned());
    let request = match upper.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["BEGIN", ..] | ["START", "TRANSACTION", ..] => Request::Begin,
        ["COMMIT" | "END", ..] => Request::Commit,
        ["ROLLBACK", "TO", ..] => Request::RollbackTo,
        ["ROLLBACK" | "ABORT", ..] => Request::Rollback,
        ["SET", ..] => set(text)?,
        ["RESET", "ALL"] => Request::Reset(None),
        ["RESET", _] => Request::Reset(named(1)),
        ["SHOW", name] => Request::Show(name.to_ascii_lowercase()),
        ["DEALLOCATE", "ALL"] | ["DEALLOCATE", "PREPARE", "ALL"] => Request::Deallocate(None),
        ["DEALLOCATE", "PREPARE", _] => Request::Deallocate(named(2)),
        ["DEALLOCATE", _] => Request::Deallocate(named(1)),
        ["DISCARD", "ALL"] => Request::DiscardAll,
        _ => Request::Sqlite,
    };
    Ok(request)
}

/// `SET [SESSION | LOCAL] name { = | TO } value`, and the two that have words of their own.
fn set(text: &str) -> Result<Request, ErrorResponse> {
    let (_, mut rest) = split_word(sql::without_comments(text));
    let (scope, behind) = split_word(rest);
    let local = scope.eq_ignore_ascii_case("LOCAL");
    if local || scope.eq_ignore_ascii_case("SESSION") {
        rest = behind;
    }
    let (name, rest) = split_word(rest);
    let (name, value) = match name.to_ascii_uppercase().as_str() {
        "TIME" => ("TimeZone", split_word(rest).1),
        "NAMES" => ("client_encoding", rest),
        _ => match (rest.strip_prefix('='), split_word(rest)) {
            (Some(value), _) => (name, value),
            (None, (to, value)) if to.eq_ignore_ascii_case("TO") => (name, value),
            _ => return Err(syntax_error(text)),
        },
    };
    let value = value.trim().trim_end_matches(';').trim_end();
    if name.is_empty() || value.is_empty() {
        return Err(syntax_error(text));
    }
    let quoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    let value = match quoted {
        Some(value) => Some(value.replace("''", "'")),
        None if value.eq_ignore_ascii_case("DEFAULT") => None,
        None => Some(value.to_owned()),
    };
    Ok(Request::Set { name: name.to_owned(), value, local })
}

/// The name that `text` begins with, and what is behind it and the space.
fn split_word(text: &str) -> (&str, &str) {
    let ends = |c: char| c.is_whitespace() || c == '=';
    let (word, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    (word, rest.trim_start())
}

fn syntax_error(text: &str) -> ErrorResponse {
    error(SYNTAX_ERROR, format!("syntax error in \"{text}\""))
}

/// The statements of a query, without those that say nothing.
pub(super) fn statements(text: &str) -> Vec<&str> {
    let (mut statements, mut start, mut at) = (Vec::new(), 0, 0);
    for part in sql::parts(text) {
        at += match part {
            Part::Fixed(part) => part.len(),
            Part::Code(part) => {
                for (end, _) in part.match_indices(';') {
                    statements.push(&text[start..at + end]);
                    start = at + end + 1;
                }
                part.len()
            }
        };
    }
    statements.push(&text[start..]);
    statements.retain(|statement| !sql::without_comments(statement).is_empty());
    statements
}

/// Writes `$1` as SQLite has it.
pub(super) fn translate(text: &str) -> String {
    sql::rewrite(text, |code, out| {
        let mut characters = code.chars().peekable();
        while let Some(character) = characters.next() {
            let is_parameter =
                character == '$' && characters.peek().is_some_and(char::is_ascii_digit);
            out.push(if is_parameter { '?' } else { character });
        }
    })
}

/// What is said when a statement is done.
pub(super) fn tag(text: &str, rows: u64) -> String {
    let is_option = |word: &String| ["TEMP", "TEMPORARY", "UNIQUE"].contains(&word.as_str());
    let words = sql::words(text).map(str::to_ascii_uppercase).filter(|word| !is_option(word));
    let words: Vec<String> = words.take(2).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["INSERT" | "REPLACE", ..] => format!("INSERT 0 {rows}"),
        [verb @ ("UPDATE" | "DELETE"), ..] => format!("{verb} {rows}"),
        ["SELECT" | "VALUES" | "WITH", ..] => format!("SELECT {rows}"),
        ["CREATE" | "DROP" | "ALTER", _] => words.join(" "),
        other => other.first().copied().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_to(name: &str, value: Option<&str>, local: bool) -> Request {
        Request::Set { name: name.to_owned(), value: value.map(str::to_owned), local }
    }

    #[test]
    fn requests_are_known_by_their_first_words() {
        let text = |name: &str| Some(name.to_owned());
        for (statement, expected) in [
            ("begin isolation level serializable", Request::Begin),
            ("/* a */ START TRANSACTION", Request::Begin),
            ("end", Request::Commit),
            ("ROLLBACK WORK", Request::Rollback),
            ("rollback to a", Request::RollbackTo),
            ("SHOW TimeZone;", Request::Show("timezone".to_owned())),
            ("RESET all", Request::Reset(None)),
            ("RESET DateStyle", Request::Reset(text("DateStyle"))),
            ("DEALLOCATE s1", Request::Deallocate(text("s1"))),
            ("DEALLOCATE PREPARE ALL", Request::Deallocate(None)),
            ("DISCARD ALL", Request::DiscardAll),
            ("SHOW", Request::Sqlite),
            ("showing x", Request::Sqlite),
            ("SELECT 1", Request::Sqlite),
        ] {
            assert_eq!(request(statement).unwrap(), expected, "{statement}");
        }
    }

    #[test]
    fn settings_are_set_in_every_way() {
        for (statement, expected) in [
            ("SET a=b", set_to("a", Some("b"), false)),
            ("set session a to 'it''s b';", set_to("a", Some("it's b"), false)),
            ("SET LOCAL search_path = a, \"b\"", set_to("search_path", Some("a, \"b\""), true)),
            ("SET a TO DEFAULT", set_to("a", None, false)),
            ("SET TIME ZONE 'UTC'", set_to("TimeZone", Some("UTC"), false)),
            ("SET NAMES 'UTF8'", set_to("client_encoding", Some("UTF8"), false)),
        ] {
            assert_eq!(request(statement).unwrap(), expected, "{statement}");
        }
        for wrong in ["SET", "SET a", "SET a b", "SET a =", "SET = b"] {
            assert_eq!(request(wrong).unwrap_err().sqlstate(), SYNTAX_ERROR, "{wrong}");
        }
    }

    #[test]
    fn statements_end_where_nothing_is_quoted() {
        let text = "SELECT ';' /* ; */; -- ;\n;UPDATE t SET a = \";\" ; ";
        assert_eq!(statements(text), ["SELECT ';' /* ; */", "UPDATE t SET a = \";\" "]);
        assert!(statements(" ; -- nothing").is_empty());
    }

    #[test]
    fn parameters_have_their_numbers() {
        assert_eq!(translate("SELECT $2, '$1', $1 + $a"), "SELECT ?2, '$1', ?1 + $a");
    }

    #[test]
    fn statements_say_what_they_have_done() {
        for (statement, expected) in [
            ("insert into t values (1)", "INSERT 0 3"),
            ("DELETE FROM t", "DELETE 3"),
            ("VALUES(1)", "SELECT 3"),
            ("CREATE UNIQUE INDEX i ON t (a)", "CREATE INDEX"),
            ("drop table t", "DROP TABLE"),
            ("SAVEPOINT a", "SAVEPOINT"),
        ] {
            assert_eq!(tag(statement, 3), expected);
        }
    }
}
