//! What a statement comes to.

use tidegate_mysql_wire::error_code::{self, ErrorCode};
use tidegate_mysql_wire::packet::{Cell, ColumnDefinition, ColumnType};

/// How a statement ended well.
#[derive(Debug)]
pub(crate) enum Answer {
    Done { affected_rows: u64, last_insert_id: u64 },
    Rows(RowSet),
}

impl Answer {
    pub(crate) const DONE: Self = Self::Done { affected_rows: 0, last_insert_id: 0 };
}

/// Rows as text, with columns that say what the text is.
#[derive(Debug)]
pub(crate) struct RowSet {
    pub(crate) columns: Vec<ColumnDefinition>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl RowSet {
    /// Rows of which every value is text.
    pub(crate) fn of_text<const N: usize>(columns: [&str; N], rows: Vec<[String; N]>) -> Self {
        let column = |name: &str| ColumnDefinition::new(name, ColumnType::VAR_STRING);
        let row = |row: [String; N]| row.into_iter().map(|text| Some(text.into_bytes())).collect();
        Self {
            columns: columns.into_iter().map(column).collect(),
            rows: rows.into_iter().map(row).collect(),
        }
    }
}

/// Why a statement was not carried out, in words and in numbers that MySQL's clients know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new(error_code::ER_NOT_SUPPORTED_YET, format!("{what} is not part of this server"))
    }

    /// SQLite's words carry more than its numbers.
    pub(crate) fn of_sqlite(error: &rusqlite::Error) -> Self {
        let message = match error {
            // Its other words repeat the statement.
            rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
            other => other.to_string(),
        };
        let code = CODES.iter().find(|(part, _)| message.contains(part));
        Self::new(code.map_or(error_code::ER_PARSE, |(_, code)| *code), message)
    }
}

/// What SQLite says, and what MySQL calls it. All else is taken for a syntax error.
const CODES: [(&str, ErrorCode); 6] = [
    ("no such table", ErrorCode { code: 1146, sqlstate: *b"42S02" }),
    ("no such column", ErrorCode { code: 1054, sqlstate: *b"42S22" }),
    ("UNIQUE constraint", ErrorCode { code: 1062, sqlstate: *b"23000" }),
    ("NOT NULL constraint", ErrorCode { code: 1048, sqlstate: *b"23000" }),
    ("database is locked", ErrorCode { code: 1205, sqlstate: *b"HY000" }),
    ("system variable", ErrorCode { code: 1193, sqlstate: *b"HY000" }),
];
