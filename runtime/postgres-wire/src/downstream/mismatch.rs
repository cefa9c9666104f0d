//! What the client has shown does not fit what we hold.

use super::exchange::{Evidence, Exchange};
use super::{Auth, Refusal};
use crate::auth::Verifier;

/// A password that is wrong, or right and newer than the verifier.
#[derive(Debug)]
pub struct Mismatch {
    exchange: Exchange,
    evidence: Evidence,
}

impl Mismatch {
    pub(super) fn new(exchange: Exchange, evidence: Evidence) -> Self {
        Self { exchange, evidence }
    }

    /// Whether another verifier could make a difference. A proof by SCRAM is for one salt, and a
    /// client is asked only once.
    #[must_use]
    pub fn can_be_retried(&self) -> bool {
        !matches!(self.evidence, Evidence::Scram)
    }

    /// Judges again, by a verifier that has taken the place of the first. May take milliseconds.
    #[must_use]
    pub fn retry(self, verifier: &Verifier) -> Auth {
        self.exchange.judge(self.evidence, verifier)
    }

    /// What the client is told.
    #[must_use]
    pub fn refuse(self) -> Refusal {
        self.exchange.deny()
    }
}
