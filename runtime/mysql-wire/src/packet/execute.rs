//! The execution of a prepared statement.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>

use bitflags::bitflags;
use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::query_attributes::{TYPES_FOLLOW, UNSIGNED};
use super::{ColumnType, QueryAttribute, binary_value};
use crate::capabilities::Capabilities;
use crate::lenenc;

bitflags! {
    /// How the rows are to be had. Bits without a name here are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ExecuteFlags: u8 {
        const CURSOR_READ_ONLY = 1;
        const CURSOR_FOR_UPDATE = 1 << 1;
        const CURSOR_SCROLLABLE = 1 << 2;
        /// The number of parameters is sent, even if the statement has none: attributes follow.
        const PARAMETER_COUNT = 1 << 3;
    }
}

/// What was said about a statement before it is executed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prepared<'a> {
    /// How many parameters it has.
    pub parameters: usize,
    /// The types of its parameters and attributes when they were sent last, two bytes each: for
    /// an execution that does not send them.
    pub types: &'a [u8],
    /// The parameters that were sent as long data, by their numbers: the execution does not have
    /// them.
    pub long_data: &'a [u16],
}

/// An execution. Borrowed: its values may be megabytes.
#[derive(Clone, Debug)]
pub struct Execute<'a> {
    pub statement_id: u32,
    pub flags: ExecuteFlags,
    /// The parameters of the statement.
    parameters: usize,
    /// With those that are attributes.
    count: usize,
    nulls: &'a [u8],
    types_sent: bool,
    types: Vec<(u16, &'a [u8])>,
    /// The values of the parameters, then those of the attributes.
    values: &'a [u8],
    attribute_values: &'a [u8],
}

impl<'a> Execute<'a> {
    /// From what follows the command's code, of a client that has agreed on `capabilities`.
    ///
    /// # Errors
    /// A violation if it is cut short or malformed.
    pub fn decode(
        argument: &'a [u8],
        prepared: &Prepared<'a>,
        capabilities: Capabilities,
    ) -> Result<Self, Violation> {
        let mut reader = Reader::new(argument, "the execution of a statement");
        let statement_id = reader.u32_le()?;
        let flags = ExecuteFlags::from_bits_retain(reader.u8()?);
        let _iterations = reader.u32_le()?;
        let named = capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
        let parameters = prepared.parameters;
        let counted = parameters > 0 || flags.contains(ExecuteFlags::PARAMETER_COUNT);
        let count = match named && counted {
            true => {
                usize::try_from(lenenc::read_int(&mut reader)?).map_err(|_| reader.truncated())?
            }
            false => parameters,
        };
        let mut execute = Self {
            statement_id,
            flags,
            parameters,
            count,
            nulls: b"",
            types_sent: false,
            types: Vec::new(),
            values: b"",
            attribute_values: b"",
        };
        if count < parameters {
            return Err(reader.malformed());
        }
        if count > 0 {
            execute.nulls = reader.take(count.div_ceil(8))?;
            execute.types_sent = reader.u8()? == TYPES_FOLLOW;
            execute.read_types(&mut reader, prepared.types, named)?;
            execute.read_values(reader, prepared.long_data)?;
        }
        Ok(execute)
    }

    fn read_types(
        &mut self,
        reader: &mut Reader<'a>,
        known: &'a [u8],
        named: bool,
    ) -> Result<(), Violation> {
        let mut known = Reader::new(known, "the types of a statement's parameters");
        for _ in 0..self.count {
            let one = match self.types_sent {
                false if known.is_empty() => return Ok(()),
                false => (known.u16_le()?, &b""[..]),
                true => {
                    let kind = reader.u16_le()?;
                    (kind, if named { lenenc::read_bytes(reader)? } else { b"" })
                }
            };
            self.types.push(one);
        }
        Ok(())
    }

    /// Finds the end of the parameters. Without attributes it is the end of all.
    fn read_values(&mut self, reader: Reader<'a>, long_data: &[u16]) -> Result<(), Violation> {
        self.values = reader.peek();
        if self.count == self.parameters {
            return Ok(());
        }
        let mut rest = reader;
        for at in 0..self.count {
            if at == self.parameters {
                let (values, attributes) =
                    self.values.split_at(self.values.len() - rest.remaining());
                (self.values, self.attribute_values) = (values, attributes);
            }
            let sent_before = u16::try_from(at).is_ok_and(|at| long_data.contains(&at));
            if binary_value::is_set(self.nulls, at) || (at < self.parameters && sent_before) {
                continue;
            }
            let (kind, _) = self.types.get(at).ok_or_else(|| rest.malformed())?;
            binary_value::read(&mut rest, kind_of(*kind))?;
        }
        Ok(())
    }

    /// What the client says about this execution. Names are sent only with types.
    pub fn attributes(&self) -> impl Iterator<Item = QueryAttribute<'a>> {
        let mut values = Reader::new(self.attribute_values, "the attributes of a statement");
        let nulls = self.nulls;
        let types = self.types.clone().into_iter().enumerate().skip(self.parameters);
        types.map_while(move |(at, (kind, name))| {
            let value = match binary_value::is_set(nulls, at) {
                true => None,
                false => Some(binary_value::read(&mut values, kind_of(kind)).ok()?),
            };
            Some(QueryAttribute {
                name,
                kind: kind_of(kind),
                unsigned: kind & UNSIGNED != 0,
                value,
            })
        })
    }

    /// The types in the form in which [`Prepared::types`] gives them back, if they were sent.
    #[must_use]
    pub fn types(&self) -> Option<Vec<u8>> {
        let bytes = self.types.iter().flat_map(|(kind, _)| kind.to_le_bytes());
        self.types_sent.then(|| bytes.collect())
    }

    /// Writes it for a server that has agreed on `capabilities`: without
    /// [`Capabilities::QUERY_ATTRIBUTES`] the attributes are left out. With `types`, types are
    /// sent although the client did not, because this server has not heard them.
    pub fn encode(&self, out: &mut BytesMut, capabilities: Capabilities, types: bool) {
        let named = capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
        let count = if named { self.count } else { self.parameters };
        let mut flags = self.flags;
        flags.set(
            ExecuteFlags::PARAMETER_COUNT,
            named && flags.contains(ExecuteFlags::PARAMETER_COUNT),
        );
        out.put_u32_le(self.statement_id);
        out.put_u8(flags.bits());
        out.put_u32_le(1);
        let counted = self.parameters > 0 || flags.contains(ExecuteFlags::PARAMETER_COUNT);
        if named && counted {
            lenenc::write_int(out, count as u64);
        }
        if count == 0 {
            return;
        }
        let (whole, rest) = (count / 8, count % 8);
        out.put_slice(self.nulls.get(..whole).unwrap_or_default());
        if rest > 0 {
            let last = self.nulls.get(whole).copied().unwrap_or_default();
            out.put_u8(last & ((1 << rest) - 1));
        }
        let types = (types || self.types_sent) && self.types.len() >= count;
        out.put_u8(if types { TYPES_FOLLOW } else { 0 });
        if types {
            for (kind, name) in self.types.iter().take(count) {
                out.put_u16_le(*kind);
                if named {
                    lenenc::write_bytes(out, name);
                }
            }
        }
        out.put_slice(self.values);
        if named {
            out.put_slice(self.attribute_values);
        }
    }
}

fn kind_of(types: u16) -> ColumnType {
    let [kind, _] = types.to_le_bytes();
    ColumnType(kind)
}

#[cfg(test)]
mod tests;
