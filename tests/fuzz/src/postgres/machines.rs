//! Laws of the machines: bytes may be cut anywhere, and a peer that says anything gets nothing.
//!
//! The first bytes of the data choose the setting, the rest is what the peer sends. Each function
//! tells whether the peer has come to an end that is in order.

use bytes::BytesMut;
use tidegate_postgres_wire::auth::{Credential, DecoyKey, Flow, Verifier};
use tidegate_postgres_wire::downstream::{self, Auth, ClientTls, ExpectStartup, Offer, Refusal};
use tidegate_postgres_wire::frame::{self, HEADER_LEN, Message};
use tidegate_postgres_wire::message::TransactionStatus;
use tidegate_postgres_wire::relay::{
    Answer, HELD_MAX, Reached, Request, Scanner, Summary, Upload, Uploaded,
};
use tidegate_postgres_wire::startup::PACKET_MAX;
use tidegate_postgres_wire::upstream::{self, Dial, LoginError, ServerTls};
use tidegate_postgres_wire::version::ProtocolVersion;
use tidegate_wire::Violation;

use crate::target::{contains, split_first};

/// No message of the fuzzers is longer than this.
const MESSAGE_MAX: usize = 4096;

const SECRET: &[u8] = b"a secret that is never sent in clear";

pub fn messages(data: &[u8]) -> bool {
    let (at, stream) = split_first(data);
    let whole = cut(stream, stream.len());
    assert_eq!(cut(stream, usize::from(at).min(stream.len())), whole);
    let (list, violation) = whole;
    let mut again = BytesMut::new();
    for message in &list {
        assert!(message.payload.len() <= MESSAGE_MAX);
        frame::write_with(&mut again, message.tag, |out| out.extend_from_slice(&message.payload));
    }
    assert!(stream.starts_with(&again), "what was cut is what came");
    violation.is_none()
}

/// Messages and how it ended, with the bytes arriving in two pieces.
fn cut(stream: &[u8], at: usize) -> (Vec<Message>, Option<Violation>) {
    let (mut buf, mut list) = (BytesMut::new(), Vec::new());
    for piece in [&stream[..at], &stream[at..]] {
        buf.extend_from_slice(piece);
        loop {
            match frame::next_message(&mut buf, MESSAGE_MAX) {
                Ok(Some(message)) => list.push(message),
                Ok(None) => break,
                Err(violation) => return (list, Some(violation)),
            }
        }
    }
    (list, None)
}

/// Nobody gets in: there is no such user, or one whose password is not in the data.
pub fn downstream(data: &[u8]) -> bool {
    let (setting, stream) = split_first(data);
    let mut stream = BytesMut::from(stream);
    let mut out = BytesMut::new();
    match log_in(setting, &mut stream, &mut out) {
        Ok(ended) => ended,
        Err(refusal) => {
            refusal.write(&mut out);
            !matches!(refusal.reason, downstream::Reason::Violation(_))
        }
    }
}

fn log_in(setting: u8, stream: &mut BytesMut, out: &mut BytesMut) -> Result<bool, Refusal> {
    let mut expect = start(setting);
    let mut auth = loop {
        let packet = frame::next_packet(stream, PACKET_MAX).map_err(Refusal::violation)?;
        let Some(packet) = packet else { return Ok(false) };
        // All that has come is taken for what comes over TLS.
        expect = match expect.on_packet(&packet, b"", out)? {
            downstream::Step::UpgradeTls(next) | downstream::Step::Continue(next) => next,
            downstream::Step::Cancel(_) => return Ok(true),
            downstream::Step::Identified(identified) => {
                break identified.verify(verifier(setting >> 4), out);
            }
        };
    };
    let mut newer = Some(verifier(setting >> 5));
    loop {
        auth = match auth {
            Auth::Continue(next) => {
                let message = frame::next_message(stream, MESSAGE_MAX);
                let Some(message) = message.map_err(Refusal::violation)? else {
                    return Ok(false);
                };
                next.on_message(message, out)?
            }
            Auth::Mismatch(mismatch) => match newer.take() {
                Some(verifier) => mismatch.retry(&verifier),
                None => return Err(mismatch.refuse()),
            },
            Auth::Check(unchecked) => return Err(unchecked.deny()),
            Auth::Denied(refusal) => return Err(refusal),
            Auth::Accepted(accepted) => panic!("{accepted:?}"),
        };
    }
}

fn start(setting: u8) -> ExpectStartup {
    let offer = Offer {
        tls: match setting & 3 {
            0 => ClientTls::Off,
            1 => ClientTls::Require,
            _ => ClientTls::Prefer,
        },
        end_point: (setting & 4 == 4).then(|| b"a hash"[..].into()),
        nonce: *b"a server's nonce..",
        salt: *b"salt",
        cleartext: setting & 8 == 8,
        decoy_key: DecoyKey([7; 32]),
    };
    if setting & 3 == 3 { downstream::start_encrypted(offer) } else { downstream::start(offer) }
}

fn verifier(user: u8) -> Verifier {
    let scram = Flow::Scram { iterations: 1 };
    let known = |flow| Verifier::password(SECRET, "app", flow, &DecoyKey([7; 32]));
    match user & 7 {
        0 => known(scram),
        1 => known(Flow::Md5),
        2 => known(Flow::Cleartext),
        3 => Verifier::Unknown(Flow::Md5),
        4 => Verifier::Unknown(Flow::Cleartext),
        5 => Verifier::Server,
        _ => Verifier::Unknown(scram),
    }
}

