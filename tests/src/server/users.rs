//! The users that every server has, beside the superuser on its socket.

/// Everything a normal application may do.
pub const APP: (&str, &str) = ("app", "apppw");
/// Only reads.
pub const READER: (&str, &str) = ("ro", "ropw");
/// The server refuses it without TLS.
pub const TLS_ONLY: (&str, &str) = ("tlsonly", "apppw");
/// The service account: sees replication and reads verifiers.
pub const MONITOR: (&str, &str) = ("mon", "monpw");
/// Has no password, and need not prove anything.
pub const NO_PASSWORD: (&str, &str) = ("nopw", "");
/// In MySQL only: its password is stored for `sha256_password`.
pub const SHA256: (&str, &str) = ("sha256", "sha256pw");
/// In PostgreSQL only: its password is stored as an MD5 hash.
pub const MD5: (&str, &str) = ("md5user", "md5pw");
/// In PostgreSQL only: the server asks for its password in clear.
pub const CLEARTEXT: (&str, &str) = ("plainuser", "plainpw");
/// In PostgreSQL only: proves itself by [`Certificates::client`](crate::certificates::Certificates::client).
pub const CERTIFICATE: &str = "certuser";
