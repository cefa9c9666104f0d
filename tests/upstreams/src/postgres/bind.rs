//! What stands behind the names in a `Bind`: the parameters, and how results are wanted.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-BIND>

use rusqlite::types::Value;
use tidegate_postgres_wire::message::ErrorResponse;
use tidegate_postgres_wire::sqlstate::PROTOCOL_VIOLATION;
use tidegate_wire::{Reader, Violation};

use super::error::{broken, error};
use super::types::{self, Format, Type};

/// One for each value, or one for all, or none, which is text for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Formats(Vec<Format>);

impl Formats {
    pub(super) const TEXT: Self = Self(Vec::new());

    pub(super) fn of(&self, at: usize) -> Format {
        match self.0.as_slice() {
            [one] => *one,
            each => each.get(at).copied().unwrap_or(Format::Text),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let count = reader.u16_be()?;
        let format = |reader: &mut Reader<'_>| match reader.u16_be()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(reader.malformed()),
        };
        (0..count).map(|_| format(reader)).collect::<Result<_, _>>().map(Self)
    }
}

/// Reads values for parameters of these types, and how results are wanted.
pub(super) fn read(payload: &[u8], kinds: &[Type]) -> Result<(Vec<Value>, Formats), ErrorResponse> {
    let mut reader = Reader::new(payload, "a Bind");
    let formats = Formats::read(&mut reader).map_err(broken)?;
    let count = usize::from(reader.u16_be().map_err(broken)?);
    if count != kinds.len() {
        let needed = kinds.len();
        let message = format!("{count} parameters are given to a statement that has {needed}");
        return Err(error(PROTOCOL_VIOLATION, message));
    }
    let mut values = Vec::with_capacity(count);
    for (at, kind) in kinds.iter().enumerate() {
        values.push(match cell(&mut reader).map_err(broken)? {
            Some(bytes) => types::decode(bytes, *kind, formats.of(at))?,
            None => Value::Null,
        });
    }
    let results = Formats::read(&mut reader).map_err(broken)?;
    match reader.is_empty() {
        true => Ok((values, results)),
        false => Err(broken(reader.malformed())),
    }
}

fn cell<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Violation> {
    match reader.u32_be()? {
        u32::MAX => Ok(None),
        len => reader.take(usize::try_from(len).unwrap_or(usize::MAX)).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_for_each_or_for_all() {
        let payload = b"\0\x01\0\x01\0\x02\0\0\0\x02\0\x07\xff\xff\xff\xff\0\x02\0\0\0\x01";
        let (values, results) = read(payload, &[Type::INT2, Type::INT2]).unwrap();
        assert_eq!(values, [Value::Integer(7), Value::Null]);
        assert_eq!((results.of(0), results.of(1)), (Format::Text, Format::Binary));
        assert_eq!(Formats::TEXT.of(9), Format::Text);
        for cut in 0..payload.len() {
            let refused = read(&payload[..cut], &[Type::INT2, Type::INT2]).unwrap_err();
            assert_eq!(refused.sqlstate(), PROTOCOL_VIOLATION);
        }
    }

    #[test]
    fn parameters_are_counted() {
        let refused = read(b"\0\0\0\x01\0\0\0\x01x\0\0", &[]).unwrap_err();
        assert_eq!(refused.message(), "1 parameters are given to a statement that has 0");
    }
}
