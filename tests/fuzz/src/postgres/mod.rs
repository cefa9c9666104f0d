//! PostgreSQL.

pub mod decoders;
pub mod machines;
pub mod seeds;
