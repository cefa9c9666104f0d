//! From our startup to the server's yes or no.

use bytes::BytesMut;
use tidegate_wire::Violation;
use zeroize::Zeroizing;

use super::{Dial, LoginError, Session, Step};
use crate::auth::scram::client::{Answered, Begun, Fault, Offered};
use crate::auth::scram::{MECHANISM, MECHANISM_PLUS};
use crate::auth::{Credential, md5, scram};
use crate::cancel_key::CancelKey;
use crate::frame::Message;
use crate::message::{
    Authentication, ErrorResponse, Mechanisms, NegotiateProtocolVersion, ParameterStatus,
    ReadyForQuery, SaslInitialResponse, TransactionStatus, tag, write_response,
};
use crate::parameters::Parameters;
use crate::version::ProtocolVersion;

/// A server that says more than this is not listened to: it could go on for ever.
const MESSAGES_MAX: u32 = 1000;

/// What stays the same during a login.
#[derive(Debug)]
struct Login {
    session: Session,
    user: String,
    credential: Credential,
    nonce: [u8; scram::NONCE_LEN],
    /// The hash of the server's certificate.
    end_point: Option<Vec<u8>>,
}

/// How far the login has come.
#[derive(Debug)]
enum Stage {
    /// The server has not asked for anything yet.
    First,
    /// SCRAM was begun; the server must tell salt and iterations.
    Begun(Begun),
    /// The proof is out; the server must give its own.
    Answered(Answered),
    /// All was said: nothing but the result can follow.
    Result,
    /// We are in. What is left is what the server tells of the session.
    In,
}

/// The server has our name, and must say what it makes of it.
#[derive(Debug)]
pub struct ExpectVerdict {
    login: Login,
    stage: Stage,
    messages: u32,
}

impl ExpectVerdict {
    /// Writes the startup. There is an end point, be it empty, with TLS.
    pub(super) fn new(dial: Dial, end_point: Option<Vec<u8>>, out: &mut BytesMut) -> Self {
        dial.startup().encode(out);
        let session = Session {
            version: dial.version,
            cancel_key: None,
            parameters: Parameters::default(),
            status: TransactionStatus::Idle,
            tls: end_point.is_some(),
            has_asked: false,
        };
        let Dial { user, credential, nonce, .. } = dial;
        let end_point = end_point.filter(|hash| !hash.is_empty());
        let login = Login { session, user, credential, nonce, end_point };
        Self { login, stage: Stage::First, messages: 0 }
    }

    /// May take milliseconds where a password is hashed.
    ///
    /// # Errors
    /// A [`LoginError`], after which the connection is to be closed.
    pub fn on_message(mut self, message: Message, out: &mut BytesMut) -> Result<Step, LoginError> {
        let Message { tag, payload } = message;
        self.messages += 1;
        if self.messages > MESSAGES_MAX {
            return Err(Violation::Unexpected { what: "number of messages in a login" }.into());
        }
        match (tag, &self.stage) {
            (tag::backend::ERROR_RESPONSE, _) => {
                return Err(LoginError::Refused(ErrorResponse::decode(&payload)?));
            }
            // About the state of the database; whoever should read it reads the server's log.
            (tag::backend::NOTICE_RESPONSE, _) => {}
            (tag::backend::NEGOTIATE_PROTOCOL_VERSION, Stage::First) => {
                self.negotiate(&NegotiateProtocolVersion::decode(&payload)?)?;
            }
            (tag::backend::PARAMETER_STATUS, Stage::In) => {
                self.login.session.parameters.set(&ParameterStatus::decode(&payload)?)?;
            }
            (CancelKey::TAG, Stage::In) => {
                self.login.session.cancel_key = Some(CancelKey::decode(&payload)?);
            }
            (tag::backend::READY_FOR_QUERY, Stage::In) => {
                self.login.session.status = ReadyForQuery::decode(&payload)?.0;
                return Ok(Step::Ready(self.login.session));
            }
            (tag::backend::AUTHENTICATION, _) => {
                let request = Authentication::decode(&payload)?;
                self.login.session.has_asked |= request != Authentication::Ok;
                self.stage = self.login.answer(self.stage, &request, out)?;
            }
            _ => {
                let what = "message of the server during a login";
                return Err(Violation::Unexpected { what }.into());
            }
        }
        Ok(Step::Continue(self))
    }

