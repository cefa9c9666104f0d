//! The client has said who it is, and sent a first proof.

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::{Accepted, Auth, ExpectProof, Offer, Refusal};
use crate::auth::caching_sha2::{FAST_PATH_OK, FULL_AUTHENTICATION};
use crate::auth::{Credential, Flow, Method, Verifier};
use crate::capabilities::Capabilities;
use crate::compression::Algorithm;
use crate::frame;
use crate::packet::{AuthMoreData, AuthSwitchRequest, HandshakeResponse, NONCE_LEN};

/// What a client says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub database: Option<String>,
    pub collation: u8,
    /// What both sides can do.
    pub capabilities: Capabilities,
    /// At most [`ATTRIBUTES_MAX`](crate::packet::ATTRIBUTES_MAX).
    pub attributes: Vec<(String, String)>,
    /// What everything behind the OK is compressed with, in both directions.
    pub compression: Option<Algorithm>,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// A client that still has to be believed.
#[derive(Debug)]
pub struct Identified {
    login: Login,
    exchange: Exchange,
    client_method: Option<Method>,
    proof: Zeroizing<Vec<u8>>,
}

impl Identified {
    pub(super) fn new(offer: Offer, response: HandshakeResponse, tls: bool, sequence: u8) -> Self {
        let exchange = Exchange {
            offered: offer.method,
            nonce: offer.nonce,
            account: format!("'{}'@'{}'", response.user, offer.client_host),
            tls,
            sequence,
        };
        let client_method = match &response.method {
            // A client from before there was a choice.
            None => Some(Method::NativePassword),
            Some(name) => Method::from_name(name),
        };
        let capabilities = response.capabilities & offer.capabilities;
        let login = Login {
            user: response.user,
            database: response.database,
            collation: response.collation,
            capabilities,
            attributes: response.attributes,
            compression: Algorithm::agreed(capabilities, response.zstd_level),
            tls,
        };
        Self { login, exchange, client_method, proof: Zeroizing::new(response.proof) }
    }

    #[must_use]
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Checks the client's proof, or asks for another one where the first is of no use.
    pub fn verify(self, verifier: Verifier, out: &mut BytesMut) -> Auth {
        let Self { login, exchange, client_method, proof } = self;
        let method = match verifier.flow() {
            Flow::Native => Method::NativePassword,
            Flow::CachingSha2 => Method::CachingSha2Password,
            Flow::Either => client_method.unwrap_or(exchange.offered),
        };
        if client_method == Some(method) && exchange.used_nonce(method, &proof) {
            return exchange.check(&verifier, method, &proof, out).or_ask(exchange, verifier);
        }
        if !login.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            return Auth::Denied(Refusal::method_unsupported(exchange.sequence));
        }
        exchange.switch(method, verifier, out)
    }
}

/// What stays the same while proofs are exchanged.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The method of our greeting.
    offered: Method,
    nonce: [u8; NONCE_LEN],
    /// As messages show it.
    account: String,
    tls: bool,
    /// Of the next packet, whoever sends it.
    pub(super) sequence: u8,
}

/// What a proof has led to.
pub(super) enum Checked {
    Done(Auth),
    /// The client was asked for the password itself.
    PasswordAsked {
        sequence: u8,
    },
}

impl Checked {
    pub(super) fn or_ask(self, mut exchange: Exchange, verifier: Verifier) -> Auth {
        match self {
            Self::Done(auth) => auth,
            Self::PasswordAsked { sequence } => {
                exchange.sequence = sequence;
                Auth::Continue(ExpectProof::password(exchange, verifier))
            }
        }
    }
}

impl Exchange {
    /// A client that was offered another method than its own has not seen the nonce as one for its
    /// method, and some then send nothing at all and wait to be asked.
    fn used_nonce(&self, method: Method, proof: &[u8]) -> bool {
        method == self.offered || !proof.is_empty()
    }

    fn switch(mut self, method: Method, verifier: Verifier, out: &mut BytesMut) -> Auth {
        let mut data = self.nonce.to_vec();
        data.push(0);
        let request = AuthSwitchRequest { method: method.name().to_owned(), data };
        frame::write_with(out, &mut self.sequence, |out| request.encode(out));
        Auth::Continue(ExpectProof::switched(self, method, verifier))
    }

    pub(super) fn check(
        &self,
        verifier: &Verifier,
        method: Method,
        proof: &[u8],
        out: &mut BytesMut,
    ) -> Checked {
        if is_empty(method, proof) {
            return Checked::Done(match verifier {
                Verifier::Empty => self.accept(Credential::Empty),
                _ => self.deny(false),
            });
        }
        match (method, verifier.check_proof(method, proof, &self.nonce)) {
            (Method::NativePassword, Some(credential)) => Checked::Done(self.accept(credential)),
            (Method::NativePassword, None) => Checked::Done(self.deny(true)),
            (Method::CachingSha2Password, Some(credential)) => {
                let sequence = self.say(FAST_PATH_OK, out);
                Checked::Done(Auth::Accepted(Accepted { credential, sequence }))
            }
            (Method::CachingSha2Password, None) if self.tls => {
                Checked::PasswordAsked { sequence: self.say(FULL_AUTHENTICATION, out) }
            }
            (Method::CachingSha2Password, None) => {
                let refusal = Refusal::tls_needed(&self.denied(true), self.sequence);
                Checked::Done(Auth::Denied(refusal))
            }
        }
    }

    pub(super) fn accept(&self, credential: Credential) -> Auth {
        Auth::Accepted(Accepted { credential, sequence: self.sequence })
    }

    pub(super) fn deny(&self, using_password: bool) -> Auth {
        Auth::Denied(Refusal::access_denied(&self.denied(using_password), self.sequence))
    }

    /// The words that clients, and the tools around them, look for.
    fn denied(&self, using_password: bool) -> String {
        let using_password = if using_password { "YES" } else { "NO" };
        format!("Access denied for user {} (using password: {using_password})", self.account)
    }

    /// Writes a message of the method, and tells the number of what follows it.
    fn say(&self, message: u8, out: &mut BytesMut) -> u8 {
        let mut sequence = self.sequence;
        frame::write_with(out, &mut sequence, |out| AuthMoreData(&[message]).encode(out));
        sequence
    }
}

/// Whether a proof says that there is no password. For SHA-256, some send a NUL instead of nothing.
fn is_empty(method: Method, proof: &[u8]) -> bool {
    proof.is_empty() || (method == Method::CachingSha2Password && proof == [0])
}
