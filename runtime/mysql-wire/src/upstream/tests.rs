//! Servers that behave badly, or unusually.

use bytes::BytesMut;
use tidegate_wire::Violation;

use super::*;
use crate::auth::{Method, caching_sha2};
use crate::capabilities::SUPPORTED_BY_CLIENT_SIDE;
use crate::frame::{Packet, Packets};
use crate::packet::{AuthMoreData, AuthSwitchRequest, Greeting, HandshakeResponse, OkPacket};

const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";

fn dial(credential: Credential, tls: ServerTls) -> Dial {
    Dial {
        user: "app".to_owned(),
        database: None,
        collation: 45,
        capabilities: SUPPORTED_BY_CLIENT_SIDE,
        credential,
        tls,
        attributes: Vec::new(),
    }
}

fn greeting(method: &str) -> Greeting {
    Greeting {
        server_version: "5.5.5-10.11.6-MariaDB".to_owned(),
        connection_id: 3,
        nonce: *NONCE,
        capabilities: SUPPORTED_BY_CLIENT_SIDE | Capabilities::SSL,
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        method: method.to_owned(),
    }
}

fn packet(sequence: u8, encode: impl FnOnce(&mut BytesMut)) -> Packet {
    let mut payload = BytesMut::new();
    encode(&mut payload);
    Packet { sequence, payload }
}

fn more(sequence: u8, message: &[u8]) -> Packet {
    packet(sequence, |out| AuthMoreData(message).encode(out))
}

fn switch(sequence: u8, method: &str) -> Packet {
    let data = [&NONCE[..], b"\0"].concat();
    packet(sequence, |out| AuthSwitchRequest { method: method.to_owned(), data }.encode(out))
}

fn ok(sequence: u8) -> Packet {
    packet(sequence, |out| OkPacket::default().encode(out, Capabilities::PROTOCOL_41))
}

fn sent(out: &mut BytesMut) -> Packet {
    let packet = Packets::new(PACKET_MAX).next(out).unwrap().unwrap();
    assert!(out.is_empty());
    packet
}

/// Our response, and what we then expect, over a connection without TLS.
fn respond(credential: Credential, method: &str) -> (HandshakeResponse, ExpectVerdict) {
    let mut out = BytesMut::new();
    let greeting = packet(0, |out| greeting(method).encode(out));
    let step = start(dial(credential, ServerTls::Off)).on_packet(greeting, &mut out).unwrap();
    let Step::Continue(next) = step else { panic!("{step:?}") };
    (HandshakeResponse::decode(&sent(&mut out).payload).unwrap(), next)
}

/// The same with TLS.
fn respond_over_tls(credential: Credential) -> ExpectVerdict {
    let mut out = BytesMut::new();
    let greeting = packet(0, |out| greeting("caching_sha2_password").encode(out));
    let step = start(dial(credential, ServerTls::Require)).on_packet(greeting, &mut out).unwrap();
    let Step::UpgradeTls(next) = step else { panic!("{step:?}") };
    assert_eq!(sent(&mut out).sequence, 1);
    let next = next.resume(b"", &mut out).unwrap();
    assert_eq!(sent(&mut out).sequence, 2);
    next
}

fn password() -> Credential {
    Credential::password(b"secret")
}

#[test]
fn a_server_that_is_full_says_so_instead_of_greeting() {
    for (sequence, payload) in
        [(0, &b"\xff\x10\x04Too many connections"[..]), (1, b"\xff\x6a\x04no")]
    {
        let error = start(dial(password(), ServerTls::Off))
            .on_packet(Packet { sequence, payload: payload.into() }, &mut BytesMut::new())
            .unwrap_err();
        let LoginError::Refused(err) = error else { panic!("{error:?}") };
        assert!([1040, 1130].contains(&err.code));
    }
}

#[test]
fn the_response_begins_with_what_the_credential_can_do() {
    let begun = |credential, method| respond(credential, method).0.method;
    let (native, sha2) = ("mysql_native_password", "caching_sha2_password");
    assert_eq!(begun(password(), native).as_deref(), Some(native));
    assert_eq!(begun(password(), sha2).as_deref(), Some(sha2));
    assert_eq!(begun(password(), "client_ed25519").as_deref(), Some(native));
    let digest = Credential::Sha2Digest1(caching_sha2::digest1(b"secret"));
    assert_eq!(begun(digest, native).as_deref(), Some(sha2));
}

#[test]
fn a_session_knows_its_server() {
    let (_, next) = respond(password(), "mysql_native_password");
    let step = next.on_packet(ok(2), &mut BytesMut::new()).unwrap();
    let Step::Ready(session) = step else { panic!("{step:?}") };
    assert_eq!(session.server_version, "10.11.6-MariaDB");
    assert_eq!((session.connection_id, session.tls), (3, false));
    assert!(!session.capabilities.intersects(Capabilities::SSL | Capabilities::CONNECT_WITH_DB));
}

