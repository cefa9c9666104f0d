//! From our response to the server's yes or no.

use bytes::{BufMut, BytesMut};
use tidegate_wire::Violation;

use super::{LoginError, Session, Step};
use crate::auth::caching_sha2::{FAST_PATH_OK, FULL_AUTHENTICATION};
use crate::auth::{Credential, Method};
use crate::frame::{self, Packet};
use crate::packet::{AuthMoreData, AuthSwitchRequest, ErrPacket, OkPacket};

/// The server has our proof, and must say what it makes of it.
#[derive(Debug)]
pub struct ExpectVerdict {
    session: Session,
    credential: Credential,
    method: Method,
    sequence: u8,
    stage: Stage,
}

/// How far the method has come. A server that goes back is not followed: it could go on for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The proof of the response is out; the server may still ask for another method.
    Response,
    /// The proof of the method that the server asked for is out.
    Switched,
    /// The proof was found right, or the password is out: nothing but the result can follow.
    Result,
}

impl ExpectVerdict {
    pub(super) fn new(
        session: Session,
        credential: Credential,
        method: Method,
        sequence: u8,
    ) -> Self {
        Self { session, credential, method, sequence, stage: Stage::Response }
    }

    /// # Errors
    /// A [`LoginError`], after which the connection is to be closed.
    pub fn on_packet(mut self, packet: Packet, out: &mut BytesMut) -> Result<Step, LoginError> {
        let (expected, got) = (self.sequence, packet.sequence);
        if got != expected {
            return Err(Violation::OutOfOrder { expected, got }.into());
        }
        self.sequence = got.wrapping_add(1);
        let payload = &packet.payload;
        match payload.first().copied() {
            Some(OkPacket::MARK) => self.ready(payload),
            Some(ErrPacket::MARK) => Err(LoginError::Refused(ErrPacket::decode(payload)?)),
            Some(AuthSwitchRequest::MARK) if self.stage == Stage::Response => {
                self.switch(AuthSwitchRequest::decode(payload)?, out)
            }
            Some(AuthMoreData::MARK) if self.stage != Stage::Result => {
                self.go_on(AuthMoreData::decode(payload)?, out)
            }
            _ => Err(Violation::Unexpected { what: "packet of the server during a login" }.into()),
        }
    }

    fn ready(mut self, payload: &[u8]) -> Result<Step, LoginError> {
        self.session.status = OkPacket::decode(payload, self.session.capabilities)?.status;
        Ok(Step::Ready(self.session))
    }

    fn switch(
        mut self,
        request: AuthSwitchRequest,
        out: &mut BytesMut,
    ) -> Result<Step, LoginError> {
        let Some(method) = Method::from_name(&request.method) else {
            return Err(LoginError::UnsupportedMethod { method: request.method });
        };
        let Some(nonce) = request.data.first_chunk() else {
            return Err(Violation::Truncated { what: "a nonce" }.into());
        };
        let Some(proof) = self.credential.prove(method, nonce) else {
            return Err(LoginError::UnsupportedMethod { method: request.method });
        };
        (self.method, self.stage) = (method, Stage::Switched);
        frame::write(out, &mut self.sequence, &proof);
        Ok(Step::Continue(self))
    }

    /// Only SHA-256 has more to say.
    fn go_on(mut self, message: AuthMoreData<'_>, out: &mut BytesMut) -> Result<Step, LoginError> {
        match (self.method, message.0) {
            (Method::CachingSha2Password, [FAST_PATH_OK]) => {}
            (Method::CachingSha2Password, [FULL_AUTHENTICATION]) => self.tell_password(out)?,
            _ => {
                return Err(Violation::Unexpected { what: "message of an authentication" }.into());
            }
        }
        self.stage = Stage::Result;
        Ok(Step::Continue(self))
    }

    fn tell_password(&mut self, out: &mut BytesMut) -> Result<(), LoginError> {
        let Credential::Password(password) = &self.credential else {
            return Err(LoginError::NeedsPassword);
        };
        if !self.session.tls {
            return Err(LoginError::NeedsTls);
        }
        frame::write_with(out, &mut self.sequence, |out| {
            out.put_slice(password);
            out.put_u8(0);
        });
        Ok(())
    }
}
