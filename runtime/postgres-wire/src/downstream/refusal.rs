//! Why a client is sent away, and what it is told.

use bytes::BytesMut;
use tidegate_wire::Violation;

use crate::message::{ErrorResponse, Field, Severity};
use crate::sqlstate::{
    FEATURE_NOT_SUPPORTED, INVALID_AUTHORIZATION_SPECIFICATION, INVALID_PASSWORD, SqlState,
};
use crate::version::ProtocolVersion;

/// The end of a login that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    pub reason: Reason,
    /// What the client is told.
    pub error: ErrorResponse,
}

/// The reason, for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A wrong password, or no such user: these are told apart nowhere.
    AccessDenied,
    /// The client sees another certificate than ours, or another offer.
    ChannelBinding,
    /// The password itself is asked for, and there is no TLS to send it over.
    TlsNeeded,
    /// The listener wants TLS, and the client did not ask for it.
    TlsRequired,
    UnsupportedVersion,
    Violation(Violation),
}

impl Reason {
    /// The word that logs and metrics use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ChannelBinding => "channel_binding",
            Self::TlsNeeded => "tls_needed",
            Self::TlsRequired => "tls_required",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Violation(_) => "violation",
        }
    }
}

impl Refusal {
    /// The client broke the protocol. For whoever reads its messages during the login, too.
    #[must_use]
    pub fn violation(violation: Violation) -> Self {
        let error = fatal(SqlState::of(&violation), violation.to_string());
        Self { reason: Reason::Violation(violation), error }
    }

    pub(super) fn access_denied(user: &str) -> Self {
        let error = fatal(INVALID_PASSWORD, denied(user));
        Self { reason: Reason::AccessDenied, error }
    }

    pub(super) fn binding() -> Self {
        let error = fatal(
            INVALID_AUTHORIZATION_SPECIFICATION,
            "SCRAM channel binding check failed",
        )
        .with(Field::Detail, "The client sees another certificate or offer than was sent to it.");
        Self { reason: Reason::ChannelBinding, error }
    }

    pub(super) fn tls_needed(user: &str) -> Self {
        let error = fatal(INVALID_PASSWORD, denied(user))
            .with(
                Field::Detail,
                "The password is asked for in clear, which needs a TLS connection.",
            )
            .with(Field::Hint, "Connect with sslmode=require.");
        Self { reason: Reason::TlsNeeded, error }
    }

    pub(super) fn tls_required() -> Self {
        let message = "connections without TLS are not allowed here";
        let error = fatal(INVALID_AUTHORIZATION_SPECIFICATION, message)
            .with(Field::Hint, "Connect with sslmode=require.");
        Self { reason: Reason::TlsRequired, error }
    }

    pub(super) fn unsupported_version(version: ProtocolVersion) -> Self {
        let (oldest, newest) = (ProtocolVersion::V3_0, ProtocolVersion::NEWEST);
        let message = format!(
            "unsupported frontend protocol {version}: server supports {oldest} to {newest}"
        );
        let error = fatal(FEATURE_NOT_SUPPORTED, message);
        Self { reason: Reason::UnsupportedVersion, error }
    }

    /// Writes the error. The connection is to be closed behind it.
    pub fn write(&self, out: &mut BytesMut) {
        self.error.encode(out);
    }
}

fn fatal(code: SqlState, message: impl AsRef<str>) -> ErrorResponse {
    ErrorResponse::new(Severity::Fatal, code, message)
}

/// The words that clients, and the tools around them, look for.
fn denied(user: &str) -> String {
    format!("password authentication failed for user \"{user}\"")
}
