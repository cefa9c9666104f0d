//! What the client has shown does not fit what we hold.

use bytes::BytesMut;

use super::exchange::{Evidence, Exchange};
use super::{Auth, Refusal};
use crate::auth::{Flow, Verifier};

/// A password that is wrong, or right and newer than the verifier.
#[derive(Debug)]
pub struct Mismatch {
    exchange: Exchange,
    evidence: Evidence,
    flow: Flow,
}

impl Mismatch {
    pub(super) fn new(exchange: Exchange, evidence: Evidence, verifier: &Verifier) -> Self {
        Self { exchange, evidence, flow: verifier.flow() }
    }

    /// Judges again, by a verifier that has taken the place of the first. Where that one needs
    /// another method, the client is asked for it, if it was not asked already. May take
    /// milliseconds.
    pub fn retry(self, verifier: Verifier, out: &mut BytesMut) -> Auth {
        let Self { exchange, evidence, flow } = self;
        match (evidence.method(), verifier.flow()) {
            (Some(shown), Flow::Only(method)) if shown != method => {
                if exchange.was_switched() || !exchange.can(method) {
                    return Auth::Mismatch(Self { exchange, evidence, flow });
                }
                exchange.switch(method, verifier, out)
            }
            _ => exchange.judge(evidence, verifier, out),
        }
    }

    /// What the client is told.
    #[must_use]
    pub fn refuse(self) -> Refusal {
        match self.evidence {
            Evidence::Nothing => self.exchange.deny(false),
            Evidence::Sha2(_) => self.exchange.tls_needed(),
            _ => self.exchange.deny(true),
        }
    }
}
