//! What stays the same while proofs are exchanged, and what is made of each.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use tidegate_wire::Violation;
use zeroize::Zeroizing;

use super::{Accepted, Auth, ExpectPlaintext, ExpectProof, Mismatch, Offer, Refusal, Unchecked};
use crate::auth::caching_sha2::{self, FAST_PATH_OK, FULL_AUTHENTICATION};
use crate::auth::{Credential, Method, Signed, Verifier, ed25519, parsec};
use crate::frame;
use crate::packet::{AuthMoreData, AuthSwitchRequest, NONCE_LEN};

/// What a client asks for the server's key with, by `sha256_password`; and what stands for no
/// password.
const SHA256_KEY_REQUEST: u8 = 1;
/// The same, in full authentication by `caching_sha2_password`.
const SHA2_KEY_REQUEST: u8 = 2;
const NO_PASSWORD: u8 = 0;

#[derive(Debug)]
pub(super) struct Exchange {
    /// The method of our greeting.
    pub(super) offered: Method,
    pub(super) nonce: [u8; NONCE_LEN],
    long_nonce: [u8; ed25519::NONCE_LEN],
    parameters: parsec::Parameters,
    /// As messages show it.
    account: String,
    tls: bool,
    public_key: Option<Arc<str>>,
    /// Of the next packet, whoever sends it.
    pub(super) sequence: u8,
    /// The client was asked for another method than it took, which some bear only once.
    switched: bool,
}

/// What a client has shown.
pub(super) enum Evidence {
    /// That it has no password.
    Nothing,
    Native(Zeroizing<Vec<u8>>),
    Sha2(Zeroizing<Vec<u8>>),
    Signature(Box<Signed>),
    Password(Zeroizing<Vec<u8>>),
}

impl Evidence {
    /// The method that it is of, where only that can judge it.
    pub(super) fn method(&self) -> Option<Method> {
        match self {
            Self::Nothing | Self::Password(_) => None,
            Self::Native(_) => Some(Method::NativePassword),
            Self::Sha2(_) => Some(Method::CachingSha2Password),
            Self::Signature(signed) => Some(signed.method()),
        }
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Native(_) => "Native(..)",
            Self::Sha2(_) => "Sha2(..)",
            Self::Signature(_) => "Signature(..)",
            Self::Password(_) => "Password(..)",
        })
    }
}

/// What the next packet of the client must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Awaited {
    /// The first message of a method.
    First(Method),
    /// The password, in full authentication by `caching_sha2_password`.
    Password,
    /// The password, encrypted with our key.
    Ciphertext,
    /// The signature of `parsec`, whose parameters were told.
    Signature,
}

impl Exchange {
    pub(super) fn new(offer: Offer, user: &str, tls: bool, sequence: u8) -> Self {
        Self {
            offered: offer.method,
            nonce: offer.nonce,
            long_nonce: offer.long_nonce,
            parameters: parsec::Parameters::made_up(&offer.decoy_key.0, user),
            account: format!("'{user}'@'{}'", offer.client_host),
            tls,
            public_key: offer.public_key,
            sequence,
            switched: false,
        }
    }

    /// Whether the password itself may come, encrypted one way or another.
    pub(super) fn can_take_password(&self) -> bool {
        self.tls || self.public_key.is_some()
    }

    /// Whether the method can be carried out on this connection.
    pub(super) fn can(&self, method: Method) -> bool {
        match method {
            Method::Sha256Password => self.can_take_password(),
            Method::ClearPassword => self.tls,
            Method::Dialog => false,
            _ => true,
        }
    }

    /// Asks the client to begin again, by this method.
    pub(super) fn switch(mut self, method: Method, verifier: Verifier, out: &mut BytesMut) -> Auth {
        let data = match method {
            Method::Ed25519 | Method::Parsec => self.long_nonce.to_vec(),
            Method::ClearPassword | Method::Dialog => Vec::new(),
            _ => [&self.nonce[..], &[0]].concat(),
        };
        let request = AuthSwitchRequest { method: method.name().to_owned(), data };
        frame::write_with(out, &mut self.sequence, |out| request.encode(out));
        self.switched = true;
        Auth::Continue(ExpectProof::new(self, Awaited::First(method), verifier))
    }