    fn negotiate(&mut self, negotiated: &NegotiateProtocolVersion) -> Result<(), Violation> {
        let session = &mut self.login.session;
        if !(ProtocolVersion::V3_0..=session.version).contains(&negotiated.version) {
            return Err(Violation::Unexpected { what: "version of the protocol" });
        }
        session.version = negotiated.version;
        Ok(())
    }
}

impl Login {
    fn answer(
        &self,
        stage: Stage,
        request: &Authentication<'_>,
        out: &mut BytesMut,
    ) -> Result<Stage, LoginError> {
        match (stage, request) {
            (Stage::First | Stage::Result, Authentication::Ok) => Ok(Stage::In),
            (Stage::Begun(_) | Stage::Answered(_), Authentication::Ok) => Err(LoginError::Unproved),
            (Stage::First, Authentication::CleartextPassword) => self.tell_password(out),
            (Stage::First, Authentication::Md5Password { salt }) => self.respond_md5(*salt, out),
            (Stage::First, Authentication::Sasl(mechanisms)) => self.begin(mechanisms, out),
            (Stage::First, Authentication::Other { code }) => {
                Err(unsupported(&format!("number {code}")))
            }
            (Stage::Begun(begun), Authentication::SaslContinue(challenge)) => {
                let (answered, answer) =
                    begun.answer(challenge, &self.credential).map_err(error)?;
                write_response(out, &answer);
                Ok(Stage::Answered(answered))
            }
            (Stage::Answered(answered), Authentication::SaslFinal(message)) => {
                match answered.is_signed(message)? {
                    true => Ok(Stage::Result),
                    false => Err(LoginError::Unproved),
                }
            }
            _ => Err(Violation::Unexpected { what: "request for authentication" }.into()),
        }
    }

    fn tell_password(&self, out: &mut BytesMut) -> Result<Stage, LoginError> {
        let password = self.credential.known_password().ok_or(LoginError::NeedsPassword)?;
        if !self.session.tls {
            return Err(LoginError::NeedsTls);
        }
        write_response(out, &Zeroizing::new([password, &[0]].concat()));
        Ok(Stage::Result)
    }

    fn respond_md5(
        &self,
        salt: [u8; md5::SALT_LEN],
        out: &mut BytesMut,
    ) -> Result<Stage, LoginError> {
        let response = self.credential.respond_md5(&self.user, salt);
        let response = response.ok_or_else(|| self.cannot("md5"))?;
        write_response(out, &[&response[..], &[0]].concat());
        Ok(Stage::Result)
    }

    fn begin(&self, mechanisms: &Mechanisms<'_>, out: &mut BytesMut) -> Result<Stage, LoginError> {
        let plus = mechanisms.contains(MECHANISM_PLUS);
        let can_bind = plus && self.end_point.is_some();
        if !can_bind && !mechanisms.contains(MECHANISM) {
            let names: Vec<_> = mechanisms.iter().map(String::from_utf8_lossy).collect();
            return Err(unsupported(&names.join(", ")));
        }
        if !matches!(self.credential, Credential::Scram(_) | Credential::Password(_)) {
            return Err(self.cannot(MECHANISM));
        }
        let offered = Offered { plus, end_point: self.end_point.as_deref() };
        let (begun, mechanism, message) = Begun::new(&self.nonce, &offered);
        let message = Some(message.as_slice());
        SaslInitialResponse { mechanism: mechanism.as_bytes(), message }.encode(out);
        Ok(Stage::Begun(begun))
    }

    /// What is known of the user cannot serve the method.
    fn cannot(&self, method: &str) -> LoginError {
        match self.credential {
            Credential::Nothing => LoginError::NeedsPassword,
            _ => unsupported(method),
        }
    }
}

fn unsupported(method: &str) -> LoginError {
    LoginError::UnsupportedMethod { method: method.to_owned() }
}

fn error(fault: Fault) -> LoginError {
    match fault {
        Fault::Violation(violation) => violation.into(),
        Fault::OtherSalt => LoginError::OtherSalt,
        Fault::Unable => LoginError::NeedsPassword,
    }
}
