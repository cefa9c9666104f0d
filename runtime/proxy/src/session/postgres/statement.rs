//! Looking at statements, asking the plugins about them, and saying how they went.

use std::sync::Arc;
use std::time::Instant;

use tidegate_hook::{Hooked, Outcome, OutcomeKind, Statement, StatementTraits, Verdict};
use tidegate_postgres_wire::sqlstate::SqlState;
use tidegate_sql::{Dialect, Kind, analyze};

use super::trace::{Traces, traces};
use super::{Session, prepared};
use crate::listener::Finished;
use crate::route::Place;

/// A statement between its arrival and its end.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) started: Instant,
    pub(super) kind: Kind,
    pub(super) digest: u64,
    pub(super) verdict: Verdict,
    /// What it leaves behind.
    pub(super) traces: Traces,
    /// The text for the query log, where there is one.
    pub(super) logged: Option<Arc<[u8]>>,
}

impl Asked {
    /// For what plugins are not asked about.
    pub(super) fn unasked(kind: Kind) -> Self {
        Self {
            started: Instant::now(),
            kind,
            digest: 0,
            verdict: Verdict::default(),
            traces: Traces::default(),
            logged: None,
        }
    }
}

impl Session {
    /// Nobody wants to know what statements say.
    pub(super) fn looks_away(&self) -> bool {
        let wanted = self.listener.hooks().wanted(self.context.listener);
        wanted.is_empty() && !self.listener.looks_at_statements()
    }

    /// Looks at a statement and asks the plugins about it.
    pub(super) fn ask(&mut self, text: &[u8], mut traits: StatementTraits) -> Asked {
        let started = Instant::now();
        let wanted = self.listener.hooks().wanted(self.context.listener);
        let analysis = analyze(text, Dialect::Postgres);
        traits.set(StatementTraits::MULTIPLE, analysis.multiple);
        let (kind, digest) = (analysis.kind, analysis.digest);
        let statement = Statement { bytes: text, kind, traits, digest, attributes: &[] };
        let verdict = self.decide(wanted, &statement);
        let sent = verdict.rewrite.as_deref().map_or(text, str::as_bytes);
        let whole = verdict.rewrite.is_some() || !traits.contains(StatementTraits::TRUNCATED);
        let traces = traces(sent, kind, whole);
        let logged = self.listener.logs_statements().then(|| text.into());
        Asked { started, kind, digest, verdict, traces, logged }
    }

    /// Asks the plugins about the execution of a statement that was looked at when it was prepared.
    pub(super) fn ask_again(&mut self, prepared: &prepared::Statement) -> Asked {
        let started = Instant::now();
        let wanted = self.listener.hooks().wanted(self.context.listener);
        let (kind, digest) = (prepared.kind, prepared.digest);
        let (bytes, traits) = (prepared.text(), StatementTraits::PREPARED);
        let statement = Statement { bytes, kind, traits, digest, attributes: &[] };
        let verdict = self.decide(wanted, &statement);
        let logged = self.listener.logs_statements().then(|| bytes.into());
        Asked { started, kind, digest, verdict, traces: prepared.traces.clone(), logged }
    }

    fn decide(&mut self, wanted: Hooked, statement: &Statement<'_>) -> Verdict {
        if wanted.contains(Hooked::SQL) {
            self.listener.hooks().on_statement(&mut self.context, statement)
        } else {
            Verdict::default()
        }
    }

    /// Tells metrics, the query log and observers how a statement went.
    pub(super) fn finish(
        &mut self,
        asked: &Asked,
        place: Option<Place>,
        outcome: OutcomeKind,
        error: Option<SqlState>,
        rows: u64,
    ) {
        let nowhere = Place { upstream: self.default.upstream, server: usize::MAX };
        let outcome = Outcome {
            digest: asked.digest,
            kind: asked.kind,
            outcome,
            error_code: error.map_or(0, number),
            rows,
            duration: asked.started.elapsed(),
        };
        self.listener.finished(
            &mut self.context,
            &Finished {
                outcome,
                place: place.unwrap_or(nowhere),
                verdict: &asked.verdict,
                text: asked.logged.as_deref(),
            },
        );
    }
}

/// An SQLSTATE as observers are told it: its five digits and letters, read as a number in base 36.
fn number(SqlState(code): SqlState) -> u32 {
    code.iter().fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(36).unwrap_or_default();
        number.wrapping_mul(36).wrapping_add(digit)
    })
}

/// Whether statements of this kind change what is stored.
pub(super) fn is_change(kind: Kind) -> bool {
    matches!(kind, Kind::Write | Kind::Ddl | Kind::Call | Kind::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_in_base_36() {
        assert_eq!(number(SqlState(*b"00000")), 0);
        assert_eq!(number(SqlState(*b"42P01")), 6_844_177);
        assert_eq!(number(SqlState(*b"00001")), 1);
    }
}
