//! What stays the same while proofs are exchanged, and what is made of each.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use tidegate_wire::{Reader, Violation};
use zeroize::Zeroizing;

use super::{Accepted, Auth, ExpectProof, Mismatch, Offer, Refusal, Unchecked};
use crate::auth::scram::server::{Beginning, Challenge, Fault};
use crate::auth::scram::{MECHANISM, MECHANISM_PLUS};
use crate::auth::{Credential, DecoyKey, Flow, Verifier, md5, scram};
use crate::message::{Authentication, Mechanisms, SaslInitialResponse};
use crate::text;

/// With channel binding where both sides can.
const MECHANISMS_WITH_BINDING: &[u8] = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
const MECHANISMS: &[u8] = b"SCRAM-SHA-256\0\0";

#[derive(Debug)]
pub(super) struct Exchange {
    user: String,
    tls: bool,
    end_point: Option<Arc<[u8]>>,
    nonce: [u8; scram::NONCE_LEN],
    salt: [u8; md5::SALT_LEN],
    cleartext: bool,
    decoy_key: DecoyKey,
}

/// What a client has shown.
pub(super) enum Evidence {
    /// A proof for one salt, which nothing else can judge than what it was for.
    Scram,
    Md5(Zeroizing<Vec<u8>>),
    Password(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scram => "Scram",
            Self::Md5(_) => "Md5(..)",
            Self::Password(_) => "Password(..)",
        })
    }
}

/// What the next message of the client must be.
#[derive(Debug)]
pub(super) enum Awaited {
    /// Which method of SASL it has chosen, and the first message of that.
    Mechanism,
    /// The proof.
    Scram(Challenge),
    Md5,
    Password,
}

impl Exchange {
    pub(super) fn new(offer: Offer, user: String, tls: bool) -> Self {
        Self {
            user,
            tls,
            end_point: offer.end_point.filter(|_| tls),
            nonce: offer.nonce,
            salt: offer.salt,
            cleartext: offer.cleartext,
            decoy_key: offer.decoy_key,
        }
    }

    /// Asks for the first proof.
    pub(super) fn ask(self, verifier: Verifier, out: &mut BytesMut) -> Auth {
        let Some(flow) = verifier.flow() else {
            return Auth::Accepted(Accepted { credential: Credential::Nothing });
        };
        let flow = if self.cleartext { Flow::Cleartext } else { flow };
        let (request, awaited) = match flow {
            Flow::Cleartext if !self.tls => return Auth::Denied(Refusal::tls_needed(&self.user)),
            Flow::Cleartext => (Authentication::CleartextPassword, Awaited::Password),
            Flow::Md5 => (Authentication::Md5Password { salt: self.salt }, Awaited::Md5),
            Flow::Scram { .. } => (Authentication::Sasl(self.mechanisms()), Awaited::Mechanism),
        };
        request.encode(out);
        Auth::Continue(ExpectProof::new(self, awaited, verifier))
    }

    fn mechanisms(&self) -> Mechanisms<'static> {
        match self.end_point {
            Some(_) => Mechanisms(MECHANISMS_WITH_BINDING),
            None => Mechanisms(MECHANISMS),
        }
    }

    /// Makes something of a message of the client.
    pub(super) fn receive(
        self,
        awaited: Awaited,
        payload: &[u8],
        verifier: Verifier,
        out: &mut BytesMut,
    ) -> Result<Auth, Refusal> {
        let evidence = match awaited {
            Awaited::Mechanism => return self.challenge(payload, verifier, out),
            Awaited::Scram(challenge) => {
                let proved = challenge.check(payload).map_err(refusal)?;
                let accepted = proved.and_then(|(keys, last)| {
                    let credential = verifier.proved_by_scram(keys)?;
                    Authentication::SaslFinal(last.as_bytes()).encode(out);
                    Some(Auth::Accepted(Accepted { credential }))
                });
                return Ok(accepted
                    .unwrap_or_else(|| Auth::Mismatch(Mismatch::new(self, Evidence::Scram))));
            }
            Awaited::Md5 => Evidence::Md5(password(payload)?),
            Awaited::Password => Evidence::Password(password(payload)?),
        };
        Ok(self.judge(evidence, &verifier))
    }

    /// The client has begun with SCRAM.
    fn challenge(
        self,
        payload: &[u8],
        verifier: Verifier,
        out: &mut BytesMut,
    ) -> Result<Auth, Refusal> {
        let response = SaslInitialResponse::decode(payload).map_err(Refusal::violation)?;
        let plus = match std::str::from_utf8(response.mechanism) {
            Ok(MECHANISM) => false,
            Ok(MECHANISM_PLUS) if self.end_point.is_some() => true,
            _ => {
                let what = "method of SASL that was not offered";
                return Err(Refusal::violation(Violation::Unexpected { what }));
            }
        };
        let Some(message) = response.message else {
            let what = "method of SASL without its first message";
            return Err(Refusal::violation(Violation::Unexpected { what }));
        };
        let end_point = self.end_point.as_deref();
        let stored = verifier.scram(&self.user, &self.decoy_key);
        let beginning = Beginning { message, plus, end_point };
        let (challenge, reply) =
            Challenge::new(stored, &self.nonce, &beginning).map_err(refusal)?;
        Authentication::SaslContinue(&reply).encode(out);
        Ok(Auth::Continue(ExpectProof::new(self, Awaited::Scram(challenge), verifier)))
    }

    /// Says what the evidence is worth to this verifier. May take milliseconds if it is a password.
    pub(super) fn judge(self, evidence: Evidence, verifier: &Verifier) -> Auth {
        let credential = match &evidence {
            Evidence::Scram => None,
            Evidence::Md5(response) => verifier.check_md5(response, self.salt),
            Evidence::Password(password) if verifier.asks_servers() && !password.is_empty() => {
                let credential = Credential::password(password);
                return Auth::Check(Unchecked::new(self, credential));
            }
            Evidence::Password(password) => verifier.check_password(&self.user, password),
        };
        match credential {
            Some(credential) => Auth::Accepted(Accepted { credential }),
            None => Auth::Mismatch(Mismatch::new(self, evidence)),
        }
    }

    pub(super) fn deny(&self) -> Refusal {
        Refusal::access_denied(&self.user)
    }
}

/// The text of a `PasswordMessage`.
fn password(payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut reader = Reader::new(payload, "a password");
    let password = reader.until_nul().and_then(|password| {
        text::end(&reader)?;
        Ok(Zeroizing::new(password.to_vec()))
    });
    password.map_err(Refusal::violation)
}

fn refusal(fault: Fault) -> Refusal {
    match fault {
        Fault::Violation(violation) => Refusal::violation(violation),
        Fault::Binding => Refusal::binding(),
    }
}
