//! Values, as clients write and read them: as text, or in the binary form of their type.
//!
//! <https://www.postgresql.org/docs/current/datatype.html>

use rusqlite::types::Value;
use tidegate_postgres_wire::message::ErrorResponse;
use tidegate_postgres_wire::sqlstate::FEATURE_NOT_SUPPORTED;

use super::error::{
    CHARACTER_NOT_IN_REPERTOIRE, INVALID_BINARY_REPRESENTATION, INVALID_TEXT_REPRESENTATION, error,
};
use crate::store::Kind;

/// The number of a type in `pg_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type(pub(super) u32);

impl Type {
    pub(super) const BOOL: Self = Self(16);
    pub(super) const BYTEA: Self = Self(17);
    pub(super) const INT8: Self = Self(20);
    pub(super) const INT2: Self = Self(21);
    pub(super) const INT4: Self = Self(23);
    pub(super) const TEXT: Self = Self(25);
    pub(super) const FLOAT4: Self = Self(700);
    pub(super) const FLOAT8: Self = Self(701);
    pub(super) const VARCHAR: Self = Self(1043);

    /// Of a parameter. Clients may leave it to the server, which then takes text: SQLite compares and
    /// stores that as what the column holds.
    pub(super) fn of_parameter(oid: u32) -> Self {
        if oid == 0 { Self::TEXT } else { Self(oid) }
    }
}

impl From<Kind> for Type {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Integer => Self::INT8,
            Kind::Real => Self::FLOAT8,
            Kind::Text => Self::TEXT,
            Kind::Blob => Self::BYTEA,
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
}

/// Reads a value of this type that a client has sent.
pub(super) fn decode(bytes: &[u8], of: Type, format: Format) -> Result<Value, ErrorResponse> {
    match format {
        Format::Text => decode_text(bytes, of),
        Format::Binary => decode_binary(bytes, of),
    }
}

fn decode_text(bytes: &[u8], of: Type) -> Result<Value, ErrorResponse> {
    let text = utf8(bytes)?;
    let value = match of {
        Type::INT2 | Type::INT4 | Type::INT8 => text.trim().parse().ok().map(Value::Integer),
        Type::FLOAT4 | Type::FLOAT8 => text.trim().parse().ok().map(Value::Real),
        Type::BOOL => match text {
            "t" | "true" | "1" => Some(Value::Integer(1)),
            "f" | "false" | "0" => Some(Value::Integer(0)),
            _ => None,
        },
        Type::BYTEA => return Err(unsupported(of)),
        _ => Some(Value::Text(text.to_owned())),
    };
    value.ok_or_else(|| {
        let message = format!("invalid input for the type {}: \"{text}\"", of.0);
        error(INVALID_TEXT_REPRESENTATION, message)
    })
}

fn decode_binary(bytes: &[u8], of: Type) -> Result<Value, ErrorResponse> {
    let wrong = |_| error(INVALID_BINARY_REPRESENTATION, "a binary value has the wrong length");
    let value = match of {
        Type::BOOL => Value::Integer(u8::from_be_bytes(bytes.try_into().map_err(wrong)?).into()),
        Type::INT2 => Value::Integer(i16::from_be_bytes(bytes.try_into().map_err(wrong)?).into()),
        Type::INT4 => Value::Integer(i32::from_be_bytes(bytes.try_into().map_err(wrong)?).into()),
        Type::INT8 => Value::Integer(i64::from_be_bytes(bytes.try_into().map_err(wrong)?)),
        Type::FLOAT4 => Value::Real(f32::from_be_bytes(bytes.try_into().map_err(wrong)?).into()),
        Type::FLOAT8 => Value::Real(f64::from_be_bytes(bytes.try_into().map_err(wrong)?)),
        Type::BYTEA => Value::Blob(bytes.to_vec()),
        Type::TEXT | Type::VARCHAR => Value::Text(utf8(bytes)?.to_owned()),
        other => return Err(unsupported(other)),
    };
    Ok(value)
}

