use bytes::BytesMut;

use super::*;
use crate::auth::{Flow, Verifier};
use crate::cancel_key::CancelKey;
use crate::frame::{self, Message};
use crate::message::{
    Authentication, ErrorResponse, NegotiateProtocolVersion, SaslInitialResponse,
};
use crate::sqlstate::{
    FEATURE_NOT_SUPPORTED, INVALID_AUTHORIZATION_SPECIFICATION, PROTOCOL_VIOLATION,
};
use crate::version::ProtocolVersion;

const SSL_REQUEST: &[u8] = b"\x04\xd2\x16\x2f";
const GSSENC_REQUEST: &[u8] = b"\x04\xd2\x16\x30";
const STARTUP: &[u8] = b"\0\x03\0\0user\0app\0database\0shop\0\0";

fn offer(tls: ClientTls) -> Offer {
    Offer {
        tls,
        end_point: Some(b"a hash"[..].into()),
        nonce: *b"a server's nonce..",
        salt: *b"salt",
        cleartext: false,
        decoy_key: DecoyKey([7; 32]),
    }
}

/// Gives the packets to the machine, and stops at the first that does not lead to another one.
fn give(mut expect: ExpectStartup, packets: &[&[u8]]) -> (Result<Step, Refusal>, BytesMut) {
    let mut out = BytesMut::new();
    for (at, packet) in packets.iter().enumerate() {
        match expect.on_packet(packet, b"", &mut out) {
            Ok(Step::UpgradeTls(next) | Step::Continue(next)) if at + 1 < packets.len() => {
                expect = next;
            }
            end => return (end, out),
        }
    }
    panic!("there is a packet");
}

fn error(refusal: &Refusal) -> ErrorResponse {
    let mut out = BytesMut::new();
    refusal.write(&mut out);
    let message = frame::next_message(&mut out, usize::MAX).unwrap().unwrap();
    assert_eq!(message.tag, b'E');
    ErrorResponse::decode(&message.payload).unwrap()
}

#[test]
fn encryption_is_answered_with_one_byte() {
    let (step, out) = give(start(offer(ClientTls::Prefer)), &[SSL_REQUEST]);
    assert!(matches!(step, Ok(Step::UpgradeTls(_))));
    assert_eq!(out, &b"S"[..]);
    let (step, out) = give(start(offer(ClientTls::Off)), &[SSL_REQUEST]);
    assert!(matches!(step, Ok(Step::Continue(_))));
    assert_eq!(out, &b"N"[..]);
    // libpq asks for GSSAPI first where there is a ticket.
    for (packets, answers) in [
        (&[GSSENC_REQUEST, SSL_REQUEST, STARTUP][..], &b"NS"[..]),
        (&[GSSENC_REQUEST, STARTUP], b"N"),
        (&[STARTUP], b""),
    ] {
        let (step, out) = give(start(offer(ClientTls::Prefer)), packets);
        let Ok(Step::Identified(identified)) = step else { panic!("{step:?}") };
        assert_eq!(identified.login().tls, packets.len() == 3);
        assert_eq!(out, answers);
    }
}

#[test]
fn encryption_is_asked_for_once() {
    let off = || start(offer(ClientTls::Off));
    let on = || start(offer(ClientTls::Prefer));
    for (expect, packets) in [
        (off(), &[SSL_REQUEST, SSL_REQUEST][..]),
        (off(), &[GSSENC_REQUEST, GSSENC_REQUEST]),
        (on(), &[SSL_REQUEST, SSL_REQUEST]),
        (on(), &[SSL_REQUEST, GSSENC_REQUEST]),
        (start_encrypted(offer(ClientTls::Prefer)), &[SSL_REQUEST]),
    ] {
        let refusal = give(expect, packets).0.unwrap_err();
        assert_eq!(refusal.reason.as_str(), "violation");
        assert_eq!(error(&refusal).sqlstate(), PROTOCOL_VIOLATION);
    }
}

#[test]
fn bytes_before_tls_are_from_somebody_else() {
    let mut out = BytesMut::new();
    let expect = start(offer(ClientTls::Prefer));
    let refusal = expect.on_packet(SSL_REQUEST, STARTUP, &mut out).unwrap_err();
    assert_eq!(error(&refusal).sqlstate(), PROTOCOL_VIOLATION);
    assert!(out.is_empty(), "TLS was not agreed to");
}

#[test]
fn whoever_wants_to_cancel_says_so_at_once_or_over_tls() {
    let key = CancelKey::new(7, b"abcd").unwrap();
    let request = [&b"\x04\xd2\x16\x2e\0\0\0\x07"[..], b"abcd"].concat();
    for packets in [&[&request[..]][..], &[SSL_REQUEST, &request]] {
        let (step, _) = give(start(offer(ClientTls::Require)), packets);
        assert!(matches!(step, Ok(Step::Cancel(cancelled)) if cancelled == key));
    }
}

