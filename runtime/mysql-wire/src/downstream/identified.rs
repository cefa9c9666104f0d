//! The client has said who it is, and sent a first proof.

use std::fmt;

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::exchange::{Awaited, Exchange};
use super::{Auth, Offer, Refusal};
use crate::auth::{Flow, Method, Verifier};
use crate::capabilities::Capabilities;
use crate::compression::Algorithm;
use crate::packet::HandshakeResponse;

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
pub struct Identified {
    login: Login,
    exchange: Exchange,
    client_method: Option<Method>,
    proof: Zeroizing<Vec<u8>>,
}

impl Identified {
    pub(super) fn new(offer: Offer, response: HandshakeResponse, tls: bool, sequence: u8) -> Self {
        let client_method = match &response.method {
            // A client from before there was a choice.
            None => Some(Method::NativePassword),
            Some(name) => Method::from_name(name),
        };
        let capabilities = response.capabilities & offer.capabilities;
        let exchange = Exchange::new(offer, &response.user, tls, sequence);
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

    /// The password has come already, so that [`Self::verify`] may take milliseconds.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        let sends_password = [Method::Sha256Password, Method::ClearPassword];
        self.client_method.is_some_and(|method| sends_password.contains(&method))
    }

    /// Checks the client's proof, or asks for another one where the first is of no use.
    ///
    /// # Errors
    /// A refusal, to be written and the connection closed, if the proof breaks the protocol.
    pub fn verify(self, verifier: Verifier, out: &mut BytesMut) -> Result<Auth, Refusal> {
        let Self { login, exchange, client_method, proof } = self;
        let method = match verifier.flow() {
            Flow::Only(method) => method,
            Flow::Any => {
                let can =
                    |method: &Method| *method != Method::ClearPassword && exchange.can(*method);
                client_method.filter(can).unwrap_or(exchange.offered)
            }
        };
        if !exchange.can(method) {
            return Ok(Auth::Denied(exchange.tls_needed()));
        }
        if client_method == Some(method) && used_nonce(&exchange, method, &proof) {
            return exchange.receive(Awaited::First(method), proof, verifier, out);
        }
        if !login.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            return Ok(Auth::Denied(Refusal::method_unsupported(exchange.sequence)));
        }
        Ok(exchange.switch(method, verifier, out))
    }
}

/// The proof is left out: with some methods it is the password.
impl fmt::Debug for Identified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identified")
            .field("login", &self.login)
            .field("client_method", &self.client_method)
            .finish_non_exhaustive()
    }
}

/// A client that was offered another method than its own has not seen the nonce as one for its
/// method, and some then send nothing at all and wait to be asked. Signatures need a longer nonce
/// than that of the greeting.
fn used_nonce(exchange: &Exchange, method: Method, proof: &[u8]) -> bool {
    match method {
        Method::Ed25519 | Method::Parsec => false,
        _ => method == exchange.offered || !proof.is_empty(),
    }
}
