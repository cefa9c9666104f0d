use tidegate_wire::Violation;

use super::*;
use crate::frame::Message;

fn dial(tls: ServerTls, credential: Credential) -> Dial {
    Dial {
        version: ProtocolVersion::V3_2,
        user: "app".to_owned(),
        database: "shop".to_owned(),
        parameters: Vec::new(),
        credential,
        tls,
        nonce: *b"a client's nonce..",
    }
}

/// Past the startup, over TLS or not.
fn expect(tls: bool, credential: Credential) -> ExpectVerdict {
    let mut out = BytesMut::new();
    let tls = if tls { ServerTls::Direct } else { ServerTls::Off };
    match start(dial(tls, credential), &mut out) {
        Step::UpgradeTls(next) => next.resume(b"a hash", &mut out),
        Step::Continue(next) => next,
        step => panic!("{step:?}"),
    }
}

fn password() -> Credential {
    Credential::password(b"secret")
}

/// What comes of these messages of a server, and what we have said to them.
fn hear(
    mut expect: ExpectVerdict,
    messages: &[(u8, &[u8])],
) -> (Result<Step, LoginError>, BytesMut) {
    let mut out = BytesMut::new();
    for (at, (tag, payload)) in messages.iter().enumerate() {
        let message = Message { tag: *tag, payload: BytesMut::from(*payload) };
        match expect.on_message(message, &mut out) {
            Ok(Step::Continue(next)) if at + 1 < messages.len() => expect = next,
            end => return (end, out),
        }
    }
    panic!("there is a message");
}

