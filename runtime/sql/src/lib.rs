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
//! # What is assumed of a PostgreSQL session
//! - `standard_conforming_strings` is on: a backslash escapes in `E'…'` only. The server reports a
//!   change of it, so that a session can be watched for it.
//! - The character set of the client keeps the bytes of quotes and backslashes for these (not SJIS,
//!   BIG5, GBK, UHC, JOHAB or GB18030, where a backslash may be the second byte of a character).
//!
//! # The hot path
//! [`analyze`] runs for each statement, before anything else is known about it, and allocates nothing.
//! It takes 1.5 to 2 nanoseconds a byte (`examples/analyze_speed.rs` measures it), because:
//! - The text is judged 64 bytes at a time (`block`): one bit a byte for words and for white space. A
//!   word then ends at the first zero bit, and no branch is spent on its bytes. Strings and comments are
//!   crossed eight bytes at a time (`chunk`). SSE2 does the judging on x86-64, plain integer arithmetic
//!   elsewhere, WebAssembly included.
//! - A word of up to seven bytes is one integer, in lower case. Keywords are compared as integers, and a
//!   word is hashed by one multiplication.
//! - The tokens that most statements are made of (`lexer::Frequent`) have a short loop of their own, in
//!   which the cursor and the hash stay in registers: nothing that is called from it gets a reference to
//!   either. The rules for lists, rows and signs (`normal`) are left outside, and keep each part of their
//!   state in a field that is read as it was written; enums with data would be copied through the stack.
//! - The class of a statement that starts with `SELECT` is told by one comparison.

mod block;
mod chunk;
pub mod comments;
mod digest;
pub mod effects;
mod functions;
mod kind;
mod lexer;
mod normal;
pub mod postgres;
pub mod set;

pub use digest::{Analysis, analyze, digest_text};
pub use kind::Kind;
pub use lexer::{Token, TokenKind, Tokens, tokens};

/// Whose SQL a text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// MySQL and MariaDB, with the session modes that the crate's page names.
    #[default]
    Mysql,
    /// PostgreSQL, with the setting that the crate's page names.
    Postgres,
}
