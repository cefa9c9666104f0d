//! Servers that behave badly, or unusually.

use bytes::BytesMut;
use tidegate_wire::Violation;

use super::*;
use crate::auth::{caching_sha2, native_password, parsec};
use crate::capabilities::SUPPORTED_BY_CLIENT_SIDE;
use crate::frame::{Packet, Packets};
use crate::packet::{AuthMoreData, AuthSwitchRequest, Greeting, HandshakeResponse, OkPacket};

const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";

const LONG_NONCE: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

const NATIVE: &str = "mysql_native_password";
const SHA2: &str = "caching_sha2_password";

const MARIADB: &str = "5.5.5-10.11.6-MariaDB";
const MYSQL: &str = "9.7.0";

fn dial(credential: Credential, tls: ServerTls) -> Dial {
    Dial {
        user: "app".to_owned(),
        database: None,
        collation: 45,
        capabilities: SUPPORTED_BY_CLIENT_SIDE,
        credential,
        tls,
        may_ask_for_key: false,
        nonce: *b"a nonce of the client's, 32 byte",
        attributes: Vec::new(),
    }
}

fn greeting(version: &str, method: &str) -> Greeting {
    Greeting {
        server_version: version.to_owned(),
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
    respond_to(MARIADB, dial(credential, ServerTls::Off), method)
}

fn respond_to(version: &str, dial: Dial, method: &str) -> (HandshakeResponse, ExpectVerdict) {
    let mut out = BytesMut::new();
    let greeting = packet(0, |out| greeting(version, method).encode(out));
    let step = start(dial).on_packet(greeting, &mut out).unwrap();
    let Step::Continue(next) = step else { panic!("{step:?}") };
    (HandshakeResponse::decode(&sent(&mut out).payload).unwrap(), next)
}

/// The same with TLS.
fn respond_over_tls(credential: Credential) -> ExpectVerdict {
    let mut out = BytesMut::new();
    let greeting = packet(0, |out| greeting(MYSQL, "caching_sha2_password").encode(out));
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
    assert_eq!(session.plain_version(), "10.11.6-MariaDB");
    assert!(session.is_mariadb());
    assert_eq!((session.connection_id, session.tls), (3, false));
    assert!(!session.capabilities.intersects(Capabilities::SSL | Capabilities::CONNECT_WITH_DB));
}

#[test]
fn bytes_that_come_before_tls_are_refused() {
    let greeting = packet(0, |out| greeting(MARIADB, "mysql_native_password").encode(out));
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

    let in_clear = || respond_to(MYSQL, dial(password(), ServerTls::Off), SHA2).1;
    assert_eq!(in_clear().on_packet(more(2, &[4]), &mut out).unwrap_err(), LoginError::NeedsTls);
    for method in ["mysql_clear_password", "sha256_password"] {
        let error = in_clear().on_packet(switch(2, method), &mut out).unwrap_err();
        assert_eq!(error, LoginError::NeedsTls, "{method}");
    }
    let digest = Credential::Sha2Digest1(caching_sha2::digest1(b"secret"));
    let error = respond_over_tls(digest).on_packet(more(3, &[4]), &mut out).unwrap_err();
    assert_eq!(error, LoginError::NeedsPassword);
    assert!(out.is_empty());
}

#[test]
fn every_method_that_takes_a_password_gets_it_over_tls() {
    let asked = |request: Packet| {
        let mut out = BytesMut::new();
        let step = respond_over_tls(password()).on_packet(request, &mut out).unwrap();
        assert!(matches!(step, Step::Continue(_)));
        sent(&mut out)
    };
    let told = Packet { sequence: 4, payload: b"secret\0"[..].into() };
    for method in ["sha256_password", "mysql_clear_password"] {
        assert_eq!(asked(switch(3, method)), told, "{method}");
    }
    for question in [&b""[..], b"\x04Password: ", b"\x05Password: "] {
        assert_eq!(asked(dialog(question)), told);
    }
}

fn dialog(question: &[u8]) -> Packet {
    let data = question.to_vec();
    packet(3, |out| AuthSwitchRequest { method: "dialog".to_owned(), data }.encode(out))
}

#[test]
fn only_one_question_is_answered_and_only_for_the_password() {
    let unsupported = LoginError::UnsupportedMethod { method: "dialog".to_owned() };
    let mut out = BytesMut::new();
    let name = dialog(b"\x02Your name: ");
    let error = respond_over_tls(password()).on_packet(name, &mut out).unwrap_err();
    assert_eq!((error, out.is_empty()), (unsupported.clone(), true));
    let code = packet(5, |out| out.extend_from_slice(b"\x04Code: "));
    for more in [code, more(5, b"\x05Code: ")] {
        let step = respond_over_tls(password()).on_packet(dialog(b""), &mut out).unwrap();
        let Step::Continue(next) = step else { panic!("{step:?}") };
        sent(&mut out);
        assert_eq!(next.on_packet(more, &mut out).unwrap_err(), unsupported);
        assert!(out.is_empty());
    }
}

#[test]
fn nothing_is_sent_as_a_nul_to_methods_that_take_the_password() {
    for method in ["sha256_password", "mysql_clear_password"] {
        let mut out = BytesMut::new();
        let next = respond_over_tls(Credential::Empty);
        next.on_packet(switch(3, method), &mut out).unwrap();
        assert_eq!(sent(&mut out).payload, b"\0"[..], "{method}");
    }
}

#[test]
fn a_key_is_asked_for_only_where_that_is_allowed() {
    let begin = || {
        let dial = Dial { may_ask_for_key: true, ..dial(password(), ServerTls::Off) };
        respond_to(MYSQL, dial, SHA2).1
    };
    for (request, key_request) in [(more(2, &[4]), 2), (switch(2, "sha256_password"), 1)] {
        let mut out = BytesMut::new();
        let step = begin().on_packet(request, &mut out).unwrap();
        assert_eq!(sent(&mut out), Packet { sequence: 3, payload: [key_request][..].into() });
        let Step::Continue(next) = step else { panic!("{step:?}") };
        let step = next.on_packet(more(4, b"a key"), &mut out).unwrap();
        let Step::Encrypt(next) = step else { panic!("{step:?}") };
        assert!(out.is_empty());
        let masked: Vec<u8> = b"secret\0".iter().zip(NONCE).map(|(a, b)| a ^ b).collect();
        assert_eq!((next.key(), next.plaintext()), (&b"a key"[..], &masked[..]));
        assert!(!format!("{next:?}").contains("115"), "{next:?}");
        let next = next.encrypted(b"ciphertext", &mut out);
        assert_eq!(sent(&mut out), Packet { sequence: 5, payload: b"ciphertext"[..].into() });
        assert!(matches!(next.on_packet(ok(6), &mut out), Ok(Step::Ready(_))));
    }
}

#[test]
fn a_signature_is_made_for_the_servers_nonce() {
    let request = |method: &str| {
        let request = AuthSwitchRequest { method: method.to_owned(), data: LONG_NONCE.to_vec() };
        packet(2, |out| request.encode(out))
    };
    let mut out = BytesMut::new();
    let (_, next) = respond(password(), NATIVE);
    next.on_packet(request("client_ed25519"), &mut out).unwrap();
    assert_eq!(sent(&mut out).payload, password().sign(LONG_NONCE).unwrap()[..]);

    let salt = [&b"P\x01"[..], &[7; 18]].concat();
    // Old servers do not mark the message as one.
    let unmarked = packet(4, |out| out.extend_from_slice(&salt));
    for parameters in [more(4, &salt), unmarked] {
        let (_, next) = respond(password(), NATIVE);
        let step = next.on_packet(request("parsec"), &mut out).unwrap();
        assert_eq!(sent(&mut out), Packet { sequence: 3, payload: BytesMut::new() });
        let Step::Continue(next) = step else { panic!("{step:?}") };
        next.on_packet(parameters, &mut out).unwrap();
        let proof = sent(&mut out).payload;
        let parameters = parsec::Parameters::decode(&salt).unwrap();
        let proof = proof[..].try_into().unwrap();
        assert!(parameters.verify(b"secret", LONG_NONCE, proof));
    }
    let (_, next) = respond(password(), NATIVE);
    let Ok(Step::Continue(next)) = next.on_packet(request("parsec"), &mut out) else {
        panic!("it has more to say");
    };
    let error = next.on_packet(more(4, b"S\0nonsense"), &mut out).unwrap_err();
    assert!(matches!(error, LoginError::Violation(Violation::Malformed { .. })));
}

#[test]
fn switches_are_followed_and_not_for_ever() {
    let mut out = BytesMut::new();
    let (_, mut next) = respond(password(), SHA2);
    let proof = password().prove_native(NONCE).unwrap();
    for exchange in 0..8 {
        let step = next.on_packet(switch(2 + 2 * exchange, NATIVE), &mut out).unwrap();
        assert_eq!(
            sent(&mut out),
            Packet { sequence: 3 + 2 * exchange, payload: proof[..].into() }
        );
        let Step::Continue(then) = step else { panic!("{step:?}") };
        next = then;
    }
    let error = next.on_packet(switch(18, NATIVE), &mut out).unwrap_err();
    assert!(matches!(error, LoginError::Violation(Violation::Unexpected { .. })));
}

#[test]
fn methods_that_we_do_not_have_are_named() {
    for method in ["authentication_kerberos_client", "auth_gssapi_client", "mysql_old_password"] {
        let (_, next) = respond_to(MYSQL, dial(password(), ServerTls::Off), SHA2);
        let error = next.on_packet(switch(2, method), &mut BytesMut::new()).unwrap_err();
        assert_eq!(error, LoginError::UnsupportedMethod { method: method.to_owned() });
    }
    let (_, next) = respond_to(MYSQL, dial(password(), ServerTls::Off), SHA2);
    let second = packet(2, |out| out.extend_from_slice(b"\x02authentication_webauthn_client\0"));
    let error = next.on_packet(second, &mut BytesMut::new()).unwrap_err();
    assert_eq!(error, LoginError::UnsupportedMethod { method: "a second factor".to_owned() });
}

/// Users of MariaDB may have several methods, one of which is enough.
#[test]
fn what_cannot_be_given_is_passed_over_and_remembered() {
    let stage1 = Credential::NativeStage1(native_password::stage1(b"secret"));
    let pass_over = || {
        let mut out = BytesMut::new();
        let (_, next) = respond(stage1.clone(), NATIVE);
        let request =
            AuthSwitchRequest { method: "client_ed25519".to_owned(), data: LONG_NONCE.to_vec() };
        let request = packet(2, |out| request.encode(out));
        let step = next.on_packet(request, &mut out).unwrap();
        assert_eq!(sent(&mut out), Packet { sequence: 3, payload: BytesMut::new() });
        let Step::Continue(next) = step else { panic!("{step:?}") };
        next
    };
    let mut out = BytesMut::new();
    let step = pass_over().on_packet(switch(4, NATIVE), &mut out).unwrap();
    assert_eq!(sent(&mut out).payload, stage1.prove_native(NONCE).unwrap()[..]);
    let Step::Continue(next) = step else { panic!("{step:?}") };
    assert!(matches!(next.on_packet(ok(6), &mut out), Ok(Step::Ready(_))));

    let refused = packet(4, |out| out.extend_from_slice(b"\xff\x15\x04#28000Access denied"));
    let error = pass_over().on_packet(refused, &mut out).unwrap_err();
    assert_eq!(error, LoginError::UnsupportedMethod { method: "client_ed25519".to_owned() });
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
    let late = packet(1, |out| greeting(MARIADB, "mysql_native_password").encode(out));
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
