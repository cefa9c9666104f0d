//! A client machine and a server machine that talk to each other in memory.

use std::sync::Arc;

use bytes::BytesMut;

use crate::auth::{Credential, DecoyKey, Verifier};
use crate::cancel_key::CancelKey;
use crate::downstream::{
    self, Accepted, Auth, ClientTls, ExpectProof, ExpectStartup, Login, Offer, Refusal,
};
use crate::frame;
use crate::message::{Authentication, ParameterStatus, ReadyForQuery, TransactionStatus};
use crate::startup::PACKET_MAX;
use crate::upstream::{self, Dial, ExpectTlsAnswer, ExpectVerdict, LoginError, ServerTls, Session};
use crate::version::ProtocolVersion;

pub(super) const END_POINT: &[u8] = b"the hash of a certificate";

/// Who meets whom.
#[derive(Clone, Debug)]
pub(super) struct Meeting {
    pub(super) version: ProtocolVersion,
    pub(super) client_tls: ClientTls,
    /// What the server binds logins to.
    pub(super) end_point: Option<Arc<[u8]>>,
    pub(super) cleartext: bool,
    pub(super) verifier: Verifier,
    /// What is found when the first verifier does not fit.
    pub(super) newer: Option<Verifier>,
    /// Whether a server takes the password that it is asked about.
    pub(super) taken: bool,
    pub(super) server_tls: ServerTls,
    /// What the client sees of the certificate.
    pub(super) seen: &'static [u8],
    pub(super) user: &'static str,
    pub(super) credential: Credential,
}

