//! Why a login failed.

use tidegate_wire::Violation;

use crate::message::ErrorResponse;

/// No session on this server, for now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The server said no: the user, the database, its own limits.
    #[error("the server refused the login: {0}")]
    Refused(ErrorResponse),
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Violation(#[from] Violation),
    /// TLS is required, and the server has none.
    #[error("the server does not offer TLS, which is required")]
    TlsUnavailable,
    /// The server asks for a proof, and nothing that could make one is known.
    #[error(
        "the server asks for the password of this user, which is not known here: give tidegate the \
         password in its configuration, or the user the same method on every server"
    )]
    NeedsPassword,
    /// The server asks for the password itself, and it would go out in clear.
    #[error(
        "the server asks for the password of this user in clear, which is only sent over TLS: set \
         `tls` of the upstream"
    )]
    NeedsTls,
    /// The keys that the client's login gave are of another salt.
    #[error(
        "the server stores the password of this user with another salt: copy `rolpassword` of \
         `pg_authid` from the server that tidegate knows it from, or give tidegate the password in \
         its configuration"
    )]
    OtherSalt,
    /// The user has a method on this server that what is known of the user cannot serve.
    #[error(
        "the server asks for the method {method:?}, which what is known of this user cannot serve: \
         give tidegate the password in its configuration, or the user the same method on every server"
    )]
    UnsupportedMethod { method: String },
    /// It has let us in, or would, without having proved that it knows the password.
    #[error("the server does not prove that it knows the password: it may be another one")]
    Unproved,
}
