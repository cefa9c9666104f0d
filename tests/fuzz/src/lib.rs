//! What the fuzz targets check, as plain functions, so that ordinary tests can run them too.

pub mod mysql;
pub mod postgres;
pub mod sql;
pub mod sweep;
pub mod target;
