//! MySQL and MariaDB.

pub mod decoders;
pub mod machines;
pub mod seeds;
