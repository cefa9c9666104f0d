//! From the server's greeting to our response.

use bytes::BytesMut;
use tidegate_wire::Violation;

use super::expect_verdict::Login;
use super::{Dial, ExpectVerdict, LoginError, ServerTls, Session, Step};
use crate::auth::Method;
use crate::capabilities::Capabilities;
use crate::frame::{self, Packet};
use crate::packet::{ErrPacket, Greeting, HandshakeResponse, SslRequest};

/// What a login cannot do without.
const NEEDED: Capabilities = Capabilities::PROTOCOL_41
    .union(Capabilities::SECURE_CONNECTION)
    .union(Capabilities::PLUGIN_AUTH)
    .union(Capabilities::PLUGIN_AUTH_LENENC);

/// What we tell servers about the longest packet that we take: replies are passed on, not kept.
const MAX_PACKET: u32 = 1 << 30;

/// The server must greet us.
#[derive(Debug)]
pub struct ExpectGreeting {
    dial: Dial,
}

impl ExpectGreeting {
    pub(super) fn new(dial: Dial) -> Self {
        Self { dial }
    }

    /// # Errors
    /// A [`LoginError`], after which the connection is to be closed.
    pub fn on_packet(self, packet: Packet, out: &mut BytesMut) -> Result<Step, LoginError> {
        // A server that is full, or has blocked us, says so instead of greeting.
        if packet.payload.first() == Some(&ErrPacket::MARK) {
            return Err(LoginError::Refused(ErrPacket::decode(&packet.payload)?));
        }
        if packet.sequence != 0 {
            return Err(Violation::OutOfOrder { expected: 0, got: packet.sequence }.into());
        }
        let greeting = Greeting::decode(&packet.payload)?;
        let tls = wants_tls(self.dial.tls, &greeting)?;
        let capabilities = agree(&self.dial, &greeting, tls);
        let mut next = UpgradeTls { dial: self.dial, greeting, capabilities, sequence: 1 };
        if !tls {
            return Ok(Step::Continue(next.respond(out)));
        }
        let request =
            SslRequest { capabilities, max_packet: MAX_PACKET, collation: next.dial.collation };
        frame::write_with(out, &mut next.sequence, |out| request.encode(out));
        Ok(Step::UpgradeTls(next))
    }
}

/// The request for TLS is written; our response waits for the encrypted connection.
#[derive(Debug)]
pub struct UpgradeTls {
    dial: Dial,
    greeting: Greeting,
    capabilities: Capabilities,
    sequence: u8,
}

impl UpgradeTls {
    /// Writes the response, for the encrypted connection. `unread` is what was read behind the
    /// greeting before TLS began.
    ///
    /// # Errors
    /// [`Violation::Unexpected`] if `unread` is not empty: the server has to wait for us, so these
    /// bytes are from somebody else.
    pub fn resume(self, unread: &[u8], out: &mut BytesMut) -> Result<ExpectVerdict, LoginError> {
        match unread.is_empty() {
            true => Ok(self.respond(out)),
            false => Err(Violation::Unexpected { what: "bytes before TLS" }.into()),
        }
    }

    fn respond(self, out: &mut BytesMut) -> ExpectVerdict {
        let Self { dial, greeting, capabilities, mut sequence } = self;
        let preferred = Method::from_name(&greeting.method);
        let (method, proof) = dial.credential.begin(preferred, &greeting.nonce);
        let response = HandshakeResponse {
            capabilities,
            max_packet: MAX_PACKET,
            collation: dial.collation,
            user: dial.user,
            proof,
            database: dial.database,
            method: Some(method.name().to_owned()),
            attributes: dial.attributes,
            zstd_level: 0,
        };
        frame::write_with(out, &mut sequence, |out| response.encode(out));
        let session = Session {
            capabilities,
            connection_id: greeting.connection_id,
            server_version: greeting.server_version,
            status: greeting.status,
            tls: capabilities.contains(Capabilities::SSL),
        };
        let login = Login {
            session,
            credential: dial.credential,
            may_ask_for_key: dial.may_ask_for_key,
            client_nonce: dial.nonce,
        };
        ExpectVerdict::new(login, method, greeting.nonce, sequence)
    }
}

fn wants_tls(tls: ServerTls, greeting: &Greeting) -> Result<bool, LoginError> {
    let offered = greeting.capabilities.contains(Capabilities::SSL);
    match tls {
        ServerTls::Off => Ok(false),
        ServerTls::Prefer => Ok(offered),
        ServerTls::Require if offered => Ok(true),
        ServerTls::Require => Err(LoginError::TlsUnavailable),
    }
}

fn agree(dial: &Dial, greeting: &Greeting, tls: bool) -> Capabilities {
    let mut wanted = dial.capabilities | NEEDED;
    wanted.set(Capabilities::SSL, tls);
    wanted.set(Capabilities::CONNECT_WITH_DB, dial.database.is_some());
    wanted & greeting.capabilities
}