/// How it ended, and what was said.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What the client machine has: it plays towards our server as tidegate does towards others.
    pub(super) client: Option<Result<Session, LoginError>>,
    pub(super) server: Option<Result<(Login, Credential), Refusal>>,
    /// The bytes of each side, in the order in which they were sent.
    pub(super) transcript: Vec<(Side, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

enum ClientState {
    TlsAnswer(ExpectTlsAnswer),
    Verdict(ExpectVerdict),
    Over,
}

enum ServerState {
    Startup(ExpectStartup),
    Proof(Box<(ExpectProof, Login)>),
    Over,
}

impl Meeting {
    /// Lets them talk; each message arrives in two pieces, the first of at most `split` bytes.
    pub(super) fn run(&self, split: usize) -> Outcome {
        let mut to_server = BytesMut::new();
        let mut client = Client::new(self, &mut to_server);
        let mut server = Server::new(self);
        let mut transcript = Vec::new();
        while !to_server.is_empty() {
            transcript.push((Side::Client, to_server.to_vec()));
            let mut to_client = BytesMut::new();
            for piece in pieces(&to_server, split) {
                server.receive(piece, &mut to_client);
            }
            transcript.push((Side::Server, to_client.to_vec()));
            to_server = BytesMut::new();
            for piece in pieces(&to_client, split) {
                client.receive(piece, &mut to_server);
            }
        }
        Outcome { client: client.outcome, server: server.outcome, transcript }
    }
}

fn pieces(bytes: &[u8], split: usize) -> [&[u8]; 2] {
    let (head, tail) = bytes.split_at(split.min(bytes.len()));
    [head, tail]
}

struct Client {
    state: ClientState,
    buf: BytesMut,
    seen: &'static [u8],
    outcome: Option<Result<Session, LoginError>>,
}

impl Client {
    fn new(meeting: &Meeting, out: &mut BytesMut) -> Self {
        let dial = Dial {
            version: meeting.version,
            user: meeting.user.to_owned(),
            database: "shop".to_owned(),
            parameters: vec![("application_name".to_owned(), "a test".to_owned())],
            credential: meeting.credential.clone(),
            tls: meeting.server_tls,
            nonce: *b"a client's nonce..",
        };
        let step = upstream::start(dial, out);
        let state = ClientState::Over;
        let mut client = Self { state, buf: BytesMut::new(), seen: meeting.seen, outcome: None };
        client.step(Ok(step), out);
        client
    }

    fn receive(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.buf.extend_from_slice(bytes);
        while !self.buf.is_empty() {
            match std::mem::replace(&mut self.state, ClientState::Over) {
                ClientState::TlsAnswer(expect) => {
                    let answer = self.buf.split_to(1);
                    let step = expect.on_byte(answer[0], &self.buf, out);
                    self.step(step, out);
                }
                ClientState::Verdict(expect) => {
                    let message = frame::next_message(&mut self.buf, upstream::MESSAGE_MAX);
                    let Some(message) = message.expect("the other machine keeps to the protocol")
                    else {
                        self.state = ClientState::Verdict(expect);
                        return;
                    };
                    let step = expect.on_message(message, out);
                    self.step(step, out);
                }
                ClientState::Over => panic!("nothing more is expected"),
            }
        }
    }

    fn step(&mut self, step: Result<upstream::Step, LoginError>, out: &mut BytesMut) {
        match step {
            Ok(upstream::Step::AskedForTls(next)) => self.state = ClientState::TlsAnswer(next),
            Ok(upstream::Step::UpgradeTls(next)) => {
                self.state = ClientState::Verdict(next.resume(self.seen, out));
            }
            Ok(upstream::Step::Continue(next)) => self.state = ClientState::Verdict(next),
            Ok(upstream::Step::Ready(session)) => self.outcome = Some(Ok(session)),
            Err(error) => self.outcome = Some(Err(error)),
        }
    }
}

struct Server {
    state: ServerState,
    buf: BytesMut,
    verifier: Verifier,
    newer: Option<Verifier>,
    taken: bool,
    outcome: Option<Result<(Login, Credential), Refusal>>,
}

impl Server {
    fn new(meeting: &Meeting) -> Self {
        let offer = Offer {
            tls: meeting.client_tls,
            end_point: meeting.end_point.clone(),
            nonce: *b"a server's nonce..",
            salt: *b"salt",
            cleartext: meeting.cleartext,
            decoy_key: DecoyKey([7; 32]),
        };
        let state = match meeting.server_tls {
            ServerTls::Direct => downstream::start_encrypted(offer),
            _ => downstream::start(offer),
        };
        Self {
            state: ServerState::Startup(state),
            buf: BytesMut::new(),
            verifier: meeting.verifier.clone(),
            newer: meeting.newer.clone(),
            taken: meeting.taken,
            outcome: None,
        }
    }

    fn receive(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.buf.extend_from_slice(bytes);
        loop {
            match self.advance(out) {
                Ok(true) => {}
                Ok(false) => return,
                Err(refusal) => self.refuse(refusal, out),
            }
        }
    }

    /// Whether there was anything to take.
    fn advance(&mut self, out: &mut BytesMut) -> Result<bool, Refusal> {
        let keeps = "the other machine keeps to the protocol";
        match std::mem::replace(&mut self.state, ServerState::Over) {
            ServerState::Startup(expect) => {
                let Some(packet) = frame::next_packet(&mut self.buf, PACKET_MAX).expect(keeps)
                else {
                    self.state = ServerState::Startup(expect);
                    return Ok(false);
                };
                match expect.on_packet(&packet, &self.buf, out)? {
                    downstream::Step::UpgradeTls(next) | downstream::Step::Continue(next) => {
                        self.state = ServerState::Startup(next);
                    }
                    downstream::Step::Cancel(key) => panic!("{key:?}"),
                    downstream::Step::Identified(identified) => {
                        let login = identified.login().clone();
                        let auth = identified.verify(self.verifier.clone(), out);
                        self.on_auth(auth, login, out);
                    }
                }
            }
            ServerState::Proof(proof) => {
                let (expect, login) = *proof;
                let message = frame::next_message(&mut self.buf, downstream::MESSAGE_MAX);
                let Some(message) = message.expect(keeps) else {
                    self.state = ServerState::Proof(Box::new((expect, login)));
                    return Ok(false);
                };
                let auth = expect.on_message(message, out)?;
                self.on_auth(auth, login, out);
            }
            ServerState::Over => {
                assert!(self.buf.is_empty(), "nothing more is expected");
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn on_auth(&mut self, auth: Auth, login: Login, out: &mut BytesMut) {
        match auth {
            Auth::Accepted(Accepted { credential }) => {
                let_in(&login, out);
                self.outcome = Some(Ok((login, credential)));
            }
            Auth::Continue(next) => {
                self.state = ServerState::Proof(Box::new((next, login)));
            }
            Auth::Check(unchecked) if self.taken => {
                self.on_auth(Auth::Accepted(unchecked.accept()), login, out);
            }
            Auth::Check(unchecked) => self.refuse(unchecked.deny(), out),
            Auth::Mismatch(mismatch) => match self.newer.take() {
                Some(verifier) if mismatch.can_be_retried() => {
                    self.on_auth(mismatch.retry(&verifier), login, out);
                }
                _ => self.refuse(mismatch.refuse(), out),
            },
            Auth::Denied(refusal) => self.refuse(refusal, out),
        }
    }

    fn refuse(&mut self, refusal: Refusal, out: &mut BytesMut) {
        refusal.write(out);
        self.outcome = Some(Err(refusal));
    }
}

/// What a server says behind a login.
fn let_in(login: &Login, out: &mut BytesMut) {
    Authentication::Ok.encode(out);
    ParameterStatus { name: b"server_version", value: b"15.14" }.encode(out);
    ParameterStatus { name: b"client_encoding", value: b"UTF8" }.encode(out);
    cancel_key(login.version).encode(out);
    ReadyForQuery(TransactionStatus::Idle).encode(out);
}

pub(super) fn cancel_key(version: ProtocolVersion) -> CancelKey {
    CancelKey::generate(version, 4711, &[9; 32])
}
