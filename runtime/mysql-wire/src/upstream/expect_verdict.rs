//! From our response to the server's yes or no.

use bytes::BytesMut;
use tidegate_wire::Violation;
use zeroize::Zeroizing;

use super::{ExpectCiphertext, LoginError, Session, Step};
use crate::auth::caching_sha2::{FAST_PATH_OK, FULL_AUTHENTICATION};
use crate::auth::{Credential, Method, parsec};
use crate::frame::{self, Packet};
use crate::packet::{AuthMoreData, AuthSwitchRequest, ErrPacket, NONCE_LEN, OkPacket};

/// A server that asks for more methods than this is not followed: it could go on for ever.
const SWITCHES_MAX: u8 = 8;

/// What asks for the server's key, by `sha256_password`.
const SHA256_KEY_REQUEST: &[u8] = &[1];
/// The same, in full authentication by `caching_sha2_password`.
const SHA2_KEY_REQUEST: &[u8] = &[2];

/// A question of [`Method::Dialog`] for a password, and the last one.
const PASSWORD_QUESTIONS: [u8; 2] = [4, 5];

/// What stands before a second factor, which nobody has here.
const NEXT_FACTOR: u8 = 0x02;

/// Servers of MariaDB have this in their versions. Only they go on to a user's next method.
const SEVERAL_METHODS: &str = "MariaDB";

/// What stays the same during a login.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) session: Session,
    pub(super) credential: Credential,
    pub(super) may_ask_for_key: bool,
    pub(super) client_nonce: [u8; parsec::NONCE_LEN],
}

/// The server has our proof, and must say what it makes of it.
#[derive(Debug)]
pub struct ExpectVerdict {
    login: Login,
    sequence: u8,
    stage: Stage,
    switches: u8,
    /// Why the server was not given what it asked for.
    passed_over: Option<LoginError>,
}

/// How far the method has come.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The fast proof is out; the server may find it right, or ask for the password.
    Sha2 { nonce: [u8; NONCE_LEN] },
    /// The server was asked for its key.
    Key { nonce: [u8; NONCE_LEN] },
    /// The server was asked how keys are made from passwords.
    Parameters { nonce: [u8; parsec::NONCE_LEN] },
    /// A question was answered; there may be more, which nobody here has an answer to.
    Answered,
    /// All was said: nothing but the result can follow, or another method.
    Result,
}

