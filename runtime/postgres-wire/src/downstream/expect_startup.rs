//! The client must say what it wants.

use bytes::BytesMut;
use tidegate_wire::Violation;

use super::{ClientTls, Identified, Offer, Refusal};
use crate::cancel_key::CancelKey;
use crate::message::NegotiateProtocolVersion;
use crate::startup::{ENCRYPTION_ACCEPTED, ENCRYPTION_DECLINED, StartupMessage, StartupPacket};
use crate::version::ProtocolVersion;

/// The next packet of the client must be one of the first ones.
#[derive(Debug)]
pub struct ExpectStartup {
    offer: Offer,
    encrypted: bool,
    /// Each is asked for once.
    asked_for_tls: bool,
    asked_for_gss: bool,
}

/// What a packet of the client has led to.
#[derive(Debug)]
pub enum Step {
    /// Send what is in `out`, and go on with TLS.
    UpgradeTls(ExpectStartup),
    /// Send what is in `out`, and give the client's next packet to this.
    Continue(ExpectStartup),
    /// Cancel what runs in the session that has this key, if there is one, and close the connection.
    /// There is no answer.
    Cancel(CancelKey),
    Identified(Identified),
}

impl ExpectStartup {
    pub(super) fn new(offer: Offer, encrypted: bool) -> Self {
        Self { offer, encrypted, asked_for_tls: encrypted, asked_for_gss: encrypted }
    }

    /// `unread` is what has come behind the packet.
    ///
    /// # Errors
    /// A refusal, to be written and the connection closed, if the packet is none that can be here,
    /// or a startup without TLS where that is required.
    pub fn on_packet(
        self,
        payload: &[u8],
        unread: &[u8],
        out: &mut BytesMut,
    ) -> Result<Step, Refusal> {
        match StartupPacket::decode(payload).map_err(Refusal::violation)? {
            StartupPacket::SslRequest => self.upgrade(unread, out),
            StartupPacket::GssEncRequest => self.decline_gss(out),
            StartupPacket::Cancel(key) => Ok(Step::Cancel(key)),
            StartupPacket::Startup(startup) => self.identify(startup, out).map(Step::Identified),
            StartupPacket::Unsupported(version) => Err(Refusal::unsupported_version(version)),
        }
    }

    fn upgrade(mut self, unread: &[u8], out: &mut BytesMut) -> Result<Step, Refusal> {
        if self.asked_for_tls {
            return Err(Refusal::violation(Violation::Unexpected { what: "request for TLS" }));
        }
        self.asked_for_tls = true;
        if self.offer.tls == ClientTls::Off {
            out.extend_from_slice(&[ENCRYPTION_DECLINED]);
            return Ok(Step::Continue(self));
        }
        // The client has to wait for our answer, so these bytes are from somebody else.
        if !unread.is_empty() {
            return Err(Refusal::violation(Violation::Unexpected { what: "bytes before TLS" }));
        }
        out.extend_from_slice(&[ENCRYPTION_ACCEPTED]);
        Ok(Step::UpgradeTls(Self::new(self.offer, true)))
    }

    fn decline_gss(mut self, out: &mut BytesMut) -> Result<Step, Refusal> {
        if self.asked_for_gss {
            return Err(Refusal::violation(Violation::Unexpected { what: "request for GSSAPI" }));
        }
        self.asked_for_gss = true;
        out.extend_from_slice(&[ENCRYPTION_DECLINED]);
        Ok(Step::Continue(self))
    }

    fn identify(
        self,
        mut startup: StartupMessage,
        out: &mut BytesMut,
    ) -> Result<Identified, Refusal> {
        if self.offer.tls == ClientTls::Require && !self.encrypted {
            return Err(Refusal::tls_required());
        }
        let unknown_options = std::mem::take(&mut startup.protocol_options);
        if startup.version > ProtocolVersion::NEWEST || !unknown_options.is_empty() {
            startup.version = std::cmp::min(startup.version, ProtocolVersion::NEWEST);
            let version = startup.version;
            NegotiateProtocolVersion { version, unknown_options }.encode(out);
        }
        Ok(Identified::new(self.offer, startup, self.encrypted))
    }
}
