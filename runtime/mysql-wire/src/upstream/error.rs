//! Why a login failed.

use tidegate_wire::Violation;

use crate::packet::ErrPacket;

/// No session on this server, for now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The server said no: the user, the database, its own limits.
    #[error("the server refused the login: {0}")]
    Refused(ErrPacket),
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Violation(#[from] Violation),
    /// TLS is required, and the server has none.
    #[error("the server does not offer TLS, which is required")]
    TlsUnavailable,
    /// The server does not remember the user, and asks for the password itself.
    #[error(
        "the server asks for the password of this user, and only a digest of it is known here: give \
         tidegate the password in its configuration, or the user the same method on every server"
    )]
    NeedsPassword,
    /// The server asks for the password itself, and it would go out in clear.
    #[error(
        "the server asks for the password of this user, which is only sent over TLS: set `tls` of \
         the upstream, or `rsa` to have it encrypted with the server's key"
    )]
    NeedsTls,
    /// The user has a method on this server that what is known of the user cannot serve.
    #[error(
        "the server asks for the method {method:?}, which what is known of this user cannot serve: \
         give tidegate the password in its configuration, or the user the same method on every server"
    )]
    UnsupportedMethod { method: String },
}
