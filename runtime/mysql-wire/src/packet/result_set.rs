//! Whole replies, for whoever answers in a server's place.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html>,
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>

use bytes::{BufMut, BytesMut};

use super::{ColumnDefinition, ColumnType, EofPacket, OkPacket, PrepareOk, TextRow};
use crate::capabilities::Capabilities;
use crate::frame;
use crate::lenenc;
use crate::status::StatusFlags;

/// A value as text; `None` for NULL.
pub type Cell = Option<Vec<u8>>;

/// In a binary row, NULLs are counted from this bit on.
const NULL_BITS_OFFSET: usize = 2;

/// A row cannot be written in binary form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value of column {column:?} is not of the type of that column")]
pub struct NotOfType {
    pub column: String,
}

/// Writes the reply to a `COM_QUERY` that found `rows`.
pub fn result_set(
    out: &mut BytesMut,
    sequence: &mut u8,
    columns: &[ColumnDefinition],
    rows: &[Vec<Cell>],
    capabilities: Capabilities,
    status: StatusFlags,
) {
    head(out, sequence, columns, capabilities, status);
    for row in rows {
        frame::write_with(out, sequence, |out| TextRow::encode(row, out));
    }
    end_of_rows(out, sequence, capabilities, status);
}

/// Writes the reply to a `COM_STMT_EXECUTE` that found `rows`.
///
/// # Errors
/// [`NotOfType`] if the text in a `LONGLONG` or `DOUBLE` column is no such number, or if a row
/// has not as many values as there are columns. `out` is then as it was.
pub fn binary_result_set(
    out: &mut BytesMut,
    sequence: &mut u8,
    columns: &[ColumnDefinition],
    rows: &[Vec<Cell>],
    capabilities: Capabilities,
    status: StatusFlags,
) -> Result<(), NotOfType> {
    let (start, mut next) = (out.len(), *sequence);
    head(out, &mut next, columns, capabilities, status);
    for row in rows {
        let mut payload = BytesMut::new();
        if let Err(error) = binary_row(columns, row, &mut payload) {
            out.truncate(start);
            return Err(error);
        }
        frame::write(out, &mut next, &payload);
    }
    end_of_rows(out, &mut next, capabilities, status);
    *sequence = next;
    Ok(())
}

/// Writes the reply to a `COM_STMT_PREPARE`: the statement's number and its definitions.
///
/// No more of either than 65,535 can be told.
pub fn prepared(
    out: &mut BytesMut,
    sequence: &mut u8,
    statement_id: u32,
    parameters: &[ColumnDefinition],
    columns: &[ColumnDefinition],
    capabilities: Capabilities,
    status: StatusFlags,
) {
    let count = |list: &[ColumnDefinition]| u16::try_from(list.len()).unwrap_or(u16::MAX);
    let head = PrepareOk {
        statement_id,
        columns: count(columns),
        parameters: count(parameters),
        warnings: 0,
    };
    frame::write_with(out, sequence, |out| head.encode(out));
    for list in [parameters, columns] {
        if !list.is_empty() {
            definitions(out, sequence, list, capabilities, status);
        }
    }
}

fn head(
    out: &mut BytesMut,
    sequence: &mut u8,
    columns: &[ColumnDefinition],
    capabilities: Capabilities,
    status: StatusFlags,
) {
    frame::write_with(out, sequence, |out| {
        lenenc::write_int(out, columns.len() as u64);
        if capabilities.contains(Capabilities::CACHE_METADATA) {
            // The definitions follow.
            out.put_u8(1);
        }
    });
    definitions(out, sequence, columns, capabilities, status);
}

fn definitions(
    out: &mut BytesMut,
    sequence: &mut u8,
    list: &[ColumnDefinition],
    capabilities: Capabilities,
    status: StatusFlags,
) {
    for definition in list {
        frame::write_with(out, sequence, |out| definition.encode(out, capabilities));
    }
    if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
        frame::write_with(out, sequence, |out| EofPacket { warnings: 0, status }.encode(out));
    }
}

fn end_of_rows(
    out: &mut BytesMut,
    sequence: &mut u8,
    capabilities: Capabilities,
    status: StatusFlags,
) {
    frame::write_with(out, sequence, |out| {
        match capabilities.contains(Capabilities::DEPRECATE_EOF) {
            true => {
                OkPacket { status, ..OkPacket::default() }.encode_end_of_rows(out, capabilities);
            }
            false => EofPacket { warnings: 0, status }.encode(out),
        }
    });
}

fn binary_row(
    columns: &[ColumnDefinition],
    row: &[Cell],
    out: &mut BytesMut,
) -> Result<(), NotOfType> {
    if row.len() != columns.len() {
        let column = columns.get(row.len()).map(|column| column.name.clone()).unwrap_or_default();
        return Err(NotOfType { column });
    }
    out.put_u8(0x00);
    out.put_slice(&null_bits(row));
    for (column, cell) in columns.iter().zip(row) {
        if let Some(text) = cell {
            binary_value(column, text, out)?;
        }
    }
    Ok(())
}

fn null_bits(row: &[Cell]) -> Vec<u8> {
    let mut bits = vec![0; (row.len() + NULL_BITS_OFFSET).div_ceil(8)];
    for (at, cell) in row.iter().enumerate() {
        if cell.is_none() {
            let at = at + NULL_BITS_OFFSET;
            bits[at / 8] |= 1 << (at % 8);
        }
    }
    bits
}

fn binary_value(
    column: &ColumnDefinition,
    text: &[u8],
    out: &mut BytesMut,
) -> Result<(), NotOfType> {
    let not_of_type = || NotOfType { column: column.name.clone() };
    match column.kind {
        ColumnType::LONGLONG => out.put_i64_le(parse(text).ok_or_else(not_of_type)?),
        ColumnType::DOUBLE => out.put_f64_le(parse(text).ok_or_else(not_of_type)?),
        _ => lenenc::write_bytes(out, text),
    }
    Ok(())
}

fn parse<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
