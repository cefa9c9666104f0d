//! `SHOW …`: the few that clients and proxies ask for.

use super::answer::{Refusal, RowSet};
use super::variables;
use crate::server::{Role, Server};
use crate::{DATABASE, sql};

/// What a `SHOW` shows.
pub(super) enum Shown {
    /// Known without the database.
    Rows(RowSet),
    /// A statement for SQLite.
    Query(String),
}

/// Answers the `SHOW` in `text`.
pub(super) fn show(text: &str, server: &Server) -> Result<Shown, Refusal> {
    let words: Vec<String> = sql::words(text).map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let rows = match words.as_slice() {
        [_, "databases", ..] => RowSet::of_text(["Database"], vec![[DATABASE.to_owned()]]),
        [_, "tables", ..] | [_, "full", "tables", ..] => return Ok(Shown::Query(tables())),
        [_, "warnings" | "errors", ..] => RowSet::of_text(["Level", "Code", "Message"], vec![]),
        [_, "variables", rest @ ..] | [_, "global" | "session", "variables", rest @ ..] => {
            matching(rest, server)
        }
        [_, "slave" | "replica", "status"] => replication(server),
        _ => return Err(Refusal::unsupported("this SHOW")),
    };
    Ok(Shown::Rows(rows))
}

fn tables() -> String {
    format!(
        "SELECT name AS Tables_in_{DATABASE} FROM sqlite_master WHERE type = 'table' ORDER BY 1"
    )
}

/// `LIKE 'pattern'`, of which only a trailing `%` is understood, or everything.
fn matching(condition: &[&str], server: &Server) -> RowSet {
    let wanted = |name: &str| match condition {
        ["like", pattern] => match pattern.strip_suffix('%') {
            Some(start) => name.starts_with(start),
            None => name == *pattern,
        },
        _ => true,
    };
    let rows = variables::all(server).into_iter().filter(|(name, _)| wanted(name));
    let rows = rows.map(|(name, value)| [name.to_owned(), value]).collect();
    RowSet::of_text(["Variable_name", "Value"], rows)
}

/// One shared file has no lag.
fn replication(server: &Server) -> RowSet {
    let rows = match server.role {
        Role::Primary => vec![],
        Role::Replica => vec![["Yes", "Yes", "0"].map(str::to_owned)],
    };
    RowSet::of_text(["Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"], rows)
}
