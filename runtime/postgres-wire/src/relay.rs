//! Following what a server says by its headers, so that its bytes can be forwarded as they came.
//!
//! `pipeline` knows which requests a server still has to answer, and what may come next;
//! `scan` finds the messages in a stream of bytes; `upload` follows what a client sends when a
//! server asks for data. A row is never looked into.

mod pipeline;
mod scan;
#[cfg(test)]
mod tests;
mod upload;

pub use pipeline::{Answer, Request};
pub use scan::{HELD_MAX, Reached, Scan, Scanner, Summary};
pub use upload::{Upload, Uploaded};
