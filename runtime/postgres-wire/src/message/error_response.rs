//! It did not work, and why; or it did, and there is something to be said about it.
//!
//! <https://www.postgresql.org/docs/current/protocol-error-fields.html>

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::sqlstate::{INTERNAL_ERROR, SqlState};
use crate::{frame, text};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement has failed.
    Error,
    /// The connection is closed behind it.
    Fatal,
    /// Nothing has failed.
    Warning,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Warning => "WARNING",
        }
    }
}

/// The letters of fields that are written or looked for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    /// In the language of the server.
    LocalSeverity = b'S',
    /// Always in English; PostgreSQL since 9.6.
    Severity = b'V',
    SqlState = b'C',
    Message = b'M',
    Detail = b'D',
    /// What to do about it.
    Hint = b'H',
}

/// An `ErrorResponse`, or a `NoticeResponse`, which has the same fields. Those that are not known
/// here are kept as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// As on the wire, with the NUL behind the last.
    fields: Vec<u8>,
}

impl ErrorResponse {
    #[must_use]
    pub fn new(severity: Severity, code: SqlState, message: impl AsRef<str>) -> Self {
        let error = Self { fields: vec![0] };
        error
            .with(Field::LocalSeverity, severity.as_str())
            .with(Field::Severity, severity.as_str())
            .with(Field::SqlState, code.as_str())
            .with(Field::Message, message.as_ref())
    }

    /// The same with a field more.
    #[must_use]
    pub fn with(mut self, field: Field, value: &str) -> Self {
        self.fields.pop();
        let mut added = BytesMut::new();
        added.put_u8(field as u8);
        text::put(&mut added, value.as_bytes());
        self.fields.extend_from_slice(&added);
        self.fields.push(0);
        self
    }

    /// # Errors
    /// A violation if its fields do not end with the message.
    pub fn decode(payload: &[u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "an error");
        while reader.u8()? != 0 {
            reader.until_nul()?;
        }
        text::end(&reader).map(|()| Self { fields: payload.to_vec() })
    }

    /// Writes it as an error.
    pub fn encode(&self, out: &mut BytesMut) {
        self.encode_as(tag::backend::ERROR_RESPONSE, out);
    }

    /// Writes it as a `NoticeResponse`.
    pub fn encode_notice(&self, out: &mut BytesMut) {
        self.encode_as(tag::backend::NOTICE_RESPONSE, out);
    }

    fn encode_as(&self, tag: u8, out: &mut BytesMut) {
        frame::write_with(out, tag, |out| out.put_slice(&self.fields));
    }

    /// The text of a field, if it has this field.
    #[must_use]
    pub fn field(&self, field: Field) -> Option<&[u8]> {
        find(&self.fields, field)
    }

    /// [`INTERNAL_ERROR`], which says nothing, if it has none.
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        sqlstate_of(&self.fields)
    }

    /// For people. What is not UTF-8 is replaced.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.field(Field::Message).unwrap_or_default())
    }

    /// The server closes the connection behind it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        let severity = self.field(Field::Severity).or_else(|| self.field(Field::LocalSeverity));
        matches!(severity, Some(b"FATAL" | b"PANIC"))
    }
}

/// The state in the fields of an error, of which the end may not have come.
pub(crate) fn sqlstate_of(fields: &[u8]) -> SqlState {
    let code = find(fields, Field::SqlState).and_then(|code| code.try_into().ok());
    code.map_or(INTERNAL_ERROR, SqlState)
}

fn find(fields: &[u8], wanted: Field) -> Option<&[u8]> {
    let mut reader = Reader::new(fields, "an error");
    loop {
        match reader.u8().ok()? {
            0 => return None,
            field => {
                let value = reader.until_nul().ok()?;
                if field == wanted as u8 {
                    return Some(value);
                }
            }
        }
    }
}

/// As psql shows it.
impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.field(Field::LocalSeverity).unwrap_or(b"ERROR");
        write!(f, "{}:  {}: {}", severity.escape_ascii(), self.sqlstate(), self.message())
    }
}

impl std::error::Error for ErrorResponse {}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;
    use crate::cuts;
    use crate::sqlstate::{INVALID_PASSWORD, READ_ONLY_SQL_TRANSACTION};

    /// PostgreSQL 15, `CREATE TABLE` where nothing may be written.
    const CAPTURED: &[u8] = b"SERROR\0VERROR\0C25006\0Mcannot execute CREATE TABLE in a read-only transaction\0Futility.c\0L414\0RPreventCommandIfReadOnly\0\0";

    #[test]
    fn every_field_is_kept() {
        let error = ErrorResponse::decode(CAPTURED).unwrap();
        assert_eq!(error.sqlstate(), READ_ONLY_SQL_TRANSACTION);
        assert_eq!(error.message(), "cannot execute CREATE TABLE in a read-only transaction");
        assert!(!error.is_fatal() && error.field(Field::Hint).is_none());
        assert_eq!(payload(|out| error.encode(out)), CAPTURED);
        cuts::are_refused(CAPTURED, ErrorResponse::decode);
        let shown = "ERROR:  25006: cannot execute CREATE TABLE in a read-only transaction";
        assert_eq!(error.to_string(), shown);
    }

    #[test]
    fn ours_look_like_the_servers() {
        let message = "password authentication failed for user \"app\"";
        let error = ErrorResponse::new(Severity::Fatal, INVALID_PASSWORD, message)
            .with(Field::Hint, "try again");
        let bytes = payload(|out| error.encode(out));
        let expected = format!("SFATAL\0VFATAL\0C28P01\0M{message}\0Htry again\0\0");
        assert_eq!(bytes, expected.as_bytes());
        assert!(error.is_fatal());
        assert_eq!(error.field(Field::Hint), Some(&b"try again"[..]));
        assert_eq!(ErrorResponse::decode(&bytes), Ok(error));
    }

    #[test]
    fn a_notice_differs_by_its_tag_only() {
        let notice = ErrorResponse::new(Severity::Warning, INTERNAL_ERROR, "look out");
        let mut out = BytesMut::new();
        notice.encode_notice(&mut out);
        assert_eq!(out[0], b'N');
        assert_eq!(ErrorResponse::decode(&out[5..]), Ok(notice));
    }

    #[test]
    fn older_servers_tell_the_severity_once() {
        let fatal = ErrorResponse::decode(b"SFATAL\0C57P01\0Mgone\0\0").unwrap();
        assert!(fatal.is_fatal());
        let local = ErrorResponse::decode(b"SFEHLER\0VERROR\0C42601\0Mnein\0\0").unwrap();
        assert!(!local.is_fatal());
    }

    #[test]
    fn an_error_without_a_state_has_one_that_says_nothing() {
        for fields in [&b"\0"[..], b"Mx\0\0", b"C1234\0\0"] {
            assert_eq!(ErrorResponse::decode(fields).unwrap().sqlstate(), INTERNAL_ERROR);
        }
    }
}