#[test]
fn other_versions_are_told_what_there_is() {
    let refusal = give(start(offer(ClientTls::Off)), &[b"\0\x02\0\0database"]).0.unwrap_err();
    let told = error(&refusal);
    assert_eq!(told.sqlstate(), FEATURE_NOT_SUPPORTED);
    assert_eq!(told.message(), "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
    assert!(told.is_fatal());
    let newer = b"\0\x03\x27\x0fuser\0app\0_pq_.compression\0on\0\0";
    let (step, mut out) = give(start(offer(ClientTls::Off)), &[newer]);
    let Ok(Step::Identified(identified)) = step else { panic!("{step:?}") };
    assert_eq!(identified.login().version, ProtocolVersion::V3_2);
    let message = frame::next_message(&mut out, usize::MAX).unwrap().unwrap();
    let told = NegotiateProtocolVersion::decode(&message.payload).unwrap();
    assert_eq!(told.version, ProtocolVersion::V3_2);
    assert_eq!(told.unknown_options, ["_pq_.compression"]);
}

#[test]
fn tls_can_be_required() {
    let refusal = give(start(offer(ClientTls::Require)), &[STARTUP]).0.unwrap_err();
    assert_eq!(refusal.reason, Reason::TlsRequired);
    assert_eq!(error(&refusal).sqlstate(), INVALID_AUTHORIZATION_SPECIFICATION);
    let (step, _) = give(start_encrypted(offer(ClientTls::Require)), &[STARTUP]);
    assert!(matches!(step, Ok(Step::Identified(_))));
}

/// A client that has said who it is, and what it is asked for.
fn asked(expect: ExpectStartup, flow: Flow) -> (ExpectProof, Vec<u8>) {
    let Ok(Step::Identified(identified)) = give(expect, &[STARTUP]).0 else {
        panic!("it has said who it is");
    };
    let verifier = Verifier::password(b"secret", "app", flow, &DecoyKey([7; 32]));
    let mut out = BytesMut::new();
    let Auth::Continue(next) = identified.verify(verifier, &mut out) else {
        panic!("it is asked");
    };
    (next, frame::next_message(&mut out, usize::MAX).unwrap().unwrap().payload.to_vec())
}

fn message(tag: u8, payload: &[u8]) -> Message {
    Message { tag, payload: BytesMut::from(payload) }
}

#[test]
fn channel_binding_is_offered_over_tls_only() {
    let flow = Flow::Scram { iterations: 1 };
    for (expect, plus) in [
        (start(offer(ClientTls::Prefer)), false),
        (start_encrypted(offer(ClientTls::Prefer)), true),
        (start_encrypted(Offer { end_point: None, ..offer(ClientTls::Prefer) }), false),
    ] {
        let (_, request) = asked(expect, flow);
        let Ok(Authentication::Sasl(mechanisms)) = Authentication::decode(&request) else {
            panic!("it is SASL");
        };
        assert!(mechanisms.contains("SCRAM-SHA-256"));
        assert_eq!(mechanisms.contains("SCRAM-SHA-256-PLUS"), plus);
    }
}

#[test]
fn what_is_no_proof_is_refused() {
    let flow = Flow::Scram { iterations: 1 };
    let refused = |flow, message: Message| {
        let (next, _) = asked(start_encrypted(offer(ClientTls::Prefer)), flow);
        let refusal = next.on_message(message, &mut BytesMut::new()).unwrap_err();
        assert_eq!(error(&refusal).sqlstate(), PROTOCOL_VIOLATION);
    };
    let begin = |mechanism: &[u8], first| {
        let mut out = BytesMut::new();
        SaslInitialResponse { mechanism, message: first }.encode(&mut out);
        frame::next_message(&mut out, usize::MAX).unwrap().unwrap()
    };
    refused(flow, message(b'Q', b"SELECT 1\0"));
    refused(flow, message(b'p', b"secret\0"));
    refused(flow, begin(b"SCRAM-SHA-1", Some(b"n,,n=,r=abc")));
    refused(flow, begin(b"SCRAM-SHA-256", None));
    refused(flow, begin(b"SCRAM-SHA-256", Some(b"n,,")));
    refused(flow, begin(b"SCRAM-SHA-256-PLUS", Some(b"n,,n=,r=abc")));
    refused(Flow::Cleartext, message(b'p', b"secret"));
    refused(Flow::Cleartext, message(b'p', b"secret\0more\0"));
    refused(Flow::Md5, message(b'p', b""));
}

#[test]
fn an_offer_without_channel_binding_is_no_downgrade_without_tls() {
    let flow = Flow::Scram { iterations: 1 };
    let yes = |expect| {
        let (next, _) = asked(expect, flow);
        let mut first = BytesMut::new();
        let message = Some(&b"y,,n=,r=abc"[..]);
        SaslInitialResponse { mechanism: b"SCRAM-SHA-256", message }.encode(&mut first);
        let message = frame::next_message(&mut first, usize::MAX).unwrap().unwrap();
        next.on_message(message, &mut BytesMut::new()).map(|_| ())
    };
    assert_eq!(yes(start(offer(ClientTls::Prefer))), Ok(()));
    let refusal = yes(start_encrypted(offer(ClientTls::Prefer))).unwrap_err();
    assert_eq!(refusal.reason, Reason::ChannelBinding);
}

#[test]
fn only_a_password_is_slow() {
    for (flow, slow) in
        [(Flow::Cleartext, true), (Flow::Md5, false), (Flow::Scram { iterations: 1 }, false)]
    {
        let (next, _) = asked(start_encrypted(offer(ClientTls::Prefer)), flow);
        assert_eq!(next.is_slow(), slow);
        assert!(!format!("{next:?}").contains("secret"));
    }
}
