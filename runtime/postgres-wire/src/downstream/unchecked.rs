//! The client has sent its password, and only servers can say whether it is right.

use super::exchange::Exchange;
use super::{Accepted, Refusal};
use crate::auth::Credential;

/// The caller must log in to a server with the password.
#[derive(Debug)]
pub struct Unchecked {
    exchange: Exchange,
    credential: Credential,
}

impl Unchecked {
    pub(super) fn new(exchange: Exchange, credential: Credential) -> Self {
        Self { exchange, credential }
    }

    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// A server has let it in.
    #[must_use]
    pub fn accept(self) -> Accepted {
        Accepted { credential: self.credential }
    }

    /// A server has not.
    #[must_use]
    pub fn deny(self) -> Refusal {
        self.exchange.deny()
    }
}
