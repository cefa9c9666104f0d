//! A line of the query log: what it holds and how it is written.

use std::time::{Duration, SystemTime};

use crate::labels::{KindLabel, OutcomeLabel, VerdictLabel};
use crate::query_log::json;
use crate::timestamp::Rfc3339;

/// No more of a statement than this is logged, in bytes.
pub(super) const QUERY_MAX: usize = 2048;

/// One statement, as it ended. Secrets and literals must not be in it.
#[derive(Clone, Copy, Debug)]
pub struct QueryLogEntry<'a> {
    /// When it ended.
    pub time: SystemTime,
    pub listener: &'a str,
    pub session: u64,
    pub trace_id: Option<&'a str>,
    /// Equal for the same request said again.
    pub idempotency_key: Option<&'a str>,
    pub user: &'a str,
    /// The client's address.
    pub client: &'a str,
    pub database: Option<&'a str>,
    pub digest: u64,
    /// The normalised text, without literals.
    pub query: &'a str,
    pub kind: KindLabel,
    /// Where it was meant to go: `orders/replica`.
    pub target: Option<&'a str>,
    /// Where it went: the server's address.
    pub server: Option<&'a str>,
    /// Returned, or affected where none are returned.
    pub rows: u64,
    pub duration: Duration,
    pub outcome: OutcomeLabel,
    /// The protocol's code; 0 without an error.
    pub error_code: u32,
    /// `None` when no plugin was asked.
    pub verdict: Option<VerdictLabel>,
    /// The plugin that decided last.
    pub plugin: Option<&'a str>,
    /// What plugins have noted.
    pub tags: &'a [(String, String)],
}

impl QueryLogEntry<'_> {
    /// Appends the statement as one line of JSON; what is not known is left out.
    pub(super) fn write(&self, line: &mut Vec<u8>) {
        let microseconds = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX);
        let time = Rfc3339::new(self.time);
        json::verbatim(line, r#"{"ts":"#, time.as_bytes());
        json::text(line, r#","listener":"#, self.listener);
        json::number(line, r#","session":"#, self.session);
        json::optional(line, r#","trace_id":"#, self.trace_id);
        json::optional(line, r#","idempotency_key":"#, self.idempotency_key);
        json::text(line, r#","user":"#, self.user);
        json::text(line, r#","client":"#, self.client);
        json::optional(line, r#","database":"#, self.database);
        json::verbatim(line, r#","digest":"#, &json::hexadecimal(self.digest));
        json::text(line, r#","query":"#, shortened(self.query));
        json::verbatim(line, r#","kind":"#, self.kind.as_str().as_bytes());
        json::optional(line, r#","target":"#, self.target);
        json::optional(line, r#","server":"#, self.server);
        json::number(line, r#","rows":"#, self.rows);
        json::number(line, r#","duration_us":"#, microseconds);
        json::verbatim(line, r#","outcome":"#, self.outcome.as_str().as_bytes());
        if self.error_code != 0 {
            json::number(line, r#","error_code":"#, self.error_code.into());
        }
        json::optional(line, r#","verdict":"#, self.verdict.map(VerdictLabel::as_str));
        json::optional(line, r#","plugin":"#, self.plugin);
        if !self.tags.is_empty() {
            json::map(line, r#","tags":"#, self.tags);
        }
        line.extend_from_slice(b"}\n");
    }
}

/// At most [`QUERY_MAX`] bytes, cut between characters.
fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(QUERY_MAX)).unwrap_or_default()
}
