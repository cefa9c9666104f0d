//! The statement as it goes through a chain: its text, made once and only if somebody reads it.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use tidegate_hook::{Attribute, Statement, StatementTraits, TEXT_MAX};
use tidegate_sql::{Dialect, Kind, analyze};

/// A statement on its way through the chain; a rewrite changes what the next plugin sees.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) kind: Kind,
    pub(crate) digest: u64,
    pub(crate) attributes: &'a [Attribute<'a>],
    traits: StatementTraits,
    text: Option<Text<'a>>,
    fingerprint: Option<u64>,
}

#[derive(Debug)]
struct Text<'a> {
    text: Cow<'a, str>,
    traits: StatementTraits,
}

impl<'a> Request<'a> {
    pub(crate) fn new(statement: &Statement<'a>) -> Self {
        let mut traits = statement.traits;
        traits.set(StatementTraits::PARTIAL, traits.contains(StatementTraits::TRUNCATED));
        traits.set(StatementTraits::ATTRIBUTES, !statement.attributes.is_empty());
        Self {
            bytes: Cow::Borrowed(statement.bytes),
            kind: statement.kind,
            digest: statement.digest,
            attributes: statement.attributes,
            traits,
            text: None,
            fingerprint: None,
        }
    }

    /// Replaces the statement by a plugin's text.
    pub(crate) fn rewrite(&mut self, text: &str, dialect: Dialect) {
        let analysis = analyze(text.as_bytes(), dialect);
        self.bytes = Cow::Owned(text.as_bytes().to_vec());
        self.kind = analysis.kind;
        self.digest = analysis.digest;
        self.traits.remove(StatementTraits::TRUNCATED | StatementTraits::PARTIAL);
        self.traits.set(StatementTraits::MULTIPLE, analysis.multiple);
        self.text = None;
        self.fingerprint = None;
    }

    /// As much of the text as plugins are given, and what they should know about it.
    pub(crate) fn text(&mut self) -> (&str, StatementTraits) {
        let text = self.text.get_or_insert_with(|| Text::new(&self.bytes));
        (&text.text, self.traits | text.traits)
    }

    /// What the host was told about the statement.
    pub(crate) fn traits(&self) -> StatementTraits {
        self.traits
    }

    /// Is the digest that of the whole statement?
    pub(crate) fn is_whole(&self) -> bool {
        !self.traits.contains(StatementTraits::TRUNCATED)
    }

    /// Is the text that plugins are given the whole statement?
    pub(crate) fn text_is_whole(&self) -> bool {
        self.is_whole() && self.bytes.len() <= TEXT_MAX
    }

    /// A number that no client can make two texts share, with what is attached to them; see
    /// [`SessionContext::identity`].
    ///
    /// [`SessionContext::identity`]: tidegate_hook::SessionContext::identity
    pub(crate) fn fingerprint(&mut self) -> u64 {
        static KEYS: OnceLock<RandomState> = OnceLock::new();
        let keys = KEYS.get_or_init(RandomState::new);
        *self.fingerprint.get_or_insert_with(|| match self.attributes {
            [] => keys.hash_one(&*self.bytes),
            attached => keys.hash_one((&*self.bytes, attached)),
        })
    }
}

impl<'a> Text<'a> {
    fn new(bytes: &Cow<'a, [u8]>) -> Self {
        let mut traits = StatementTraits::empty();
        traits.set(StatementTraits::TRUNCATED, bytes.len() > TEXT_MAX);
        let text = match bytes {
            Cow::Borrowed(bytes) => str::from_utf8(cut(bytes)).map(Cow::Borrowed),
            Cow::Owned(bytes) => str::from_utf8(cut(bytes)).map(|text| text.to_owned().into()),
        };
        let text = text.unwrap_or_else(|_| {
            traits |= StatementTraits::NOT_UTF8;
            String::from_utf8_lossy(cut(bytes)).into_owned().into()
        });
        Self { text, traits }
    }
}

/// The first [`TEXT_MAX`] bytes, without a character that would be cut.
fn cut(bytes: &[u8]) -> &[u8] {
    let Some(start) = bytes.get(..TEXT_MAX).filter(|_| bytes.len() > TEXT_MAX) else {
        return bytes;
    };
    match str::from_utf8(start) {
        Err(error) if error.error_len().is_none() => {
            start.get(..error.valid_up_to()).unwrap_or(start)
        }
        _ => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: &[u8]) -> Request<'_> {
        let traits = StatementTraits::PREPARED;
        Request::new(&Statement { bytes, kind: Kind::Read, traits, digest: 1, attributes: &[] })
    }

    #[test]
    fn plain_text_is_lent() {
        let mut request = request(b"SELECT 1");
        assert_eq!(request.text(), ("SELECT 1", StatementTraits::PREPARED));
        assert!(matches!(request.text, Some(Text { text: Cow::Borrowed(_), .. })));
        assert!(request.text_is_whole());
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let long = "ü".repeat(TEXT_MAX);
        let mut one = request(long.as_bytes());
        let (text, traits) = one.text();
        assert_eq!(text.len(), TEXT_MAX);
        assert_eq!(traits, StatementTraits::PREPARED | StatementTraits::TRUNCATED);
        let odd = format!("a{long}");
        let mut two = request(odd.as_bytes());
        assert_eq!(two.text().0.len(), TEXT_MAX - 1);
        assert!(!two.text_is_whole() && two.is_whole());
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let mut request = request(b"SELECT '\xff'");
        let (text, traits) = request.text();
        assert_eq!(text, "SELECT '\u{fffd}'");
        assert!(traits.contains(StatementTraits::NOT_UTF8));
    }

    #[test]
    fn attributes_belong_to_the_text() {
        let attribute = |value: &'static str| [Attribute { name: "a", value: value.into() }];
        let (one, two) = (attribute("1"), attribute("2"));
        let with = |attributes| {
            let traits = StatementTraits::TRUNCATED;
            let bytes = b"SELECT 1";
            Request::new(&Statement { bytes, kind: Kind::Read, traits, digest: 1, attributes })
        };
        let prints = [&[][..], &one, &two].map(|list| with(list).fingerprint());
        assert!(prints[0] != prints[1] && prints[1] != prints[2]);
        assert_eq!(with(&one).fingerprint(), prints[1]);
        let traits = StatementTraits::TRUNCATED | StatementTraits::PARTIAL;
        assert_eq!(with(&[]).traits(), traits);
        assert_eq!(with(&one).traits(), traits | StatementTraits::ATTRIBUTES);
    }

    #[test]
    fn a_rewrite_is_looked_at_anew() {
        let mut request = request(b"SELECT 1");
        let before = request.fingerprint();
        request.rewrite("DELETE FROM t", Dialect::Mysql);
        assert_eq!(request.kind, Kind::Write);
        assert_ne!(request.digest, 1);
        assert_ne!(request.fingerprint(), before);
        assert_eq!(request.text(), ("DELETE FROM t", StatementTraits::PREPARED));
        request.rewrite("COPY t FROM STDIN", Dialect::Postgres);
        assert_eq!(request.kind, Kind::Write);
        request.rewrite("COPY t FROM STDIN", Dialect::Mysql);
        assert_eq!(request.kind, Kind::Unknown);
    }
}
