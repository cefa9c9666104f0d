//! A client machine and a server machine that talk to each other in memory.

use super::rsa;
use crate::auth::{Credential, Method, Verifier};
use crate::capabilities::SUPPORTED_BY_CLIENT_SIDE;
use crate::downstream::{
    self, Auth, ClientTls, DecoyKey, ExpectProof, ExpectResponse, Login, Offer, Refusal,
};
use crate::frame::{self, Packet, Packets};
use crate::packet::OkPacket;
use crate::status::StatusFlags;
use crate::upstream::{
    self, Dial, ExpectGreeting, ExpectVerdict, LoginError, ServerTls, Session, UpgradeTls,
};
use bytes::BytesMut;

pub(super) const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";
pub(super) const LONG_NONCE: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// Who meets whom.
#[derive(Clone, Debug)]
pub(super) struct Meeting {
    pub(super) offered: Method,
    pub(super) client_tls: ClientTls,
    pub(super) verifier: Verifier,
    /// What is found when the first verifier does not fit.
    pub(super) newer: Option<Verifier>,
    /// Whether a server takes the password that it is asked about.
    pub(super) taken: bool,
    /// The server has a key, and clients may ask for it.
    pub(super) rsa: bool,
    pub(super) server_tls: ServerTls,
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
    Greeting(ExpectGreeting),
    Tls(UpgradeTls),
    Verdict(ExpectVerdict),
    Over,
}

enum ServerState {
    Response(ExpectResponse),
    Proof(ExpectProof, Login),
    Over,
}

struct Inbox {
    packets: Packets,
    buf: BytesMut,
}

impl Inbox {
    fn new() -> Self {
        Self { packets: Packets::new(downstream::PACKET_MAX), buf: BytesMut::new() }
    }

    fn next(&mut self) -> Option<Packet> {
        self.packets.next(&mut self.buf).expect("the other machine keeps to the protocol")
    }
}

