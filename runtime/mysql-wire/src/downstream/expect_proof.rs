//! The client was asked for one more proof.

use bytes::BytesMut;
use zeroize::{Zeroize, Zeroizing};

use super::exchange::{Awaited, Exchange};
use super::{Auth, Refusal, take_turn};
use crate::auth::{Method, Verifier};
use crate::frame::Packet;

/// The next packet of the client must be a proof.
#[derive(Debug)]
pub struct ExpectProof {
    exchange: Exchange,
    awaited: Awaited,
    verifier: Verifier,
}

impl ExpectProof {
    pub(super) fn new(exchange: Exchange, awaited: Awaited, verifier: Verifier) -> Self {
        Self { exchange, awaited, verifier }
    }

    /// What comes will be hashed slowly: [`Self::on_packet`] may take milliseconds.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        let quick = [Method::NativePassword, Method::CachingSha2Password, Method::Ed25519];
        !matches!(self.awaited, Awaited::First(method) if quick.contains(&method))
    }

    /// # Errors
    /// A refusal, to be written and the connection closed, if the packet breaks the protocol. A
    /// wrong proof is no error but [`Auth::Mismatch`].
    pub fn on_packet(mut self, mut packet: Packet, out: &mut BytesMut) -> Result<Auth, Refusal> {
        let payload = Zeroizing::new(packet.payload.to_vec());
        packet.payload.as_mut().zeroize();
        take_turn(&mut self.exchange.sequence, packet.sequence)?;
        self.exchange.receive(self.awaited, payload, self.verifier, out)
    }
}
