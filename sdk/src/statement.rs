//! The statement that a hook decides.

use std::cell::OnceCell;

use tidegate_sql::Kind;

use crate::host;

/// No more of a statement than this is asked of the host.
pub(crate) const BYTES_MAX: u32 = 64 << 10;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StatementTraits {
    pub(crate) prepared: bool,
    pub(crate) truncated: bool,
    pub(crate) not_utf8: bool,
    pub(crate) multiple: bool,
    pub(crate) partial: bool,
    pub(crate) attributes: bool,
}

/// One SQL statement before it is sent.
///
/// ```
/// use tidegate_sdk::{mock, sql::*};
///
/// let statement = mock::statement("SELECT * FROM orders WHERE id = 7");
/// assert!(statement.is_read());
/// assert_eq!(statement.digest(), mock::statement("select * from orders where id = 8").digest());
/// ```
#[derive(Debug)]
pub struct Statement {
    text: String,
    kind: Kind,
    traits: StatementTraits,
    digest: u64,
    bytes: OnceCell<Vec<u8>>,
    /// Others ask the host for them.
    #[cfg(not(target_family = "wasm"))]
    attributes: Vec<(String, String)>,
}

impl Statement {
    pub(crate) fn new(text: String, kind: Kind, traits: StatementTraits, digest: u64) -> Self {
        Self {
            text,
            kind,
            traits,
            digest,
            bytes: OnceCell::new(),
            #[cfg(not(target_family = "wasm"))]
            attributes: Vec::new(),
        }
    }

    /// A statement that brings the bytes along which others ask the host for.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn with_bytes(mut self, bytes: Vec<u8>) -> Self {
        self.bytes = OnceCell::from(bytes);
        self
    }

    /// The same statement, with something attached to it; for tests.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let statement = mock::statement("SELECT 1").with_attribute("trace_id", "7");
    /// assert_eq!(statement.attribute("trace_id").as_deref(), Some("7"));
    /// ```
    #[cfg(not(target_family = "wasm"))]
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: &str) -> Self {
        self.traits.attributes = true;
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The statement's text: up to 16 KiB of it, and with `U+FFFD` where it is not UTF-8.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::statement("SELECT 1").text(), "SELECT 1");
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the statement does, judged by its words; of [several](Self::is_multiple), the first.
    ///
    /// ```
    /// # use tidegate_sdk::{mock, sql::Kind};
    /// assert_eq!(mock::statement("DELETE FROM orders").kind(), Kind::Write);
    /// ```
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Is it of [`Kind::Read`]? A read may still lock rows or call functions that have effects:
    /// [`sql_text`](crate::sql_text) tells.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::statement("SELECT 1").is_read());
    /// ```
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.kind == Kind::Read
    }

    /// A number that is equal for statements that differ only in literals, white space and comments.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::statement("SELECT 1").digest(), mock::statement("SELECT 2").digest());
    /// ```
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Does it come as a prepared statement? Then its parameters are not in the text.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::prepared("SELECT * FROM orders WHERE id = ?").is_prepared());
    /// ```
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        self.traits.prepared
    }

    /// Is the statement longer than its [`text`](Self::text)?
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::statement(format!("SELECT '{}'", "x".repeat(20_000))).is_truncated());
    /// ```
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.traits.truncated
    }

    /// Does the text hold more than one statement? Kind and [`is_read`](Self::is_read) then tell about
    /// the first only, so a plugin that lets reads pass has to ask this too.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::statement("SELECT 1; DELETE FROM orders").is_multiple());
    /// ```
    #[must_use]
    pub fn is_multiple(&self) -> bool {
        self.traits.multiple
    }

    /// Is the text exactly what came? Otherwise [`bytes`](Self::bytes) has the original.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(!mock::statement(b"SELECT 'caf\xe9'").is_utf8());
    /// ```
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        !self.traits.not_utf8
    }

    /// The bytes as they came, up to 64 KiB. Asks the host only where they are not those of the text.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::statement(b"SELECT 'caf\xe9'").bytes().contains(&0xe9));
    /// ```
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        if self.traits.truncated || self.traits.not_utf8 {
            self.bytes.get_or_init(|| host::statement::bytes(0, BYTES_MAX))
        } else {
            self.text.as_bytes()
        }
    }

    /// Is the statement longer than even its [`bytes`](Self::bytes)?
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let of = |length| mock::statement(format!("SELECT '{}'", "x".repeat(length)));
    /// assert!(of(20_000).is_truncated() && !of(20_000).is_partial());
    /// assert!(of(70_000).is_partial());
    /// ```
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.traits.partial || self.bytes().len() >= BYTES_MAX as usize
    }

    /// What the client attached to this statement under a name of its own: in MySQL, a query attribute.
    /// Asks the host only if there is any.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let statement = mock::statement("SELECT 1").with_attribute("team", "billing");
    /// assert_eq!(statement.attribute("team").as_deref(), Some("billing"));
    /// assert_eq!(statement.attribute("tram"), None);
    /// ```
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        if self.traits.attributes { self.ask_attribute(name) } else { None }
    }

    #[cfg(target_family = "wasm")]
    fn ask_attribute(&self, name: &str) -> Option<String> {
        host::statement::attribute(name)
    }

    #[cfg(not(target_family = "wasm"))]
    fn ask_attribute(&self, name: &str) -> Option<String> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }
}
