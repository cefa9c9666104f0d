//! A server tells a setting that clients should know, at the login and whenever it changes.

use bytes::BytesMut;
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

/// A `ParameterStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterStatus<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
}

impl<'a> ParameterStatus<'a> {
    /// # Errors
    /// A violation if it is not a name and a value.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a parameter's status");
        let (name, value) = (reader.until_nul()?, reader.until_nul()?);
        text::end(&reader).map(|()| Self { name, value })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_with(out, tag::backend::PARAMETER_STATUS, |out| {
            text::put(out, self.name);
            text::put(out, self.value);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;
    use crate::cuts;

    #[test]
    fn comes_back_as_it_was() {
        let captured = b"server_version\x0015.14 (Debian 15.14-0+deb12u1)\0";
        let status = ParameterStatus::decode(captured).unwrap();
        assert_eq!(status.name, b"server_version");
        assert_eq!(status.value, b"15.14 (Debian 15.14-0+deb12u1)");
        assert_eq!(payload(|out| status.encode(out)), captured);
        cuts::are_refused(captured, ParameterStatus::decode);
        assert!(ParameterStatus::decode(b"a\0b\0c").is_err());
    }
}
