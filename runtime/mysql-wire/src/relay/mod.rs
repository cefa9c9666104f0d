//! Following a server's replies by their headers, so that their bytes can be forwarded as they came.
//!
//! [`grammar`] knows which packet may come next in the reply to a command; [`scan`] finds the
//! packets in a stream of bytes; [`translate`] bridges a client and a server that number them
//! differently. A row is never looked into.

mod grammar;
mod scan;
#[cfg(test)]
mod tests;
mod translate;

pub use grammar::{Expect, Summary};
pub use scan::{Reached, Scan, Scanner};
pub use translate::{Side, Translator};
