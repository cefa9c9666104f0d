//! The users that every server has, beside `root` on its socket.
//!
//! Their passwords are stored in the server's own way: `mysql_native_password` in MariaDB,
//! `caching_sha2_password` in MySQL. `app` may do everything but write to a read-only server.

/// Everything a normal application may do.
pub const APP: (&str, &str) = ("app", "apppw");
/// Only reads.
pub const READER: (&str, &str) = ("ro", "ropw");
/// The server refuses it without TLS.
pub const TLS_ONLY: (&str, &str) = ("tlsonly", "apppw");
/// The service account: sees replication and reads verifiers.
pub const MONITOR: (&str, &str) = ("mon", "monpw");
/// Has no password.
pub const NO_PASSWORD: (&str, &str) = ("nopw", "");
/// In MySQL only: its password is stored for `sha256_password`.
pub const SHA256: (&str, &str) = ("sha256", "sha256pw");

/// Makes them, with statements that every product understands.
pub(super) const STATEMENTS: &str = "
create user app@'%' identified by 'apppw';
grant all on *.* to app@'%' with grant option;
revoke super on *.* from app@'%';
create user ro@'%' identified by 'ropw';
grant select on *.* to ro@'%';
create user tlsonly@'%' identified by 'apppw' require ssl;
grant select on *.* to tlsonly@'%';
create user mon@'%' identified by 'monpw';
grant replication client on *.* to mon@'%';
grant select on mysql.user to mon@'%';
create user nopw@'%';
grant select on *.* to nopw@'%';
create user repl@'%' identified by 'replpw';
grant replication slave on *.* to repl@'%';
create database app;
";
