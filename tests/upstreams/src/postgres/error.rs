//! Why something was not done, in words and states that PostgreSQL's clients know.
//!
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use tidegate_postgres_wire::message::{ErrorResponse, Severity};
use tidegate_postgres_wire::sqlstate::{QUERY_CANCELED, READ_ONLY_SQL_TRANSACTION, SqlState};
use tidegate_wire::Violation;

use crate::store::Failure;

pub(super) const CHARACTER_NOT_IN_REPERTOIRE: SqlState = SqlState(*b"22021");
pub(super) const INVALID_TEXT_REPRESENTATION: SqlState = SqlState(*b"22P02");
pub(super) const INVALID_BINARY_REPRESENTATION: SqlState = SqlState(*b"22P03");
pub(super) const ACTIVE_SQL_TRANSACTION: SqlState = SqlState(*b"25001");
pub(super) const NO_ACTIVE_SQL_TRANSACTION: SqlState = SqlState(*b"25P01");
pub(super) const SYNTAX_ERROR: SqlState = SqlState(*b"42601");
pub(super) const UNDEFINED_OBJECT: SqlState = SqlState(*b"42704");
pub(super) const CANT_CHANGE_RUNTIME_PARAM: SqlState = SqlState(*b"55P02");

pub(super) fn error(code: SqlState, message: impl AsRef<str>) -> ErrorResponse {
    ErrorResponse::new(Severity::Error, code, message)
}

/// A message that breaks the protocol.
pub(super) fn broken(violation: Violation) -> ErrorResponse {
    error(SqlState::of(&violation), violation.to_string())
}

/// What the store did not do.
pub(super) fn failed(failure: Failure) -> ErrorResponse {
    match failure {
        Failure::ReadOnly => error(READ_ONLY_SQL_TRANSACTION, READ_ONLY),
        Failure::Sqlite(message) => {
            let code = CODES.iter().find(|(part, _)| message.contains(part));
            error(code.map_or(SYNTAX_ERROR, |(_, code)| *code), message)
        }
    }
}

const READ_ONLY: &str = "cannot execute this statement in a read-only transaction";

/// What SQLite or one of our functions says, and the state of it. All else is taken for a syntax
/// error.
const CODES: [(&str, SqlState); 10] = [
    ("no such table", SqlState(*b"42P01")),
    ("no such column", SqlState(*b"42703")),
    ("no such function", SqlState(*b"42883")),
    ("already exists", SqlState(*b"42P07")),
    ("UNIQUE constraint", SqlState(*b"23505")),
    ("NOT NULL constraint", SqlState(*b"23502")),
    ("database is locked", SqlState(*b"55P03")),
    ("configuration parameter", UNDEFINED_OBJECT),
    ("recovery is in progress", SqlState(*b"55000")),
    ("interrupted", QUERY_CANCELED),
];