const OK: (u8, &[u8]) = (b'R', b"\0\0\0\0");
const READY: (u8, &[u8]) = (b'Z', b"I");
const CLEARTEXT: (u8, &[u8]) = (b'R', b"\0\0\0\x03");
const SASL: (u8, &[u8]) = (b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
const BOTH: (u8, &[u8]) = (b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");

fn violation(messages: &[(u8, &[u8])]) {
    let (end, _) = hear(expect(true, password()), messages);
    assert!(matches!(end, Err(LoginError::Violation(_))), "{end:?}");
}

#[test]
fn a_server_answers_a_request_for_tls_with_one_byte() {
    let ask = |tls| match start(dial(tls, password()), &mut BytesMut::new()) {
        Step::AskedForTls(next) => next,
        step => panic!("{step:?}"),
    };
    let mut out = BytesMut::new();
    let step = ask(ServerTls::Require).on_byte(b'S', b"", &mut out);
    assert!(matches!(step, Ok(Step::UpgradeTls(_))) && out.is_empty());
    let step = ask(ServerTls::Prefer).on_byte(b'N', b"", &mut out);
    assert!(matches!(step, Ok(Step::Continue(_))) && !out.is_empty());
    let step = ask(ServerTls::Require).on_byte(b'N', b"", &mut out);
    assert_eq!(step.unwrap_err(), LoginError::TlsUnavailable);
    for (answer, unread) in [(b'S', &b"E\0\0\0\x05"[..]), (b'N', b"R"), (b'E', b""), (b'X', b"")] {
        let step = ask(ServerTls::Prefer).on_byte(answer, unread, &mut out);
        assert!(matches!(step, Err(LoginError::Violation(_))), "{answer} {unread:?}");
    }
}

#[test]
fn a_server_may_trust_us() {
    let settings = (b'S', &b"server_version\x0015.14\0"[..]);
    let notice = (b'N', &b"SWARNING\0C01000\0Mcollation\0\0"[..]);
    let (end, _) = hear(expect(false, Credential::Nothing), &[OK, settings, notice, READY]);
    let Ok(Step::Ready(session)) = end else { panic!("{end:?}") };
    assert_eq!((session.cancel_key, session.tls), (None, false));
    assert_eq!(session.parameters.get("server_version"), Some(&b"15.14"[..]));
}

#[test]
fn a_server_may_know_less_than_we_do() {
    let older = (b'v', &b"\0\x03\0\0\0\0\0\0"[..]);
    let (end, _) = hear(expect(false, password()), &[older, OK, READY]);
    assert!(matches!(end, Ok(Step::Ready(session)) if session.version == ProtocolVersion::V3_0));
    violation(&[(b'v', b"\0\x03\0\x03\0\0\0\0")]);
    violation(&[(b'v', b"\0\x02\0\0\0\0\0\0")]);
    violation(&[OK, older]);
}

#[test]
fn a_password_is_told_over_tls_only() {
    let (end, out) = hear(expect(true, password()), &[CLEARTEXT]);
    assert!(matches!(end, Ok(Step::Continue(_))));
    assert_eq!(out, &b"p\0\0\0\x0bsecret\0"[..]);
    let (end, out) = hear(expect(false, password()), &[CLEARTEXT]);
    assert_eq!(end.unwrap_err(), LoginError::NeedsTls);
    assert!(out.is_empty());
}

#[test]
fn a_server_has_to_prove_itself_too() {
    let (end, _) = hear(expect(true, password()), &[SASL, OK]);
    assert_eq!(end.unwrap_err(), LoginError::Unproved);
    let nonce = "r=YSBjbGllbnQncyBub25jZS4u";
    let challenge = format!("\0\0\0\x0b{nonce}x,s=c2FsdA==,i=1");
    let challenge = (b'R', challenge.as_bytes());
    let (end, _) = hear(expect(true, password()), &[SASL, challenge, OK]);
    assert_eq!(end.unwrap_err(), LoginError::Unproved);
    let forged = (b'R', &b"\0\0\0\x0cv=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="[..]);
    let (end, _) = hear(expect(true, password()), &[SASL, challenge, forged]);
    assert_eq!(end.unwrap_err(), LoginError::Unproved);
    violation(&[SASL, challenge, (b'R', b"\0\0\0\x0ce=other-error")]);
    violation(&[SASL, challenge, challenge]);
    violation(&[SASL, SASL]);
    violation(&[SASL, forged]);
    violation(&[CLEARTEXT, CLEARTEXT]);
}

#[test]
fn channel_binding_is_used_where_both_can() {
    let first = |tls, offer| {
        let (_, out) = hear(expect(tls, password()), &[offer]);
        String::from_utf8(out[5..].to_vec()).unwrap()
    };
    assert!(first(true, BOTH).contains("SCRAM-SHA-256-PLUS\0\0\0\x005p=tls-server-end-point,,"));
    assert!(first(true, SASL).contains("SCRAM-SHA-256\0\0\0\0 y,,n=,r="));
    assert!(first(false, BOTH).contains("SCRAM-SHA-256\0\0\0\0 n,,n=,r="));
    let plus = (b'R', &b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0"[..]);
    let (end, _) = hear(expect(false, password()), &[plus]);
    let method = "SCRAM-SHA-256-PLUS".to_owned();
    assert_eq!(end.unwrap_err(), LoginError::UnsupportedMethod { method });
}

#[test]
fn methods_that_are_not_known_are_named() {
    let (end, _) = hear(expect(true, password()), &[(b'R', b"\0\0\0\x07")]);
    let method = "number 7".to_owned();
    assert_eq!(end.unwrap_err(), LoginError::UnsupportedMethod { method });
    let (end, _) = hear(expect(true, password()), &[(b'R', b"\0\0\0\x0aOAUTHBEARER\0\0")]);
    let method = "OAUTHBEARER".to_owned();
    assert_eq!(end.unwrap_err(), LoginError::UnsupportedMethod { method });
}

#[test]
fn a_server_may_say_no_at_any_time() {
    let no = (b'E', &b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0"[..]);
    for before in [&[][..], &[SASL], &[OK]] {
        let (end, _) = hear(expect(true, password()), &[before, &[no]].concat());
        let Err(LoginError::Refused(error)) = end else { panic!("{end:?}") };
        assert_eq!(error.message(), "sorry, too many clients already");
    }
}

#[test]
fn a_server_cannot_keep_us_busy() {
    let notice = (b'N', &b"\0"[..]);
    let (end, _) = hear(expect(true, password()), &vec![notice; 2000]);
    let what = "number of messages in a login";
    assert_eq!(end.unwrap_err(), Violation::Unexpected { what }.into());
}

#[test]
fn what_has_no_place_in_a_login_is_refused() {
    for message in [READY, (b'S', b"a\0b\0"), (b'K', b"\0\0\0\x01abcd"), (b'T', b""), (b'Q', b"")] {
        violation(&[message]);
    }
    violation(&[OK, (b'T', b"")]);
    violation(&[OK, OK]);
    violation(&[OK, (b'K', b"\0\0\0\x01abc")]);
}