impl Meeting {
    /// Lets them talk; each message arrives in two pieces, the first of at most `split` bytes.
    pub(super) fn run(&self, split: usize) -> Outcome {
        let mut to_client = BytesMut::new();
        let mut server = Server::new(self, &mut to_client);
        let mut client = Client::new(self);
        let mut transcript = Vec::new();
        loop {
            let mut to_server = BytesMut::new();
            transcript.push((Side::Server, to_client.to_vec()));
            for piece in pieces(&to_client, split) {
                client.receive(piece, &mut to_server);
            }
            if to_server.is_empty() {
                break;
            }
            to_client = BytesMut::new();
            transcript.push((Side::Client, to_server.to_vec()));
            for piece in pieces(&to_server, split) {
                server.receive(piece, &mut to_client);
            }
            if to_client.is_empty() && !client.resume() {
                break;
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
    inbox: Inbox,
    outcome: Option<Result<Session, LoginError>>,
    resuming: bool,
}

impl Client {
    fn new(meeting: &Meeting) -> Self {
        let dial = Dial {
            user: "app".to_owned(),
            database: Some("shop".to_owned()),
            collation: 45,
            capabilities: SUPPORTED_BY_CLIENT_SIDE,
            credential: meeting.credential.clone(),
            tls: meeting.server_tls,
            may_ask_for_key: meeting.rsa,
            nonce: *b"a nonce of the client's, 32 byte",
            attributes: vec![("program_name".to_owned(), "a test".to_owned())],
        };
        let state = ClientState::Greeting(upstream::start(dial));
        Self { state, inbox: Inbox::new(), outcome: None, resuming: false }
    }

    fn receive(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.inbox.buf.extend_from_slice(bytes);
        if std::mem::take(&mut self.resuming) {
            let ClientState::Tls(next) = std::mem::replace(&mut self.state, ClientState::Over)
            else {
                panic!("only TLS is resumed");
            };
            let next = next.resume(&self.inbox.buf, out).expect("nothing came before TLS");
            self.state = ClientState::Verdict(next);
        }
        while let Some(packet) = self.inbox.next() {
            let step = match std::mem::replace(&mut self.state, ClientState::Over) {
                ClientState::Greeting(expect) => expect.on_packet(packet, out),
                ClientState::Verdict(expect) => expect.on_packet(packet, out),
                ClientState::Tls(_) | ClientState::Over => panic!("nothing more is expected"),
            };
            match step {
                Ok(upstream::Step::Continue(next)) => self.state = ClientState::Verdict(next),
                Ok(upstream::Step::UpgradeTls(next)) => self.state = ClientState::Tls(next),
                Ok(upstream::Step::Encrypt(next)) => {
                    assert_eq!(next.key(), rsa::public_key().as_bytes());
                    let ciphertext = rsa::encrypt(next.plaintext());
                    self.state = ClientState::Verdict(next.encrypted(&ciphertext, out));
                }
                Ok(upstream::Step::Ready(session)) => self.outcome = Some(Ok(session)),
                Err(error) => self.outcome = Some(Err(error)),
            }
        }
    }

    /// With TLS up on both sides, it is the client's turn again.
    fn resume(&mut self) -> bool {
        self.resuming = matches!(self.state, ClientState::Tls(_));
        self.resuming
    }
}

struct Server {
    state: ServerState,
    inbox: Inbox,
    verifier: Verifier,
    newer: Option<Verifier>,
    taken: bool,
    outcome: Option<Result<(Login, Credential), Refusal>>,
}

impl Server {
    fn new(meeting: &Meeting, out: &mut BytesMut) -> Self {
        let offer = Offer {
            server_version: "8.0.36-tidegate".to_owned(),
            connection_id: 77,
            nonce: *NONCE,
            long_nonce: *LONG_NONCE,
            capabilities: SUPPORTED_BY_CLIENT_SIDE,
            method: meeting.offered,
            tls: meeting.client_tls,
            collation: 45,
            status: StatusFlags::AUTOCOMMIT,
            client_host: "10.0.0.9".to_owned(),
            public_key: meeting.rsa.then(rsa::public_key),
            decoy_key: DecoyKey([7; 32]),
        };
        let state = ServerState::Response(downstream::start(offer, out));
        Self {
            state,
            inbox: Inbox::new(),
            verifier: meeting.verifier.clone(),
            newer: meeting.newer.clone(),
            taken: meeting.taken,
            outcome: None,
        }
    }

    fn receive(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.inbox.buf.extend_from_slice(bytes);
        while let Some(packet) = self.inbox.next() {
            if let Err(refusal) = self.on_packet(packet, out) {
                self.refuse(refusal, out);
            }
        }
    }

    fn on_packet(&mut self, packet: Packet, out: &mut BytesMut) -> Result<(), Refusal> {
        match std::mem::replace(&mut self.state, ServerState::Over) {
            ServerState::Response(expect) => match expect.on_packet(packet)? {
                downstream::Step::UpgradeTls(next) => self.state = ServerState::Response(next),
                downstream::Step::Identified(identified) => {
                    let login = identified.login().clone();
                    let auth = identified.verify(self.verifier.clone(), out)?;
                    self.on_auth(auth, login, out);
                }
            },
            ServerState::Proof(expect, login) => {
                let auth = expect.on_packet(packet, out)?;
                self.on_auth(auth, login, out);
            }
            ServerState::Over => panic!("nothing more is expected"),
        }
        Ok(())
    }

    fn on_auth(&mut self, auth: Auth, login: Login, out: &mut BytesMut) {
        match auth {
            Auth::Accepted(mut accepted) => {
                let ok = OkPacket { status: StatusFlags::AUTOCOMMIT, ..OkPacket::default() };
                frame::write_with(out, &mut accepted.sequence, |out| {
                    ok.encode(out, login.capabilities);
                });
                self.outcome = Some(Ok((login, accepted.credential)));
            }
            Auth::Continue(next) => self.state = ServerState::Proof(next, login),
            Auth::Decrypt(next) => {
                let plaintext = rsa::decrypt(next.ciphertext());
                let auth = next.decrypted(plaintext, out);
                self.on_auth(auth, login, out);
            }
            Auth::Check(unchecked) if self.taken => {
                self.on_auth(Auth::Accepted(unchecked.accept()), login, out);
            }
            Auth::Check(unchecked) => self.refuse(unchecked.deny(), out),
            Auth::Mismatch(mismatch) => match self.newer.take() {
                Some(verifier) => {
                    let auth = mismatch.retry(verifier, out);
                    self.on_auth(auth, login, out);
                }
                None => self.refuse(mismatch.refuse(), out),
            },
            Auth::Denied(refusal) => self.refuse(refusal, out),
        }
    }

    fn refuse(&mut self, refusal: Refusal, out: &mut BytesMut) {
        refusal.write(out);
        self.outcome = Some(Err(refusal));
    }
}
