//! The columns of a result, and its rows.

use bytes::BytesMut;
use rusqlite::types::Value;
use tidegate_postgres_wire::message::{self, DataRow, ErrorResponse};

use super::bind::Formats;
use super::types::{self, Format, Type};
use crate::store;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Type,
}

impl From<store::Column> for Column {
    fn from(column: store::Column) -> Self {
        let name = column_name(&column.name).to_owned();
        let kind = match name.as_str() {
            // SQLite has numbers for it.
            "pg_is_in_recovery" => Type::BOOL,
            _ => column.kind.into(),
        };
        Self { name, kind }
    }
}

/// The result of a call has the name of the function, without its parameters.
fn column_name(name: &str) -> &str {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match name.split_once('(') {
        Some((function, rest))
            if !function.is_empty() && is_name(function) && rest.ends_with(')') =>
        {
            function
        }
        _ => name,
    }
}

/// Writes a `RowDescription`.
pub(super) fn describe(columns: &[Column], formats: &Formats, out: &mut BytesMut) {
    let column = |(at, column): (usize, &Column)| message::Column {
        name: column.name.clone(),
        type_oid: column.kind.0,
        binary: formats.of(at) == Format::Binary,
    };
    let columns: Vec<_> = columns.iter().enumerate().map(column).collect();
    message::row_description(&columns, out);
}

/// Writes a `DataRow`.
pub(super) fn write_row(
    columns: &[Column],
    formats: &Formats,
    row: &[Value],
    out: &mut BytesMut,
) -> Result<(), ErrorResponse> {
    let cells = columns.iter().zip(row).enumerate();
    let cells =
        cells.map(|(at, (column, value))| types::encode(value, column.kind, formats.of(at)));
    let cells: Vec<Option<Vec<u8>>> = cells.collect::<Result<_, _>>()?;
    DataRow::encode(&cells, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Kind;

    #[test]
    fn calls_are_named_by_their_function() {
        let column = |name: &str| {
            let Column { name, kind } =
                store::Column { name: name.to_owned(), kind: Kind::Integer }.into();
            (name, kind)
        };
        assert_eq!(column("count(*)"), ("count".to_owned(), Type::INT8));
        assert_eq!(column("pg_is_in_recovery()"), ("pg_is_in_recovery".to_owned(), Type::BOOL));
        assert_eq!(column("(1)"), ("(1)".to_owned(), Type::INT8));
        assert_eq!(column("1 + f(2)"), ("1 + f(2)".to_owned(), Type::INT8));
    }
}
