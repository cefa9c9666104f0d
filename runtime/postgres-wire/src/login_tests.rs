//! Logins from the first byte to the last, with our client against our server.

mod pair;

use self::pair::{END_POINT, Meeting, Outcome, Side, cancel_key};
use crate::auth::{Credential, DecoyKey, Flow, Verifier};
use crate::downstream::{ClientTls, Reason};
use crate::message::TransactionStatus;
use crate::sqlstate::INVALID_PASSWORD;
use crate::upstream::{LoginError, ServerTls};
use crate::version::ProtocolVersion;

const PASSWORD: &[u8] = b"correct horse";

const SCRAM: Flow = Flow::Scram { iterations: 16 };
const FLOWS: [Flow; 3] = [SCRAM, Flow::Md5, Flow::Cleartext];

fn known(flow: Flow) -> Verifier {
    Verifier::password(PASSWORD, "app", flow, &DecoyKey([7; 32]))
}

/// As a server has it, which does not know the password.
fn stored(flow: Flow) -> Verifier {
    match known(flow) {
        Verifier::Password { stored: Some(stored), .. } => Verifier::Stored(stored),
        other => panic!("{other:?}"),
    }
}

fn meeting(verifier: Verifier, credential: Credential) -> Meeting {
    Meeting {
        version: ProtocolVersion::NEWEST,
        client_tls: ClientTls::Prefer,
        end_point: Some(END_POINT.into()),
        cleartext: false,
        verifier,
        newer: None,
        taken: false,
        server_tls: ServerTls::Prefer,
        seen: END_POINT,
        user: "app",
        credential,
    }
}

fn run(meeting: &Meeting) -> Outcome {
    meeting.run(usize::MAX)
}

