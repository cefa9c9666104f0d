//! Our client logs in to our server, by every method, with and without TLS, with passwords that
//! are right, wrong, empty, and of nobody.

mod pair;

use crate::auth::{
    Credential, Flow, Method, Verifier, caching_sha2, native_password, sha256_crypt,
};
use crate::capabilities::Capabilities;
use crate::downstream::{ClientTls, Reason};
use crate::upstream::{LoginError, ServerTls};
use pair::{Meeting, Outcome, Side};

const METHODS: [Method; 2] = [Method::NativePassword, Method::CachingSha2Password];
const CLIENT_TLS: [ClientTls; 3] = [ClientTls::Off, ClientTls::Prefer, ClientTls::Require];
const SERVER_TLS: [ServerTls; 3] = [ServerTls::Off, ServerTls::Prefer, ServerTls::Require];

fn native(password: &[u8]) -> Verifier {
    Verifier::Native(native_password::stage2(&native_password::stage1(password)))
}

fn sha2(password: &[u8]) -> Verifier {
    Verifier::Sha2Digest2(caching_sha2::digest2(&caching_sha2::digest1(password)))
}

fn crypt(password: &[u8]) -> Verifier {
    let salt = b"\x01$:'\"\x7f\xff.............";
    let digest = sha256_crypt::hash(password, salt, 5000);
    let stored = [&b"$A$005$"[..], &salt[..], &digest].concat();
    Verifier::parse_stored("caching_sha2_password", &stored).unwrap()
}

fn stage1(password: &[u8]) -> Credential {
    Credential::NativeStage1(native_password::stage1(password))
}

fn digest1(password: &[u8]) -> Credential {
    Credential::Sha2Digest1(caching_sha2::digest1(password))
}

fn meeting(verifier: Verifier, credential: Credential) -> Meeting {
    Meeting {
        offered: Method::CachingSha2Password,
        client_tls: ClientTls::Prefer,
        verifier,
        server_tls: ServerTls::Prefer,
        credential,
    }
}

fn accepted(outcome: Outcome, with: &Credential) {
    let Outcome { client, server, transcript } = outcome;
    let (login, credential) = server.unwrap().unwrap();
    let session = client.unwrap().unwrap();
    assert_eq!(&credential, with, "{transcript:?}");
    assert_eq!((login.user.as_str(), login.database.as_deref()), ("app", Some("shop")));
    assert_eq!(login.attributes, [("program_name".to_owned(), "a test".to_owned())]);
    assert_eq!((session.connection_id, session.tls), (77, login.tls));
    assert_eq!(session.capabilities, login.capabilities);
    assert_eq!(session.capabilities.contains(Capabilities::SSL), login.tls);
}

fn denied(outcome: Outcome, reason: Reason, code: u16) {
    let refusal = outcome.server.unwrap().unwrap_err();
    assert_eq!((refusal.reason, refusal.error.code), (reason, code), "{refusal}");
    assert_eq!(outcome.client.unwrap(), Err(LoginError::Refused(refusal.error)));
}

fn given_up(outcome: Outcome, error: &LoginError) {
    assert_eq!(outcome.client.unwrap().as_ref(), Err(error));
    assert!(outcome.server.is_none(), "the server still waits");
}

/// Every mix of offered method and TLS, with whether the connection ends up encrypted.
fn each_way(mut check: impl FnMut(Meeting, bool), verifier: &Verifier, credential: &Credential) {
    for offered in METHODS {
        for (client_tls, server_tls, tls) in [
            (ClientTls::Off, ServerTls::Off, false),
            (ClientTls::Off, ServerTls::Prefer, false),
            (ClientTls::Prefer, ServerTls::Off, false),
            (ClientTls::Prefer, ServerTls::Prefer, true),
            (ClientTls::Require, ServerTls::Require, true),
        ] {
            let (verifier, credential) = (verifier.clone(), credential.clone());
            check(Meeting { offered, client_tls, verifier, server_tls, credential }, tls);
        }
    }
}

#[test]
fn a_right_password_is_accepted_by_every_method() {
    let password = Credential::password(b"secret");
    for (verifier, credential, recovered) in [
        (native(b"secret"), &password, stage1(b"secret")),
        (native(b"secret"), &stage1(b"secret"), stage1(b"secret")),
        (sha2(b"secret"), &password, digest1(b"secret")),
        (sha2(b"secret"), &digest1(b"secret"), digest1(b"secret")),
        (Verifier::password(b"secret"), &password, password.clone()),
        (Verifier::password(b"secret"), &stage1(b"secret"), password.clone()),
        (Verifier::password(b"secret"), &digest1(b"secret"), password.clone()),
        (Verifier::Empty, &Credential::Empty, Credential::Empty),
    ] {
        each_way(|meeting, _| accepted(meeting.run(0), &recovered), &verifier, credential);
    }
}

#[test]
fn a_salted_hash_needs_the_password_and_tls() {
    let password = Credential::password(b"secret");
    let check = |meeting: Meeting, tls| match tls {
        true => accepted(meeting.run(0), &password),
        false => denied(meeting.run(0), Reason::TlsNeeded, 1045),
    };
    each_way(check, &crypt(b"secret"), &password);

    let digest = digest1(b"secret");
    let check = |meeting: Meeting, tls| match tls {
        true => given_up(meeting.run(0), &LoginError::NeedsPassword),
        false => denied(meeting.run(0), Reason::TlsNeeded, 1045),
    };
    each_way(check, &crypt(b"secret"), &digest);
}

