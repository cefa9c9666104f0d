//! The parameters of a `COM_STMT_EXECUTE`.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>

use rusqlite::types::Value;
use tidegate_mysql_wire::lenenc;
use tidegate_mysql_wire::packet::ColumnType;
use tidegate_wire::{Reader, Violation};

/// The type of a parameter, which a client sends only when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParameterType {
    kind: ColumnType,
    unsigned: bool,
}

const UNSIGNED: u8 = 0x80;

/// Reads what follows the statement's number, its flags and its iterations.
///
/// `types` holds those of the last execution, and takes the new ones.
pub(super) fn read(
    reader: &mut Reader<'_>,
    count: usize,
    types: &mut Vec<ParameterType>,
) -> Result<Vec<Value>, Violation> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let nulls = reader.take(count.div_ceil(8))?;
    if reader.u8()? == 1 {
        *types = (0..count).map(|_| read_type(reader)).collect::<Result<_, _>>()?;
    }
    if types.len() != count {
        return Err(reader.malformed());
    }
    let is_null = |at: usize| nulls.get(at / 8).is_some_and(|bits| bits >> (at % 8) & 1 == 1);
    let read = |(at, kind): (usize, &ParameterType)| match is_null(at) {
        true => Ok(Value::Null),
        false => value(reader, *kind),
    };
    types.iter().enumerate().map(read).collect()
}

fn read_type(reader: &mut Reader<'_>) -> Result<ParameterType, Violation> {
    let kind = ColumnType(reader.u8()?);
    let unsigned = reader.u8()? & UNSIGNED != 0;
    Ok(ParameterType { kind, unsigned })
}

fn value(reader: &mut Reader<'_>, of: ParameterType) -> Result<Value, Violation> {
    let value = match of.kind {
        ColumnType::NULL => Value::Null,
        ColumnType::TINY => integer(reader.array::<1>()?, of.unsigned),
        ColumnType::SHORT | ColumnType::YEAR => integer(reader.array::<2>()?, of.unsigned),
        ColumnType::LONG | ColumnType::INT24 => integer(reader.array::<4>()?, of.unsigned),
        ColumnType::LONGLONG => integer(reader.array::<8>()?, of.unsigned),
        ColumnType::FLOAT => Value::Real(f32::from_le_bytes(reader.array()?).into()),
        ColumnType::DOUBLE => Value::Real(f64::from_le_bytes(reader.array()?)),
        ColumnType::DATE | ColumnType::DATETIME | ColumnType::TIMESTAMP | ColumnType::TIME => {
            return Err(Violation::Unexpected { what: "date or time as a parameter" });
        }
        _ => text_or_bytes(lenenc::read_bytes(reader)?),
    };
    Ok(value)
}

/// Sign-extends what came in `N` bytes. What only fits unsigned into 64 bits becomes text.
fn integer<const N: usize>(bytes: [u8; N], unsigned: bool) -> Value {
    let negative = !unsigned && bytes.last().is_some_and(|byte| byte >> 7 == 1);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..N].copy_from_slice(&bytes);
    match (unsigned, u64::from_le_bytes(wide)) {
        (true, number) => {
            i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
        }
        (false, _) => Value::Integer(i64::from_le_bytes(wide)),
    }
}

fn text_or_bytes(bytes: &[u8]) -> Value {
    match String::from_utf8(bytes.to_vec()) {
        Ok(text) => Value::Text(text),
        Err(no_text) => Value::Blob(no_text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_shape() {
        let payload = [
            &[0b0000_0010][..], // the second is NULL
            &[1, 8, 0, 253, 0, 1, 0, 3, 0x80, 253, 0, 5, 0],
            &(-2i64).to_le_bytes(),
            &[0xff],
            &u32::MAX.to_le_bytes(),
            &[2, b'h', b'i'],
            &1.5f64.to_le_bytes(),
        ]
        .concat();
        let mut types = Vec::new();
        let values = read(&mut Reader::new(&payload, "parameters"), 6, &mut types);
        let expected = vec![
            Value::Integer(-2),
            Value::Null,
            Value::Integer(-1),
            Value::Integer(i64::from(u32::MAX)),
            Value::Text("hi".to_owned()),
            Value::Real(1.5),
        ];
        assert_eq!(values, Ok(expected));
    }

    #[test]
    fn types_are_remembered_and_never_guessed() {
        let mut types = Vec::new();
        let again = [0, 0, 7];
        assert!(read(&mut Reader::new(&again, "parameters"), 1, &mut types).is_err());
        let first = [0, 1, 1, 0, 5];
        let five = read(&mut Reader::new(&first, "parameters"), 1, &mut types);
        assert_eq!(five, Ok(vec![Value::Integer(5)]));
        let seven = read(&mut Reader::new(&again, "parameters"), 1, &mut types);
        assert_eq!(seven, Ok(vec![Value::Integer(7)]));
    }
}
