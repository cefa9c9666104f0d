//! A line of the query log.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use crate::labels::{KindLabel, OutcomeLabel, VerdictLabel};
use crate::timestamp::Rfc3339;

/// No more of a statement than this is logged, in bytes.
pub(super) const QUERY_MAX: usize = 2048;

/// One statement, as it ended. Secrets and literals must not be in it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueryLogEntry<'a> {
    /// When it ended.
    #[serde(rename = "ts", serialize_with = "rfc3339")]
    pub time: SystemTime,
    pub listener: &'a str,
    pub session: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a str>,
    pub user: &'a str,
    /// The client's address.
    pub client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<&'a str>,
    #[serde(serialize_with = "hexadecimal")]
    pub digest: u64,
    /// The normalised text, without literals.
    #[serde(serialize_with = "shortened")]
    pub query: &'a str,
    #[serde(serialize_with = "kind")]
    pub kind: KindLabel,
    /// Where it was meant to go: `orders/replica`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'a str>,
    /// Where it went: the server's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<&'a str>,
    /// Returned, or affected where none are returned.
    pub rows: u64,
    #[serde(rename = "duration_us", serialize_with = "microseconds")]
    pub duration: Duration,
    #[serde(serialize_with = "outcome")]
    pub outcome: OutcomeLabel,
    /// The protocol's code; 0 without an error.
    #[serde(skip_serializing_if = "is_zero")]
    pub error_code: u32,
    /// `None` when no plugin was asked.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "verdict")]
    pub verdict: Option<VerdictLabel>,
    /// The plugin that decided last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<&'a str>,
    /// What plugins have noted.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "map")]
    pub tags: &'a [(String, String)],
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Rfc3339::new(*time).as_str())
}

fn hexadecimal<S: Serializer>(digest: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = [0; 16];
    for (index, place) in text.iter_mut().enumerate() {
        *place = b"0123456789abcdef"
            [usize::from(digest.to_be_bytes()[index / 2] >> (4 * (1 - index % 2)) & 15)];
    }
    // Digits and letters of ASCII.
    serializer.serialize_str(str::from_utf8(&text).unwrap_or_default())
}

fn shortened<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text[..text.floor_char_boundary(QUERY_MAX)])
}

fn kind<S: Serializer>(kind: &KindLabel, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

fn outcome<S: Serializer>(outcome: &OutcomeLabel, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.as_str())
}

fn verdict<S: Serializer>(
    verdict: &Option<VerdictLabel>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    verdict.map(VerdictLabel::as_str).serialize(serializer)
}

fn microseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn map<S: Serializer>(tags: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter().map(|(key, value)| (key, value)))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(code: &u32) -> bool {
    *code == 0
}