    /// Makes something of a packet of the client.
    pub(super) fn receive(
        self,
        awaited: Awaited,
        payload: Zeroizing<Vec<u8>>,
        verifier: Verifier,
        out: &mut BytesMut,
    ) -> Result<Auth, Refusal> {
        let evidence = match awaited {
            Awaited::First(Method::NativePassword) if payload.is_empty() => Evidence::Nothing,
            Awaited::First(Method::NativePassword) => Evidence::Native(payload),
            Awaited::First(Method::CachingSha2Password) => self.first_of_sha2(payload),
            Awaited::First(Method::Sha256Password) => match payload[..] {
                [] | [NO_PASSWORD] => Evidence::Nothing,
                _ => return self.password(payload, SHA256_KEY_REQUEST, verifier, out),
            },
            Awaited::First(Method::ClearPassword) => match payload[..] {
                [] | [NO_PASSWORD] => Evidence::Nothing,
                _ => Evidence::Password(self.without_nul(&payload)?),
            },
            Awaited::First(Method::Ed25519) => {
                let signature = *self.sized(&payload, "a signature")?;
                Evidence::Signature(Box::new(Signed::Ed25519 { nonce: self.long_nonce, signature }))
            }
            Awaited::First(Method::Parsec) => return self.tell_parameters(&payload, verifier, out),
            Awaited::First(Method::Dialog) => {
                return Err(self.violation(Violation::Unexpected { what: "dialog" }));
            }
            Awaited::Password => return self.password(payload, SHA2_KEY_REQUEST, verifier, out),
            Awaited::Ciphertext => return Ok(self.decrypt(payload, verifier)),
            Awaited::Signature => {
                let (parameters, nonce) = (self.parameters, self.long_nonce);
                let proof = *self.sized(&payload, "a signature")?;
                Evidence::Signature(Box::new(Signed::Parsec { parameters, nonce, proof }))
            }
        };
        Ok(self.judge(evidence, verifier, out))
    }

    /// Some clients send the password at once where there is TLS. One that is as long as a proof
    /// cannot be told from it.
    fn first_of_sha2(&self, payload: Zeroizing<Vec<u8>>) -> Evidence {
        match payload.as_slice() {
            [] | [NO_PASSWORD] => Evidence::Nothing,
            [password @ .., 0] if self.tls && payload.len() != caching_sha2::LEN => {
                Evidence::Password(Zeroizing::new(password.to_vec()))
            }
            _ => Evidence::Sha2(payload),
        }
    }

    /// The password in one form or another, or a request for our key.
    fn password(
        self,
        payload: Zeroizing<Vec<u8>>,
        key_request: u8,
        verifier: Verifier,
        out: &mut BytesMut,
    ) -> Result<Auth, Refusal> {
        if self.tls {
            let password = self.without_nul(&payload)?;
            return Ok(self.judge(Evidence::Password(password), verifier, out));
        }
        match (&self.public_key, payload[..] == [key_request]) {
            (None, _) => Ok(Auth::Denied(self.tls_needed())),
            (Some(_), false) => Ok(self.decrypt(payload, verifier)),
            (Some(key), true) => {
                let key = Arc::clone(key);
                let next = self.say(key.as_bytes(), out);
                Ok(Auth::Continue(ExpectProof::new(next, Awaited::Ciphertext, verifier)))
            }
        }
    }

    fn decrypt(self, ciphertext: Zeroizing<Vec<u8>>, verifier: Verifier) -> Auth {
        Auth::Decrypt(ExpectPlaintext::new(self, ciphertext, verifier))
    }

