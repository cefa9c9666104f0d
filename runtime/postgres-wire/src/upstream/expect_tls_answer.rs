//! The server was asked for TLS.

use bytes::BytesMut;
use tidegate_wire::Violation;

use super::{Dial, ExpectVerdict, LoginError, ServerTls, Step};
use crate::startup::{ENCRYPTION_ACCEPTED, ENCRYPTION_DECLINED};

/// The next byte of the server must be its answer.
#[derive(Debug)]
pub struct ExpectTlsAnswer {
    dial: Dial,
}

impl ExpectTlsAnswer {
    pub(super) fn new(dial: Dial) -> Self {
        Self { dial }
    }

    /// `unread` is what has come behind the byte.
    ///
    /// # Errors
    /// A [`LoginError`], after which the connection is to be closed. An error that the server sends
    /// in the place of its answer is not read: nobody vouches for what it says.
    pub fn on_byte(
        self,
        answer: u8,
        unread: &[u8],
        out: &mut BytesMut,
    ) -> Result<Step, LoginError> {
        // The server has to wait for us, so these bytes are from somebody else.
        if !unread.is_empty() {
            return Err(Violation::Unexpected { what: "bytes before TLS" }.into());
        }
        match (answer, self.dial.tls) {
            (ENCRYPTION_ACCEPTED, _) => Ok(Step::UpgradeTls(UpgradeTls::new(self.dial))),
            (ENCRYPTION_DECLINED, ServerTls::Prefer) => {
                Ok(Step::Continue(ExpectVerdict::new(self.dial, None, out)))
            }
            (ENCRYPTION_DECLINED, _) => Err(LoginError::TlsUnavailable),
            _ => Err(Violation::Unexpected { what: "answer to a request for TLS" }.into()),
        }
    }
}

/// The login waits for the encrypted connection.
#[derive(Debug)]
pub struct UpgradeTls {
    dial: Dial,
}

impl UpgradeTls {
    pub(super) fn new(dial: Dial) -> Self {
        Self { dial }
    }

    /// Writes what begins the login, for the encrypted connection. `end_point` is the hash of the
    /// server's certificate: see [`Offer::end_point`](crate::downstream::Offer::end_point). It is
    /// empty where the certificate has none that is defined; the login is not bound to it then.
    pub fn resume(self, end_point: &[u8], out: &mut BytesMut) -> ExpectVerdict {
        ExpectVerdict::new(self.dial, Some(end_point.to_vec()), out)
    }
}
