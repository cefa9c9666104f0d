//! What a statement comes to, as MySQL's clients are told.

use rusqlite::types::Value;
use tidegate_mysql_wire::error_code::{self, ErrorCode};
use tidegate_mysql_wire::packet::{Cell, ColumnDefinition, ColumnType};

use crate::store::{Column, Failure, Kind, Outcome, Rows};

/// How a statement ended well.
#[derive(Debug)]
pub(super) enum Answer {
    Done { affected_rows: u64, last_insert_id: u64 },
    Rows(RowSet),
}

impl Answer {
    pub(super) const DONE: Self = Self::Done { affected_rows: 0, last_insert_id: 0 };
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done { changed_rows, last_insert_id } => {
                Self::Done { affected_rows: changed_rows, last_insert_id }
            }
            Outcome::Rows(Rows { columns, values }) => {
                let cells = |row: Vec<Value>| row.into_iter().map(cell).collect();
                Self::Rows(RowSet {
                    columns: columns.into_iter().map(column_definition).collect(),
                    rows: values.into_iter().map(cells).collect(),
                })
            }
        }
    }
}

/// Rows as text, with columns that say what the text is.
#[derive(Debug)]
pub(super) struct RowSet {
    pub(super) columns: Vec<ColumnDefinition>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl RowSet {
    /// Rows of which every value is text.
    pub(super) fn of_text<const N: usize>(columns: [&str; N], rows: Vec<[String; N]>) -> Self {
        let column = |name: &str| ColumnDefinition::new(name, ColumnType::VAR_STRING);
        let row = |row: [String; N]| row.into_iter().map(|text| Some(text.into_bytes())).collect();
        Self {
            columns: columns.into_iter().map(column).collect(),
            rows: rows.into_iter().map(row).collect(),
        }
    }
}

pub(super) fn column_definition(Column { name, kind }: Column) -> ColumnDefinition {
    let kind = match kind {
        Kind::Integer => ColumnType::LONGLONG,
        Kind::Real => ColumnType::DOUBLE,
        Kind::Text => ColumnType::VAR_STRING,
        Kind::Blob => ColumnType::BLOB,
    };
    ColumnDefinition::new(super::dialect::column_name(&name), kind)
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string().into_bytes()),
        Value::Real(number) => Some(number.to_string().into_bytes()),
        Value::Text(text) => Some(text.into_bytes()),
        Value::Blob(bytes) => Some(bytes),
    }
}

/// Why a statement was not carried out, in words and in numbers that MySQL's clients know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn unsupported(what: &str) -> Self {
        Self::new(error_code::ER_NOT_SUPPORTED_YET, format!("{what} is not part of this server"))
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ReadOnly => Self::new(error_code::ER_OPTION_PREVENTS_STATEMENT, READ_ONLY),
            Failure::Sqlite(message) => {
                let code = CODES.iter().find(|(part, _)| message.contains(part));
                Self::new(code.map_or(error_code::ER_PARSE, |(_, code)| *code), message)
            }
        }
    }
}

const READ_ONLY: &str =
    "The server is running with the --read-only option so it cannot execute this statement";

/// What SQLite says, and what MySQL calls it. All else is taken for a syntax error.
const CODES: [(&str, ErrorCode); 6] = [
    ("no such table", ErrorCode { code: 1146, sqlstate: *b"42S02" }),
    ("no such column", ErrorCode { code: 1054, sqlstate: *b"42S22" }),
    ("UNIQUE constraint", ErrorCode { code: 1062, sqlstate: *b"23000" }),
    ("NOT NULL constraint", ErrorCode { code: 1048, sqlstate: *b"23000" }),
    ("database is locked", ErrorCode { code: 1205, sqlstate: *b"HY000" }),
    ("system variable", ErrorCode { code: 1193, sqlstate: *b"HY000" }),
];
