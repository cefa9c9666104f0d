//! Packets that tidegate itself answers with.

use bytes::BytesMut;
use tidegate_hook::{Rejection, Reply, Rows};
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::error_code::ER_UNKNOWN;
use tidegate_mysql_wire::frame;
use tidegate_mysql_wire::packet::{
    ColumnDefinition, ColumnType, ErrPacket, OkPacket, binary_result_set, result_set,
};
use tidegate_mysql_wire::status::StatusFlags;

/// How the client reads rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Binary,
}

/// A plain OK to a command.
pub(super) fn ok(
    out: &mut BytesMut,
    mut sequence: u8,
    capabilities: Capabilities,
    status: StatusFlags,
) {
    let ok = OkPacket { status, ..OkPacket::default() };
    frame::write_with(out, &mut sequence, |out| ok.encode(out, capabilities));
}

/// An ERR packet.
pub(super) fn error(
    out: &mut BytesMut,
    mut sequence: u8,
    capabilities: Capabilities,
    error: &ErrPacket,
) {
    frame::write_with(out, &mut sequence, |out| error.encode(out, capabilities));
}

/// What a plugin has rejected a statement with.
pub(super) fn rejection(rejection: &Rejection) -> ErrPacket {
    let code = u16::try_from(rejection.code).unwrap_or_default();
    let sqlstate = rejection.sqlstate.as_bytes().try_into();
    ErrPacket {
        code: if code == 0 { ER_UNKNOWN.code } else { code },
        sqlstate: sqlstate.unwrap_or(ER_UNKNOWN.sqlstate),
        message: rejection.message.clone(),
    }
}

/// What a plugin has answered in the server's place; an ERR packet where it makes no sense.
pub(super) fn reply(
    out: &mut BytesMut,
    mut sequence: u8,
    form: Form,
    capabilities: Capabilities,
    status: StatusFlags,
    reply: &Reply,
) -> Result<(), ErrPacket> {
    match reply {
        Reply::Done { affected, last_insert_id, info } => {
            let ok = OkPacket {
                affected_rows: *affected,
                last_insert_id: *last_insert_id,
                status,
                info: info.as_bytes(),
                ..OkPacket::default()
            };
            frame::write_with(out, &mut sequence, |out| ok.encode(out, capabilities));
            Ok(())
        }
        Reply::Rows(rows) => self::rows(out, sequence, form, capabilities, status, rows),
    }
}

fn rows(
    out: &mut BytesMut,
    mut sequence: u8,
    form: Form,
    capabilities: Capabilities,
    status: StatusFlags,
    answer: &Rows,
) -> Result<(), ErrPacket> {
    let wrong = |what: String| ErrPacket::new(ER_UNKNOWN, format!("a plugin's reply: {what}"));
    let width = answer.columns.len();
    if width == 0 || answer.rows.iter().any(|row| row.len() != width) {
        return Err(wrong("rows that do not fit their columns".to_owned()));
    }
    let columns: Vec<ColumnDefinition> = answer.columns.iter().map(column).collect();
    match form {
        Form::Text => {
            result_set(out, &mut sequence, &columns, &answer.rows, capabilities, status);
            Ok(())
        }
        Form::Binary => {
            binary_result_set(out, &mut sequence, &columns, &answer.rows, capabilities, status)
                .map_err(|error| wrong(error.to_string()))
        }
    }
}

fn column(column: &tidegate_hook::Column) -> ColumnDefinition {
    let column_type = match column.type_name.as_str() {
        "bigint" => ColumnType::LONGLONG,
        "double" => ColumnType::DOUBLE,
        "blob" => ColumnType::BLOB,
        _ => ColumnType::VAR_STRING,
    };
    ColumnDefinition::new(column.name.as_str(), column_type)
}
