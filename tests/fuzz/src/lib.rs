//! What the fuzz targets check, as plain functions, so that ordinary tests can run them too.

pub mod decoders;
pub mod machines;
pub mod seeds;