#[test]
fn a_wrong_password_is_denied_by_every_method() {
    for verifier in [native(b"secret"), Verifier::Unknown(Flow::Native)] {
        let check = |meeting: Meeting, _| denied(meeting.run(0), Reason::AccessDenied, 1045);
        each_way(check, &verifier, &Credential::password(b"wrong"));
    }
    for verifier in [sha2(b"secret"), crypt(b"secret"), Verifier::Unknown(Flow::CachingSha2)] {
        let check = |meeting: Meeting, tls| {
            let reason = if tls { Reason::AccessDenied } else { Reason::TlsNeeded };
            denied(meeting.run(0), reason, 1045);
        };
        each_way(check, &verifier, &Credential::password(b"wrong"));
    }
}

#[test]
fn an_empty_password_is_denied_to_who_has_one() {
    for verifier in [
        native(b"secret"),
        sha2(b"secret"),
        crypt(b"secret"),
        Verifier::password(b"secret"),
        Verifier::Unknown(Flow::Either),
    ] {
        let check = |meeting: Meeting, _| {
            let outcome = meeting.run(0);
            let refusal = outcome.server.as_ref().unwrap().as_ref().unwrap_err();
            let message = "Access denied for user 'app'@'10.0.0.9' (using password: NO)";
            assert_eq!(refusal.error.message, message);
            denied(outcome, Reason::AccessDenied, 1045);
        };
        each_way(check, &verifier, &Credential::Empty);
    }
}

#[test]
fn a_credential_of_another_method_is_given_up() {
    let unsupported =
        |method: Method| LoginError::UnsupportedMethod { method: method.name().into() };
    let caching_sha2 = unsupported(Method::CachingSha2Password);
    let check = |meeting: Meeting, _| given_up(meeting.run(0), &caching_sha2);
    each_way(check, &sha2(b"secret"), &stage1(b"secret"));
    let native_password = unsupported(Method::NativePassword);
    let check = |meeting: Meeting, _| given_up(meeting.run(0), &native_password);
    each_way(check, &native(b"secret"), &digest1(b"secret"));
}

#[test]
fn tls_is_used_if_both_can_and_required_if_one_says_so() {
    for client_tls in CLIENT_TLS {
        for server_tls in SERVER_TLS {
            let meeting = Meeting {
                client_tls,
                server_tls,
                ..meeting(sha2(b"secret"), Credential::password(b"secret"))
            };
            let outcome = meeting.run(0);
            match (client_tls, server_tls) {
                (ClientTls::Off, ServerTls::Require) => {
                    given_up(outcome, &LoginError::TlsUnavailable);
                }
                (ClientTls::Require, ServerTls::Off) => denied(outcome, Reason::TlsRequired, 3159),
                (ClientTls::Off, _) | (_, ServerTls::Off) => {
                    assert!(!outcome.client.unwrap().unwrap().tls);
                }
                _ => assert!(outcome.client.unwrap().unwrap().tls),
            }
        }
    }
}

/// The bytes say nothing else, and what is hashed is in the unit tests of the verifier.
#[test]
fn nobody_is_told_from_somebody_with_another_password() {
    let credentials =
        [Credential::password(b"wrong"), Credential::Empty, stage1(b"wrong"), digest1(b"wrong")];
    for verifier in
        [native(b"secret"), sha2(b"secret"), crypt(b"secret"), Verifier::password(b"secret")]
    {
        let unknown = Verifier::Unknown(verifier.flow());
        for credential in &credentials {
            let check = |known: Meeting, _| {
                let nobody = Meeting { verifier: unknown.clone(), ..known.clone() };
                assert_eq!(known.run(0).transcript, nobody.run(0).transcript, "{known:?}");
            };
            each_way(check, &verifier, credential);
        }
    }
}

#[test]
fn the_password_is_never_sent_in_clear() {
    let clear = b"a rather long secret";
    for verifier in [native(b"x"), sha2(b"x"), crypt(b"x"), Verifier::Unknown(Flow::Either)] {
        let check = |meeting: Meeting, tls: bool| {
            let said = meeting.run(0).transcript;
            let shown = |bytes: &[u8]| bytes.windows(clear.len()).any(|window| window == clear);
            let told = said.iter().any(|(side, bytes)| *side == Side::Client && shown(bytes));
            assert!(tls || !told, "{meeting:?}");
        };
        each_way(check, &verifier, &Credential::password(clear));
    }
}

#[test]
fn bytes_may_arrive_in_any_pieces() {
    let password = Credential::password(b"secret");
    for meeting in [
        meeting(sha2(b"secret"), password.clone()),
        meeting(native(b"secret"), password.clone()),
        // The fast path fails, and full authentication asks for the password.
        meeting(Verifier::password(b"secret"), digest1(b"wrong")),
        meeting(sha2(b""), password),
        meeting(Verifier::Unknown(Flow::Native), Credential::password(b"wrong")),
    ] {
        let whole = meeting.run(0);
        let longest = whole.transcript.iter().map(|(_, bytes)| bytes.len()).max().unwrap();
        for split in 1..longest {
            let split_up = meeting.run(split);
            assert_eq!(split_up.transcript, whole.transcript, "split at {split}");
            assert_eq!(split_up.client, whole.client);
            assert_eq!(split_up.server, whole.server);
        }
    }
}