impl ExpectVerdict {
    pub(super) fn new(login: Login, method: Method, nonce: [u8; NONCE_LEN], sequence: u8) -> Self {
        let stage = match method {
            Method::CachingSha2Password => Stage::Sha2 { nonce },
            _ => Stage::Result,
        };
        Self { login, sequence, stage, switches: 0, passed_over: None }
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
            Some(ErrPacket::MARK) => Err(self.refused(ErrPacket::decode(payload)?)),
            Some(AuthSwitchRequest::MARK) if self.switches < SWITCHES_MAX => {
                self.switches += 1;
                self.switch(&AuthSwitchRequest::decode(payload)?, out).map(Step::Continue)
            }
            Some(AuthMoreData::MARK) => self.go_on(AuthMoreData::decode(payload)?.0, out),
            Some(NEXT_FACTOR) => {
                Err(LoginError::UnsupportedMethod { method: "a second factor".to_owned() })
            }
            // Not all methods mark what they say.
            Some(_) if matches!(self.stage, Stage::Parameters { .. } | Stage::Answered) => {
                self.go_on(payload, out)
            }
            _ => Err(Violation::Unexpected { what: "packet of the server during a login" }.into()),
        }
    }

    fn ready(mut self, payload: &[u8]) -> Result<Step, LoginError> {
        let session = &mut self.login.session;
        session.status = OkPacket::decode(payload, session.capabilities)?.status;
        Ok(Step::Ready(self.login.session))
    }

    /// What was not given is the reason, if anything was not.
    fn refused(self, error: ErrPacket) -> LoginError {
        self.passed_over.unwrap_or(LoginError::Refused(error))
    }

    fn switch(self, request: &AuthSwitchRequest, out: &mut BytesMut) -> Result<Self, LoginError> {
        let Some(method) = Method::from_name(&request.method) else {
            return self.unsupported(&request.method, out);
        };
        let credential = &self.login.credential;
        let answer = match method {
            Method::NativePassword => credential.prove_native(nonce(request)?),
            Method::CachingSha2Password => credential.prove_sha2(nonce(request)?),
            Method::Ed25519 => credential.sign(nonce(request)?).map(|proof| proof.to_vec()),
            Method::Parsec => credential.known_password().map(|_| Vec::new()),
            Method::Sha256Password => {
                return self.send_password(*nonce(request)?, SHA256_KEY_REQUEST, out);
            }
            Method::ClearPassword => return self.tell_password(out),
            Method::Dialog => match request.data.first() {
                // PAM has not asked yet, and takes an answer to what it will ask.
                None => return self.answer(out),
                Some(kind) if PASSWORD_QUESTIONS.contains(kind) => return self.answer(out),
                Some(_) => None,
            },
        };
        let Some(answer) = answer else {
            return self.unsupported(&request.method, out);
        };
        let stage = match method {
            Method::CachingSha2Password => Stage::Sha2 { nonce: *nonce(request)? },
            Method::Parsec => Stage::Parameters { nonce: *nonce(request)? },
            _ => Stage::Result,
        };
        Ok(Self { stage, ..self }.send(&answer, out))
    }

    /// The method has more to say.
    fn go_on(self, message: &[u8], out: &mut BytesMut) -> Result<Step, LoginError> {
        let next = match (self.stage, message) {
            (Stage::Sha2 { .. }, [FAST_PATH_OK]) => Self { stage: Stage::Result, ..self },
            (Stage::Sha2 { nonce }, [FULL_AUTHENTICATION]) => {
                self.send_password(nonce, SHA2_KEY_REQUEST, out)?
            }
            (Stage::Key { nonce }, key) => return Ok(Step::Encrypt(self.encrypt(&nonce, key))),
            (Stage::Parameters { nonce }, parameters) => self.sign(&nonce, parameters, out)?,
            (Stage::Answered, _) => {
                let method = Method::Dialog.name().to_owned();
                return Err(LoginError::UnsupportedMethod { method });
            }
            _ => {
                return Err(Violation::Unexpected { what: "message of an authentication" }.into());
            }
        };
        Ok(Step::Continue(next))
    }

    /// Over TLS at once; else the server is asked for its key, if it may be.
    fn send_password(
        self,
        nonce: [u8; NONCE_LEN],
        key_request: &[u8],
        out: &mut BytesMut,
    ) -> Result<Self, LoginError> {
        match self.login.credential.known_password() {
            None => self.pass_over(LoginError::NeedsPassword, out),
            Some(b"") => Ok(Self { stage: Stage::Result, ..self }.send(&[0], out)),
            Some(_) if self.login.session.tls || !self.login.may_ask_for_key => {
                self.tell_password(out)
            }
            Some(_) => Ok(Self { stage: Stage::Key { nonce }, ..self }.send(key_request, out)),
        }
    }

    fn tell_password(self, out: &mut BytesMut) -> Result<Self, LoginError> {
        let Some(password) = self.login.credential.known_password() else {
            return self.pass_over(LoginError::NeedsPassword, out);
        };
        if !self.login.session.tls {
            return self.pass_over(LoginError::NeedsTls, out);
        }
        let password = Zeroizing::new([password, &[0]].concat());
        Ok(Self { stage: Stage::Result, ..self }.send(&password, out))
    }

    /// The same, to a question.
    fn answer(self, out: &mut BytesMut) -> Result<Self, LoginError> {
        Ok(Self { stage: Stage::Answered, ..self.tell_password(out)? })
    }

    fn encrypt(self, nonce: &[u8; NONCE_LEN], key: &[u8]) -> ExpectCiphertext {
        let password = self.login.credential.known_password().unwrap_or_default();
        let mut plaintext = Zeroizing::new([password, &[0]].concat());
        for (byte, nonce) in plaintext.iter_mut().zip(nonce.iter().cycle()) {
            *byte ^= nonce;
        }
        ExpectCiphertext::new(Self { stage: Stage::Result, ..self }, key, plaintext)
    }

    fn sign(
        self,
        nonce: &[u8; parsec::NONCE_LEN],
        parameters: &[u8],
        out: &mut BytesMut,
    ) -> Result<Self, LoginError> {
        let malformed = Violation::Malformed { what: "parameters of an authentication" };
        let parameters = parsec::Parameters::decode(parameters).ok_or(malformed)?;
        let password = self.login.credential.known_password().unwrap_or_default();
        let proof = parameters.prove(password, nonce, &self.login.client_nonce);
        Ok(Self { stage: Stage::Result, ..self }.send(&proof, out))
    }

    fn unsupported(self, method: &str, out: &mut BytesMut) -> Result<Self, LoginError> {
        self.pass_over(LoginError::UnsupportedMethod { method: method.to_owned() }, out)
    }

    /// Answers nothing, so that a server that has another method for the user goes on to it.
    fn pass_over(mut self, why: LoginError, out: &mut BytesMut) -> Result<Self, LoginError> {
        if !self.login.session.server_version.contains(SEVERAL_METHODS) {
            return Err(why);
        }
        self.passed_over.get_or_insert(why);
        Ok(Self { stage: Stage::Result, ..self }.send(b"", out))
    }

    pub(super) fn send(mut self, payload: &[u8], out: &mut BytesMut) -> Self {
        frame::write(out, &mut self.sequence, payload);
        self
    }
}

fn nonce<const N: usize>(request: &AuthSwitchRequest) -> Result<&[u8; N], LoginError> {
    let nonce = request.data.first_chunk();
    nonce.ok_or_else(|| Violation::Truncated { what: "a nonce" }.into())
}
