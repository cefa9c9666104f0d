//! What can be learned from the text of a statement without a server: its tokens, its digest, its
//! class, its comments and its effects.
//!
//! No I/O, no state, no dependencies: the proxy and the plugins read statements with the same eyes.
//! Nothing here parses SQL. The text is cut into tokens exactly as the server's lexer would cut it,
//! and everything else is read off the tokens; what is not known to be harmless counts as harmful.
//!
//! # What is assumed of a MySQL session
//! - The character set of the client keeps ASCII bytes for ASCII characters (UTF-8, Latin-1, …; not
//!   GBK, Big5, SJIS or UTF-16, where the second byte of a character may be a quote or a backslash).
//! - `"…"` is a string: `ANSI_QUOTES` is off. With it on, the names of `"columns"` are taken for
//!   literals: statements that differ only in such names then share a digest.
//! - A backslash escapes: `NO_BACKSLASH_ESCAPES` is off.
//!
//! # The hot path
//! [`analyze`] runs for each statement, before anything else is known about it, so its budget is
//! about one nanosecond a byte, and it allocates nothing:
//! - Words, strings and comments are crossed eight bytes at a time with plain integer arithmetic
//!   (`chunk`), which needs no branch per byte and no CPU feature, so that it is as good in
//!   WebAssembly.
//! - A word of up to seven bytes is one integer, case folded by the same arithmetic that found its
//!   end. Keywords are compared as integers, and a word is hashed by one multiplication.
//! - The multiplications form a chain of their own beside the chain of token ends, so that a
//!   processor overlaps the two.
//! - The class needs the first word only, except for the few verbs that announce another one.

mod block;
mod chunk;
pub mod comments;
mod digest;
pub mod effects;
mod functions;
mod kind;
mod lexer;
mod normal;

pub use digest::{Analysis, analyze, digest_text};
pub use kind::Kind;
pub use lexer::{Token, TokenKind, Tokens, tokens};

/// Whose SQL a text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// MySQL and MariaDB, with the session modes that the crate's page names.
    #[default]
    Mysql,
}
