//! Messages that tidegate itself answers with.

use bytes::{BufMut, BytesMut};
use tidegate_hook::{Rejection, Reply, Rows};
use tidegate_postgres_wire::message::tag::backend;
use tidegate_postgres_wire::message::{
    Column, CommandComplete, ErrorResponse, ReadyForQuery, Severity, TransactionStatus,
};
use tidegate_postgres_wire::sqlstate::{INSUFFICIENT_PRIVILEGE, INTERNAL_ERROR, SqlState};
use tidegate_postgres_wire::{frame, message};
use tidegate_sql::{Dialect, Token, TokenKind, tokens};

/// The numbers of types in `pg_type`.
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const FLOAT8: u32 = 701;

/// In which form the client wants the columns of a portal: one for all, or one for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Formats(Vec<bool>);

impl Formats {
    /// Reads them off the end of a `Bind`: what stands behind its names.
    pub(super) fn of_bind(rest: &[u8]) -> Option<Self> {
        let mut reader = tidegate_wire::Reader::new(rest, "a Bind");
        let formats = reader.u16_be().ok()?;
        reader.take(usize::from(formats) * 2).ok()?;
        for _ in 0..reader.u16_be().ok()? {
            match reader.u32_be().ok()? {
                u32::MAX => {}
                len => {
                    reader.take(usize::try_from(len).ok()?).ok()?;
                }
            }
        }
        let mut binary = Vec::new();
        for _ in 0..reader.u16_be().ok()? {
            binary.push(reader.u16_be().ok()? == 1);
        }
        Some(Self(binary))
    }

    fn is_binary(&self, column: usize) -> bool {
        match self.0.as_slice() {
            [] => false,
            [all] => *all,
            each => each.get(column).copied().unwrap_or_default(),
        }
    }
}

pub(super) fn ready(out: &mut BytesMut, status: TransactionStatus) {
    ReadyForQuery(status).encode(out);
}

pub(super) fn parse_complete(out: &mut BytesMut) {
    frame::write_empty(out, backend::PARSE_COMPLETE);
}

pub(super) fn bind_complete(out: &mut BytesMut) {
    frame::write_empty(out, backend::BIND_COMPLETE);
}

pub(super) fn close_complete(out: &mut BytesMut) {
    frame::write_empty(out, backend::CLOSE_COMPLETE);
}

pub(super) fn done(out: &mut BytesMut, command: &str) {
    CommandComplete(command.as_bytes()).encode(out);
}

/// What a plugin has rejected a statement with.
pub(super) fn rejection(rejection: &Rejection, severity: Severity) -> ErrorResponse {
    let code = match rejection.sqlstate.as_bytes() {
        // What stands for any error with MySQL.
        b"HY000" => INTERNAL_ERROR,
        code => code.try_into().map_or(INSUFFICIENT_PRIVILEGE, SqlState),
    };
    ErrorResponse::new(severity, code, &rejection.message)
}

/// Whether a plugin's reply can be shown to a client.
pub(super) fn check(reply: &Reply) -> Result<(), ErrorResponse> {
    match reply {
        Reply::Done { .. } => Ok(()),
        Reply::Rows(rows) => {
            let width = rows.columns.len();
            match width > 0 && rows.rows.iter().all(|row| row.len() == width) {
                true => Ok(()),
                false => Err(ErrorResponse::new(
                    Severity::Error,
                    INTERNAL_ERROR,
                    "a plugin's reply: rows that do not fit their columns",
                )),
            }
        }
    }
}

/// The columns of a plugin's reply, or that there are none.
pub(super) fn describe(out: &mut BytesMut, reply: &Reply, formats: &Formats) {
    match reply {
        Reply::Done { .. } => frame::write_empty(out, backend::NO_DATA),
        Reply::Rows(rows) => columns(out, rows, formats),
    }
}

/// The parameters of a statement that no server is asked about: texts, as many as it has.
pub(super) fn parameters(out: &mut BytesMut, text: &[u8]) {
    let number = |token: Token<'_>| match (token.kind, token.bytes) {
        (TokenKind::Placeholder, [b'$', digits @ ..]) => {
            std::str::from_utf8(digits).ok()?.parse::<u16>().ok()
        }
        _ => None,
    };
    let count = tokens(text, Dialect::Postgres).filter_map(number).max().unwrap_or_default();
    frame::write_with(out, backend::PARAMETER_DESCRIPTION, |out| {
        out.put_u16(count);
        for _ in 0..count {
            out.put_u32(Column::TEXT);
        }
    });
}

/// The rows of a plugin's reply, and that this was all. A row that has no binary form is left out:
/// `false` then.
pub(super) fn result(out: &mut BytesMut, reply: &Reply, formats: &Formats) -> bool {
    match reply {
        Reply::Done { affected, info, .. } => {
            match info.is_empty() {
                true => done(out, &format!("UPDATE {affected}")),
                false => done(out, info),
            }
            true
        }
        Reply::Rows(rows) => {
            let types: Vec<u32> = rows.columns.iter().map(type_oid).collect();
            for row in &rows.rows {
                let cells = row.iter().enumerate().map(|(at, cell)| match cell {
                    None => Some(None),
                    Some(value) => {
                        let type_oid = types.get(at).copied().unwrap_or_default();
                        match formats.is_binary(at) {
                            true => Some(Some(binary(type_oid, value)?)),
                            false => Some(Some(text(type_oid, value))),
                        }
                    }
                });
                let Some(cells) = cells.collect::<Option<Vec<_>>>() else { return false };
                message::DataRow::encode(&cells, out);
            }
            done(out, &format!("SELECT {}", rows.rows.len()));
            true
        }
    }
}

fn columns(out: &mut BytesMut, rows: &Rows, formats: &Formats) {
    let columns: Vec<Column> = rows
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| Column {
            name: column.name.clone(),
            type_oid: type_oid(column),
            binary: formats.is_binary(at),
        })
        .collect();
    message::row_description(&columns, out);
}

fn type_oid(column: &tidegate_hook::Column) -> u32 {
    match column.type_name.as_str() {
        "bigint" => INT8,
        "double" => FLOAT8,
        "blob" => BYTEA,
        _ => Column::TEXT,
    }
}

/// Bytes have digits for their text.
fn text(type_oid: u32, value: &[u8]) -> Vec<u8> {
    let hex =
        |byte: &u8| [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    match type_oid {
        BYTEA => b"\\x".iter().copied().chain(value.iter().flat_map(hex)).collect(),
        _ => value.to_vec(),
    }
}

fn binary(type_oid: u32, text: &[u8]) -> Option<Vec<u8>> {
    let number = || std::str::from_utf8(text).ok();
    match type_oid {
        INT8 => Some(number()?.parse::<i64>().ok()?.to_be_bytes().to_vec()),
        FLOAT8 => Some(number()?.parse::<f64>().ok()?.to_be_bytes().to_vec()),
        _ => Some(text.to_vec()),
    }
}
