//! Following a server's replies by their headers, so that their bytes can be forwarded as they came.
//!
//! [`grammar`] knows which packet may come next in the reply to a command; [`scan`] finds the
//! packets in a stream of bytes; [`translate`] bridges a client and a server whose packets differ,
//! as [`side`] tells of both; [`upload`] follows what a client sends when a server asks for a file.
//! A row is never looked into.

mod grammar;
mod scan;
mod side;
#[cfg(test)]
mod tests;
mod translate;
mod upload;

pub use grammar::{Expect, Summary};
pub use scan::{HELD_MAX, Reached, Scan, Scanner};
pub use side::Side;
pub use translate::Translator;
pub use upload::Upload;