    fn tell_parameters(
        self,
        payload: &[u8],
        verifier: Verifier,
        out: &mut BytesMut,
    ) -> Result<Auth, Refusal> {
        if !payload.is_empty() {
            let what = "a request for parameters";
            return Err(self.violation(Violation::Malformed { what }));
        }
        let parameters = self.parameters.encode();
        let next = self.say(&parameters, out);
        Ok(Auth::Continue(ExpectProof::new(next, Awaited::Signature, verifier)))
    }

    /// Says what the evidence is worth to this verifier. May take milliseconds if it is a password.
    pub(super) fn judge(self, evidence: Evidence, verifier: Verifier, out: &mut BytesMut) -> Auth {
        let credential = match &evidence {
            Evidence::Nothing => verifier.is_open().then_some(Credential::Empty),
            Evidence::Native(proof) => verifier.check_native(proof, &self.nonce),
            Evidence::Signature(signed) => verifier.check_signature(signed),
            Evidence::Password(password) => match verifier.check_password(password) {
                None if verifier.asks_servers() => {
                    let credential = Credential::password(password);
                    return Auth::Check(Unchecked::new(self, credential));
                }
                checked => checked,
            },
            Evidence::Sha2(proof) => match verifier.check_sha2(proof, &self.nonce) {
                Some(credential) => return self.say(&[FAST_PATH_OK], out).accept(credential),
                None => return self.ask_for_password(evidence, verifier, out),
            },
        };
        match credential {
            Some(credential) => self.accept(credential),
            None => Auth::Mismatch(Mismatch::new(self, evidence, &verifier)),
        }
    }

    /// A proof that is wrong, or that nothing here can check.
    fn ask_for_password(self, evidence: Evidence, verifier: Verifier, out: &mut BytesMut) -> Auth {
        // What ends like a password may be one, of a client that will say no more.
        if let Evidence::Sha2(proof) = &evidence
            && let [password @ .., 0] = proof.as_slice()
            && self.tls
            && let Some(credential) = verifier.check_password(password)
        {
            return self.accept(credential);
        }
        if !self.can_take_password() {
            return Auth::Mismatch(Mismatch::new(self, evidence, &verifier));
        }
        let next = self.say(&[FULL_AUTHENTICATION], out);
        Auth::Continue(ExpectProof::new(next, Awaited::Password, verifier))
    }

    pub(super) fn was_switched(&self) -> bool {
        self.switched
    }

    pub(super) fn accept(self, credential: Credential) -> Auth {
        Auth::Accepted(Accepted { credential, sequence: self.sequence })
    }

    pub(super) fn deny(&self, using_password: bool) -> Refusal {
        Refusal::access_denied(&self.denied(using_password), self.sequence)
    }

    pub(super) fn tls_needed(&self) -> Refusal {
        Refusal::tls_needed(&self.denied(true), self.sequence)
    }

    /// The words that clients, and the tools around them, look for.
    fn denied(&self, using_password: bool) -> String {
        let using_password = if using_password { "YES" } else { "NO" };
        format!("Access denied for user {} (using password: {using_password})", self.account)
    }

    pub(super) fn violation(&self, violation: Violation) -> Refusal {
        Refusal::violation(violation, self.sequence)
    }

    fn without_nul(&self, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let password = payload.strip_suffix(&[0]);
        let password = password.map(|password| Zeroizing::new(password.to_vec()));
        password.ok_or_else(|| self.violation(Violation::Malformed { what: "a password" }))
    }

    fn sized<'a, const N: usize>(
        &self,
        payload: &'a [u8],
        what: &'static str,
    ) -> Result<&'a [u8; N], Refusal> {
        payload.try_into().map_err(|_| self.violation(Violation::Malformed { what }))
    }

    /// Writes a message of the method.
    fn say(mut self, message: &[u8], out: &mut BytesMut) -> Self {
        frame::write_with(out, &mut self.sequence, |out| AuthMoreData(message).encode(out));
        self
    }
}
