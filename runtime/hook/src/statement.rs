//! The statement that a hook decides.

use std::borrow::Cow;

use bitflags::bitflags;
use tidegate_sql::Kind;

/// No more of a statement's text than this is handed to a hook by value, in bytes.
pub const TEXT_MAX: usize = 16 << 10;

bitflags! {
    /// What a plugin should know before it trusts [`Statement::text`].
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct StatementTraits: u8 {
        /// It comes as a prepared statement.
        const PREPARED = 1;
        /// The text is longer than [`TEXT_MAX`] and was cut.
        const TRUNCATED = 1 << 1;
        /// The text is not UTF-8; what is not was replaced.
        const NOT_UTF8 = 1 << 2;
        /// The text holds more than one statement.
        const MULTIPLE = 1 << 3;
        /// [`Statement::bytes`] is not the whole statement either.
        const PARTIAL = 1 << 4;
        /// There are [`Statement::attributes`].
        const ATTRIBUTES = 1 << 5;
    }
}

/// What a client has attached to one statement (MySQL: a query attribute), as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attribute<'a> {
    pub name: &'a str,
    /// Borrowed from the client's bytes where it came as text.
    pub value: Cow<'a, str>,
}

/// One SQL statement before it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The statement as it came, or the part of it that the runtime holds. Any encoding.
    pub bytes: &'a [u8],
    pub kind: Kind,
    /// `PREPARED`, `MULTIPLE` and `TRUNCATED` if [`Self::bytes`] is not the whole statement;
    /// who makes text of the bytes adds the others.
    pub traits: StatementTraits,
    /// Equal for statements that differ only in literals, white space and comments.
    pub digest: u64,
    /// Of several with one name, plugins see the first.
    pub attributes: &'a [Attribute<'a>],
}