/// The password never goes out in clear, the exchange ends, and a server that does not know the
/// password cannot pretend that it does.
pub fn upstream(data: &[u8]) -> bool {
    let (setting, stream) = split_first(data);
    let mut stream = BytesMut::from(stream);
    let mut out = BytesMut::new();
    let tls = match setting & 3 {
        0 => ServerTls::Off,
        1 => ServerTls::Prefer,
        2 => ServerTls::Require,
        _ => ServerTls::Direct,
    };
    let dial = Dial {
        version: ProtocolVersion::NEWEST,
        user: "app".to_owned(),
        database: "shop".to_owned(),
        parameters: Vec::new(),
        credential: Credential::password(SECRET),
        tls,
        nonce: *b"a client's nonce..",
    };
    let mut step = Ok(upstream::start(dial, &mut out));
    let mut encrypted = false;
    loop {
        assert!(encrypted || !contains(&out, SECRET));
        step = match step {
            Ok(upstream::Step::AskedForTls(next)) => {
                if stream.is_empty() {
                    return false;
                }
                let answer = stream.split_to(1);
                next.on_byte(answer[0], b"", &mut out)
            }
            Ok(upstream::Step::UpgradeTls(next)) => {
                encrypted = true;
                let end_point = if setting & 4 == 4 { &b"a hash"[..] } else { b"" };
                Ok(upstream::Step::Continue(next.resume(end_point, &mut out)))
            }
            Ok(upstream::Step::Continue(next)) => {
                match frame::next_message(&mut stream, MESSAGE_MAX) {
                    Ok(Some(message)) => next.on_message(message, &mut out),
                    Ok(None) => return false,
                    Err(violation) => Err(violation.into()),
                }
            }
            Ok(upstream::Step::Ready(session)) => {
                assert!(!contains(&out, b"SCRAM-SHA-256"), "nobody could sign");
                return session.tls == encrypted;
            }
            Err(error) => {
                assert!(error != LoginError::NeedsTls || !encrypted);
                assert_ne!(error, LoginError::NeedsPassword);
                return matches!(error, LoginError::Refused(_) | LoginError::Unproved);
            }
        };
    }
}

/// What a server says is followed the same however its bytes arrive.
pub fn scanner(data: &[u8]) -> bool {
    let (at, data) = split_first(data);
    let (count, data) = split_first(data);
    let (requests, stream) = data.split_at(usize::from(count & 15).min(data.len()));
    let whole = follow(requests, stream, stream.len());
    assert_eq!(follow(requests, stream, usize::from(at).min(stream.len())), whole);
    whole.is_ok_and(|followed| followed.is_idle)
}

#[derive(Debug, PartialEq)]
struct Followed {
    told: Vec<u8>,
    /// Where it has stopped, but for more bytes.
    stops: Vec<Reached>,
    summary: Summary,
    is_idle: bool,
}

fn follow(requests: &[u8], stream: &[u8], at: usize) -> Result<Followed, Violation> {
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    for request in requests {
        scanner.expect(kind(*request), answer(*request))?;
    }
    let (mut told, mut stops, mut taken) = (Vec::new(), Vec::new(), 0);
    for end in [at, stream.len()] {
        loop {
            let scan = scanner.scan(&stream[taken..end])?;
            told.extend_from_slice(&stream[taken..taken + scan.forward]);
            taken += scan.forward;
            match scan.reached {
                Reached::More | Reached::Answered => break,
                Reached::Drop(len) => taken += len,
                Reached::Ours(_) => scanner.answered(),
                Reached::CopyIn => scanner.expect(Request::CopyEnd, Answer::Forward)?,
                _ => {}
            }
            if !matches!(scan.reached, Reached::Drop(_)) {
                stops.push(scan.reached);
            }
        }
        assert!(taken <= end && end - taken <= HELD_MAX);
    }
    let is_idle = scanner.is_idle();
    Ok(Followed { told, stops, summary: scanner.take_summary(), is_idle })
}

fn kind(request: u8) -> Request {
    match request & 15 {
        0 => Request::FunctionCall,
        1 => Request::Parse,
        2 => Request::Bind,
        3 => Request::DescribeStatement,
        4 => Request::DescribePortal,
        5 => Request::Execute,
        6 => Request::Close,
        7 => Request::Sync,
        8 => Request::CopyEnd,
        _ => Request::Query,
    }
}

fn answer(request: u8) -> Answer {
    match request >> 4 {
        0 => Answer::Drop,
        1 => Answer::Ours,
        _ => Answer::Forward,
    }
}

/// Data is passed on the same however its bytes arrive.
pub fn upload(data: &[u8]) -> bool {
    let (at, stream) = split_first(data);
    let at = usize::from(at).min(stream.len());
    let whole = Upload::default().scan(stream);
    let mut upload = Upload::default();
    let cut = upload.scan(&stream[..at]).and_then(|(first, reached)| match reached {
        Uploaded::More => {
            assert!(at - first < HEADER_LEN);
            upload.scan(&stream[first..]).map(|(second, reached)| (first + second, reached))
        }
        _ => Ok((first, reached)),
    });
    assert_eq!(cut, whole);
    whole.is_ok_and(|(_, reached)| reached == Uploaded::End)
}
