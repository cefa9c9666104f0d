//! The client was asked for one more proof.

use bytes::BytesMut;
use tidegate_wire::Violation;
use zeroize::{Zeroize, Zeroizing};

use super::identified::Exchange;
use super::{Auth, Refusal, take_turn};
use crate::auth::{Method, Verifier};
use crate::frame::Packet;

/// The next packet of the client must be a proof.
#[derive(Debug)]
pub struct ExpectProof {
    exchange: Exchange,
    verifier: Verifier,
    awaited: Awaited,
}

#[derive(Clone, Copy, Debug)]
enum Awaited {
    /// The proof of a method that we have asked for.
    Proof(Method),
    /// The password, in clear inside TLS.
    Password,
}

impl ExpectProof {
    pub(super) fn switched(exchange: Exchange, method: Method, verifier: Verifier) -> Self {
        Self { exchange, verifier, awaited: Awaited::Proof(method) }
    }

    pub(super) fn password(exchange: Exchange, verifier: Verifier) -> Self {
        Self { exchange, verifier, awaited: Awaited::Password }
    }

    /// # Errors
    /// A refusal, to be written and the connection closed, if the packet breaks the protocol. A
    /// wrong proof is no error but [`Auth::Denied`].
    pub fn on_packet(mut self, mut packet: Packet, out: &mut BytesMut) -> Result<Auth, Refusal> {
        let proof = Zeroizing::new(packet.payload.to_vec());
        packet.payload.as_mut().zeroize();
        take_turn(&mut self.exchange.sequence, packet.sequence)?;
        let Self { exchange, verifier, awaited } = self;
        match awaited {
            Awaited::Proof(method) => {
                Ok(exchange.check(&verifier, method, &proof, out).or_ask(exchange, verifier))
            }
            Awaited::Password => check_password(&exchange, &verifier, &proof),
        }
    }
}

fn check_password(
    exchange: &Exchange,
    verifier: &Verifier,
    payload: &[u8],
) -> Result<Auth, Refusal> {
    let Some(password) = payload.strip_suffix(&[0]) else {
        let violation = Violation::Malformed { what: "a password" };
        return Err(Refusal::violation(violation, exchange.sequence));
    };
    Ok(match verifier.check_password(password) {
        Some(credential) => exchange.accept(credential),
        None => exchange.deny(true),
    })
}