/// Writes a value of a column of this type; `None` is NULL.
pub(super) fn encode(
    value: &Value,
    of: Type,
    format: Format,
) -> Result<Option<Vec<u8>>, ErrorResponse> {
    let bytes = match (value, of, format) {
        (Value::Null, ..) => return Ok(None),
        (Value::Integer(number), Type::BOOL, Format::Text) => {
            if *number == 0 {
                b"f".to_vec()
            } else {
                b"t".to_vec()
            }
        }
        (Value::Integer(number), Type::BOOL, Format::Binary) => vec![u8::from(*number != 0)],
        (Value::Integer(number), Type::INT8, Format::Binary) => number.to_be_bytes().to_vec(),
        // As near as it gets.
        (Value::Integer(number), Type::FLOAT8, Format::Binary) => {
            (*number as f64).to_be_bytes().to_vec()
        }
        (Value::Real(number), Type::FLOAT8, Format::Binary) => number.to_be_bytes().to_vec(),
        (_, Type::INT8 | Type::FLOAT8 | Type::BOOL, Format::Binary) => {
            let message = format!("a value in a column of the type {} is of another one", of.0);
            return Err(error(INVALID_BINARY_REPRESENTATION, message));
        }
        (Value::Blob(bytes), Type::BYTEA, Format::Text) => hex(bytes),
        (Value::Integer(number), ..) => number.to_string().into_bytes(),
        (Value::Real(number), ..) => number.to_string().into_bytes(),
        (Value::Text(text), ..) => text.clone().into_bytes(),
        (Value::Blob(bytes), ..) => bytes.clone(),
    };
    Ok(Some(bytes))
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, ErrorResponse> {
    std::str::from_utf8(bytes).map_err(|_| {
        error(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
    })
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("\\x{}", digits.collect::<String>()).into_bytes()
}

fn unsupported(of: Type) -> ErrorResponse {
    let message = format!("parameters of the type {} are not part of this server", of.0);
    error(FEATURE_NOT_SUPPORTED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_in_both_forms() {
        let read = |bytes: &[u8], of, format| decode(bytes, of, format).map_err(|e| e.sqlstate());
        let (text, binary) = (Format::Text, Format::Binary);
        assert_eq!(read(b"-7", Type::INT4, text), Ok(Value::Integer(-7)));
        assert_eq!(read(b"\xff\xff\xff\xf9", Type::INT4, binary), Ok(Value::Integer(-7)));
        assert_eq!(read(b"-7", Type::of_parameter(0), text), Ok(Value::Text("-7".to_owned())));
        assert_eq!(read(b"t", Type::BOOL, text), Ok(Value::Integer(1)));
        assert_eq!(read(&1.5f32.to_be_bytes(), Type::FLOAT4, binary), Ok(Value::Real(1.5)));
        assert_eq!(read(b"x", Type::INT8, text), Err(INVALID_TEXT_REPRESENTATION));
        assert_eq!(read(b"x", Type::INT8, binary), Err(INVALID_BINARY_REPRESENTATION));
        assert_eq!(read(b"\xff", Type::TEXT, binary), Err(CHARACTER_NOT_IN_REPERTOIRE));
        assert_eq!(read(b"x", Type(1700), binary), Err(FEATURE_NOT_SUPPORTED));
    }

    #[test]
    fn results_go_in_both_forms() {
        let written = |value: Value, of, format| encode(&value, of, format).ok().flatten();
        let (text, binary) = (Format::Text, Format::Binary);
        assert_eq!(written(Value::Null, Type::TEXT, text), None);
        assert_eq!(written(Value::Integer(1), Type::BOOL, text), Some(b"t".to_vec()));
        assert_eq!(written(Value::Integer(1), Type::BOOL, binary), Some(vec![1]));
        assert_eq!(written(Value::Integer(-2), Type::INT8, text), Some(b"-2".to_vec()));
        let bytes = (-2i64).to_be_bytes().to_vec();
        assert_eq!(written(Value::Integer(-2), Type::INT8, binary), Some(bytes));
        let bytes = 2f64.to_be_bytes().to_vec();
        assert_eq!(written(Value::Integer(2), Type::FLOAT8, binary), Some(bytes));
        assert_eq!(written(Value::Blob(vec![0xff]), Type::BYTEA, text), Some(b"\\xff".to_vec()));
        assert!(encode(&Value::Text("x".to_owned()), Type::INT8, binary).is_err());
    }
}