#[test]
fn bytes_that_come_before_tls_are_refused() {
    let greeting = packet(0, |out| greeting("mysql_native_password").encode(out));
    let step = start(dial(password(), ServerTls::Require))
        .on_packet(greeting, &mut BytesMut::new())
        .unwrap();
    let Step::UpgradeTls(next) = step else { panic!("{step:?}") };
    let mut out = BytesMut::new();
    let error = next.resume(b"\x07\0\0\x02\0\0\0\x02\0\0\0", &mut out).unwrap_err();
    assert_eq!(error, Violation::Unexpected { what: "bytes before TLS" }.into());
    assert!(out.is_empty());
}

#[test]
fn the_password_goes_out_over_tls_only() {
    let mut out = BytesMut::new();
    let over_tls = respond_over_tls(password()).on_packet(more(3, &[4]), &mut out).unwrap();
    assert_eq!(sent(&mut out), Packet { sequence: 4, payload: b"secret\0"[..].into() });
    let Step::Continue(next) = over_tls else { panic!("{over_tls:?}") };
    assert!(matches!(next.on_packet(ok(5), &mut out), Ok(Step::Ready(session)) if session.tls));

    let (_, in_clear) = respond(password(), "caching_sha2_password");
    assert_eq!(in_clear.on_packet(more(2, &[4]), &mut out).unwrap_err(), LoginError::NeedsTls);
    let digest = Credential::Sha2Digest1(caching_sha2::digest1(b"secret"));
    let error = respond_over_tls(digest).on_packet(more(3, &[4]), &mut out).unwrap_err();
    assert_eq!(error, LoginError::NeedsPassword);
    assert!(out.is_empty());
}

#[test]
fn a_switch_is_followed_once() {
    let (_, next) = respond(password(), "caching_sha2_password");
    let mut out = BytesMut::new();
    let step = next.on_packet(switch(2, "mysql_native_password"), &mut out).unwrap();
    let proof = password().prove(Method::NativePassword, NONCE).unwrap();
    assert_eq!(sent(&mut out), Packet { sequence: 3, payload: proof[..].into() });
    let Step::Continue(next) = step else { panic!("{step:?}") };
    let error = next.on_packet(switch(4, "caching_sha2_password"), &mut out).unwrap_err();
    assert!(matches!(error, LoginError::Violation(Violation::Unexpected { .. })));
}

#[test]
fn methods_that_we_do_not_have_are_named() {
    for method in ["client_ed25519", "mysql_clear_password", "mysql_old_password"] {
        let (_, next) = respond(password(), "mysql_native_password");
        let error = next.on_packet(switch(2, method), &mut BytesMut::new()).unwrap_err();
        assert_eq!(error, LoginError::UnsupportedMethod { method: method.to_owned() });
    }
}

#[test]
fn messages_out_of_place_are_refused() {
    let unexpected = |result: Result<Step, LoginError>| {
        assert!(matches!(result.unwrap_err(), LoginError::Violation(Violation::Unexpected { .. })));
    };
    let mut out = BytesMut::new();
    let native = || respond(password(), "mysql_native_password").1;
    unexpected(native().on_packet(more(2, &[3]), &mut out));
    unexpected(native().on_packet(packet(2, |_| ()), &mut out));
    unexpected(native().on_packet(packet(2, |out| out.extend_from_slice(&[9])), &mut out));
    let sha2 = || respond(password(), "caching_sha2_password").1;
    unexpected(sha2().on_packet(more(2, &[7]), &mut out));
    let Ok(Step::Continue(proved)) = sha2().on_packet(more(2, &[3]), &mut out) else {
        panic!("the fast path goes on");
    };
    unexpected(proved.on_packet(more(3, &[4]), &mut out));
    assert!(out.is_empty());
}

#[test]
fn packets_out_of_order_are_refused() {
    let late = packet(1, |out| greeting("mysql_native_password").encode(out));
    let error =
        start(dial(password(), ServerTls::Off)).on_packet(late, &mut BytesMut::new()).unwrap_err();
    assert_eq!(error, Violation::OutOfOrder { expected: 0, got: 1 }.into());
    let (_, next) = respond(password(), "mysql_native_password");
    let error = next.on_packet(ok(0), &mut BytesMut::new()).unwrap_err();
    assert_eq!(error, Violation::OutOfOrder { expected: 2, got: 0 }.into());
}

#[test]
fn a_nonce_that_is_cut_is_refused() {
    let (_, next) = respond(password(), "caching_sha2_password");
    let short = AuthSwitchRequest { method: "mysql_native_password".to_owned(), data: vec![1; 19] };
    let error = next.on_packet(packet(2, |out| short.encode(out)), &mut BytesMut::new());
    assert_eq!(error.unwrap_err(), Violation::Truncated { what: "a nonce" }.into());
}
