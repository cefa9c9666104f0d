//! Words that all wire crates share: a bounded reader, and what it is called when a peer breaks
//! its protocol. Knows no protocol.

#![forbid(unsafe_code)]

mod reader;
mod violation;

pub use reader::Reader;
pub use violation::Violation;