fn credential(outcome: &Outcome) -> Credential {
    match (&outcome.client, &outcome.server) {
        (Some(Ok(_)), Some(Ok((_, credential)))) => credential.clone(),
        _ => panic!("{outcome:?}"),
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn bytes_may_be_cut_anywhere() {
    for (flow, password) in [(SCRAM, PASSWORD), (SCRAM, b"wrong"), (Flow::Md5, PASSWORD)] {
        let meeting = meeting(known(flow), Credential::password(password));
        let whole = run(&meeting);
        let longest = whole.transcript.iter().map(|(_, bytes)| bytes.len()).max();
        for split in 1..longest.unwrap_or_default() {
            let cut = meeting.run(split);
            assert_eq!(cut.client, whole.client, "split at {split}");
            assert_eq!(cut.server, whole.server, "split at {split}");
            assert_eq!(cut.transcript, whole.transcript, "split at {split}");
        }
    }
}

#[test]
fn every_method_lets_in_who_knows_the_password() {
    for flow in FLOWS {
        for tls in [ServerTls::Prefer, ServerTls::Require, ServerTls::Direct] {
            let meeting = meeting(known(flow), Credential::password(PASSWORD));
            let outcome = run(&Meeting { server_tls: tls, ..meeting });
            assert_eq!(credential(&outcome), Credential::password(PASSWORD));
            let Some(Ok(session)) = outcome.client else { panic!("it is in") };
            assert!(session.tls);
            assert_eq!(session.version, ProtocolVersion::V3_2);
            assert_eq!(session.status, TransactionStatus::Idle);
            assert_eq!(session.cancel_key, Some(cancel_key(ProtocolVersion::V3_2)));
            assert_eq!(session.parameters.get("server_version"), Some(&b"15.14"[..]));
            let Some(Ok((login, _))) = outcome.server else { panic!("it is in") };
            assert_eq!((&*login.user, &*login.database, login.tls), ("app", "shop", true));
            let application = ("application_name".to_owned(), "a test".to_owned());
            assert_eq!(login.parameters, [application]);
        }
    }
}

/// The point of it all: a client logs in once, and from then on we log in as this client.
#[test]
fn what_a_login_leaves_logs_in_elsewhere() {
    for flow in [SCRAM, Flow::Md5] {
        let first = run(&meeting(stored(flow), Credential::password(PASSWORD)));
        let learned = credential(&first);
        assert_eq!(learned.known_password(), None);
        let second = run(&Meeting { end_point: None, ..meeting(stored(flow), learned.clone()) });
        assert_eq!(credential(&second), learned);
    }
}

#[test]
fn keys_are_of_no_use_at_a_server_with_another_salt() {
    let learned = credential(&run(&meeting(stored(SCRAM), Credential::password(PASSWORD))));
    let other_salt = Verifier::password(PASSWORD, "app", SCRAM, &DecoyKey([8; 32]));
    let Verifier::Password { stored: Some(other), .. } = other_salt else { panic!("it is stored") };
    let outcome = run(&meeting(Verifier::Stored(other), learned.clone()));
    assert_eq!(outcome.client, Some(Err(LoginError::OtherSalt)));
    let outcome = run(&meeting(stored(Flow::Md5), learned.clone()));
    let method = "md5".to_owned();
    assert_eq!(outcome.client, Some(Err(LoginError::UnsupportedMethod { method })));
    let outcome = run(&meeting(known(Flow::Cleartext), learned));
    assert_eq!(outcome.client, Some(Err(LoginError::NeedsPassword)));
}

#[test]
fn a_wrong_password_and_no_such_user_are_the_same_to_a_client() {
    for flow in FLOWS {
        let wrong = run(&meeting(known(flow), Credential::password(b"wrong")));
        let unknown = run(&meeting(Verifier::Unknown(flow), Credential::password(b"wrong")));
        let right = run(&meeting(Verifier::Unknown(flow), Credential::password(PASSWORD)));
        for outcome in [&wrong, &unknown, &right] {
            let Some(Err(refusal)) = &outcome.server else { panic!("{outcome:?}") };
            assert_eq!(refusal.reason, Reason::AccessDenied);
            let Some(Err(LoginError::Refused(error))) = &outcome.client else {
                panic!("{outcome:?}")
            };
            assert_eq!(error.sqlstate(), INVALID_PASSWORD);
            assert_eq!(error.message(), "password authentication failed for user \"app\"");
        }
        assert_eq!(wrong.transcript, unknown.transcript);
    }
}

#[test]
fn passwords_never_go_out_in_clear() {
    for (client_tls, server_tls) in
        [(ClientTls::Off, ServerTls::Prefer), (ClientTls::Prefer, ServerTls::Off)]
    {
        for cleartext in [false, true] {
            for flow in FLOWS {
                let meeting = meeting(known(flow), Credential::password(PASSWORD));
                let outcome = run(&Meeting { client_tls, server_tls, cleartext, ..meeting });
                let sent = outcome.transcript.iter().filter(|(side, _)| *side == Side::Client);
                assert!(sent.into_iter().all(|(_, bytes)| !contains(bytes, PASSWORD)));
                let asked = cleartext || flow == Flow::Cleartext;
                match outcome.server {
                    Some(Err(refusal)) if asked => assert_eq!(refusal.reason, Reason::TlsNeeded),
                    Some(Ok((login, _))) if !asked => assert!(!login.tls),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn whoever_can_be_asked_for_the_password_logs_in_anywhere() {
    for flow in [SCRAM, Flow::Md5] {
        let meeting = meeting(stored(flow), Credential::password(PASSWORD));
        let outcome = run(&Meeting { cleartext: true, ..meeting });
        assert_eq!(credential(&outcome), Credential::password(PASSWORD));
    }
}

#[test]
fn servers_are_asked_about_passwords_that_are_not_known_here() {
    for taken in [false, true] {
        let meeting = meeting(Verifier::Server, Credential::password(PASSWORD));
        let outcome = run(&Meeting { taken, ..meeting });
        match outcome.server {
            Some(Ok((_, credential))) if taken => {
                assert_eq!(credential, Credential::password(PASSWORD));
            }
            Some(Err(refusal)) if !taken => assert_eq!(refusal.reason, Reason::AccessDenied),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_newer_verifier_is_tried_where_it_can_be() {
    for (flow, cleartext, retried) in
        [(SCRAM, false, false), (SCRAM, true, true), (Flow::Md5, false, true)]
    {
        let old = Verifier::password(b"the old one", "app", flow, &DecoyKey([7; 32]));
        let meeting = meeting(old, Credential::password(PASSWORD));
        let outcome = run(&Meeting { newer: Some(known(flow)), cleartext, ..meeting });
        assert_eq!(matches!(outcome.server, Some(Ok(_))), retried, "{outcome:?}");
    }
}

#[test]
fn who_needs_no_password_is_not_asked() {
    let outcome = run(&meeting(Verifier::Open, Credential::Nothing));
    assert_eq!(credential(&outcome), Credential::Nothing);
    for flow in FLOWS {
        let outcome = run(&meeting(known(flow), Credential::Nothing));
        assert_eq!(outcome.client, Some(Err(LoginError::NeedsPassword)), "{flow:?}");
    }
}

#[test]
fn another_certificate_is_noticed_by_the_server() {
    let meeting = meeting(stored(SCRAM), Credential::password(PASSWORD));
    let outcome = run(&Meeting { seen: b"the hash of another", ..meeting.clone() });
    let Some(Err(refusal)) = outcome.server else { panic!("{outcome:?}") };
    assert_eq!(refusal.reason, Reason::ChannelBinding);
    // A certificate whose hash is not defined cannot be bound to; nor can one that is not known.
    for (seen, end_point) in [(&b""[..], Some(END_POINT.into())), (END_POINT, None)] {
        let outcome = run(&Meeting { seen, end_point, ..meeting.clone() });
        assert!(matches!(outcome.server, Some(Ok(_))), "{outcome:?}");
    }
}

#[test]
fn tls_is_agreed_on_or_there_is_no_login() {
    let meeting = meeting(known(SCRAM), Credential::password(PASSWORD));
    let none =
        Meeting { client_tls: ClientTls::Off, server_tls: ServerTls::Require, ..meeting.clone() };
    assert_eq!(run(&none).client, Some(Err(LoginError::TlsUnavailable)));
    let without = Meeting { client_tls: ClientTls::Require, server_tls: ServerTls::Off, ..meeting };
    let Some(Err(refusal)) = run(&without).server else { panic!("it is refused") };
    assert_eq!(refusal.reason, Reason::TlsRequired);
}

#[test]
fn versions_are_negotiated() {
    for (asked, agreed) in [(0, 0), (1, 1), (2, 2), (3, 2), (9999, 2)] {
        let version = ProtocolVersion { major: 3, minor: asked };
        let meeting = meeting(known(SCRAM), Credential::password(PASSWORD));
        let outcome = run(&Meeting { version, ..meeting });
        let agreed = ProtocolVersion { major: 3, minor: agreed };
        let Some(Ok(session)) = outcome.client else { panic!("{outcome:?}") };
        let Some(Ok((login, _))) = outcome.server else { panic!("it is in") };
        assert_eq!((session.version, login.version), (agreed, agreed));
        assert_eq!(session.cancel_key, Some(cancel_key(agreed)));
    }
}
