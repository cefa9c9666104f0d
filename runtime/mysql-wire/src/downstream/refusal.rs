//! Why a client is sent away, and what it is told.

use bytes::BytesMut;
use tidegate_wire::Violation;

use crate::capabilities::Capabilities;
use crate::error_code::{
    ER_ACCESS_DENIED, ER_NOT_SUPPORTED_AUTH_MODE, ER_SECURE_TRANSPORT_REQUIRED, ErrorCode,
};
use crate::frame;
use crate::packet::ErrPacket;

/// The end of a handshake that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    pub reason: Reason,
    /// What the client is told.
    pub error: ErrPacket,
    /// The number of the ERR packet.
    pub sequence: u8,
}

/// The reason, for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A wrong password, or no such user: these are told apart nowhere.
    AccessDenied,
    /// The client cannot carry out the method that the user needs.
    MethodUnsupported,
    /// The user's method would need the password itself, and there is no TLS to send it over.
    TlsNeeded,
    /// The listener wants TLS, and the client did not ask for it.
    TlsRequired,
    Violation(Violation),
}

impl Reason {
    /// The word that logs and metrics use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::MethodUnsupported => "method_unsupported",
            Self::TlsNeeded => "tls_needed",
            Self::TlsRequired => "tls_required",
            Self::Violation(_) => "violation",
        }
    }
}

impl Refusal {
    /// The client broke the protocol. For whoever reads its packets during the handshake, too.
    #[must_use]
    pub fn violation(violation: Violation, sequence: u8) -> Self {
        let error = ErrPacket::new(
            ErrorCode::in_handshake(&violation),
            format!("Bad handshake: {violation}"),
        );
        Self { reason: Reason::Violation(violation), error, sequence }
    }

    pub(super) fn access_denied(denied: &str, sequence: u8) -> Self {
        let error = ErrPacket::new(ER_ACCESS_DENIED, denied);
        Self { reason: Reason::AccessDenied, error, sequence }
    }

    pub(super) fn tls_needed(denied: &str, sequence: u8) -> Self {
        let message = format!(
            "{denied}: the password is wrong, or it must be sent, which needs a TLS connection"
        );
        let error = ErrPacket::new(ER_ACCESS_DENIED, message);
        Self { reason: Reason::TlsNeeded, error, sequence }
    }

    pub(super) fn tls_required(sequence: u8) -> Self {
        let message = "Connections using insecure transport are prohibited: connect with TLS";
        let error = ErrPacket::new(ER_SECURE_TRANSPORT_REQUIRED, message);
        Self { reason: Reason::TlsRequired, error, sequence }
    }

    pub(super) fn method_unsupported(sequence: u8) -> Self {
        let message = "Client does not support the authentication method of this user";
        let error = ErrPacket::new(ER_NOT_SUPPORTED_AUTH_MODE, message);
        Self { reason: Reason::MethodUnsupported, error, sequence }
    }

    /// Writes the ERR packet. The connection is to be closed behind it.
    pub fn write(&self, out: &mut BytesMut) {
        let mut sequence = self.sequence;
        frame::write_with(out, &mut sequence, |out| {
            self.error.encode(out, Capabilities::PROTOCOL_41);
        });
    }
}
