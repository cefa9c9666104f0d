//! Sessions, one folder a protocol. A session is one task that reads top to bottom.

pub(crate) mod mysql;
