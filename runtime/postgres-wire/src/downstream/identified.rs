//! The client has said who it is.

use bytes::BytesMut;

use super::exchange::Exchange;
use super::{Auth, Offer};
use crate::auth::Verifier;
use crate::startup::StartupMessage;
use crate::version::ProtocolVersion;

/// What a client says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub database: String,
    /// What both sides know.
    pub version: ProtocolVersion,
    /// Settings that it begins with, and what else it has said, in its order.
    pub parameters: Vec<(String, String)>,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// A client that still has to be believed.
#[derive(Debug)]
pub struct Identified {
    login: Login,
    exchange: Exchange,
}

impl Identified {
    pub(super) fn new(offer: Offer, startup: StartupMessage, tls: bool) -> Self {
        let StartupMessage { version, user, database, parameters, protocol_options: _ } = startup;
        let exchange = Exchange::new(offer, user.clone(), tls);
        Self { login: Login { user, database, version, parameters, tls }, exchange }
    }

    #[must_use]
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Asks the client for a proof, unless it needs none.
    #[must_use]
    pub fn verify(self, verifier: Verifier, out: &mut BytesMut) -> Auth {
        self.exchange.ask(verifier, out)
    }
}
