//! Our client logs in to our server, by every method, with and without TLS, with passwords that
//! are right, wrong, empty, and of nobody.

mod pair;
mod rsa;

use crate::auth::{
    Credential, Flow, Hash, Method, Verifier, caching_sha2, ed25519, native_password, sha256_crypt,
};
use crate::capabilities::Capabilities;
use crate::downstream::{ClientTls, Reason};
use crate::upstream::{LoginError, ServerTls};
use pair::{LONG_NONCE, Meeting, NONCE, Outcome, Side};

/// What greetings propose.
const OFFERED: [Method; 2] = [Method::NativePassword, Method::CachingSha2Password];
const CLIENT_TLS: [ClientTls; 3] = [ClientTls::Off, ClientTls::Prefer, ClientTls::Require];
const SERVER_TLS: [ServerTls; 3] = [ServerTls::Off, ServerTls::Prefer, ServerTls::Require];

/// `secret`, as MariaDB stores it.
const ED25519: &[u8] = b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";
const PARSEC: &[u8] = b"P0:WlUUVIFVwHTHve1ccpxlldkK:wuCB7vY2J9Mk96sC7lB3yBtTw8jaETZDy2XQNyAXPSA";

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

fn sha256(password: &[u8]) -> Verifier {
    let salt = b"a salt of 20 letters";
    let digest = sha256_crypt::hash(password, salt, 5000);
    let stored = [&b"$5$"[..], &salt[..], b"$", &digest].concat();
    Verifier::parse_stored("sha256_password", &stored).unwrap()
}

/// What only the password `secret` itself can be checked against.
fn hashes_of_secret() -> [Verifier; 5] {
    let Verifier::Hash(hash @ Hash::Crypt(_)) = crypt(b"secret") else { panic!("a hash") };
    let ed25519 = Verifier::parse_stored("ed25519", ED25519).unwrap();
    let parsec = Verifier::parse_stored("parsec", PARSEC).unwrap();
    [Verifier::Hash(hash), sha256(b"secret"), ed25519.clone(), parsec, {
        Verifier::several(vec![native(b"other"), ed25519]).unwrap()
    }]
}

fn learned() -> Verifier {
    let Verifier::Hash(hash) = crypt(b"secret") else { panic!("a hash") };
    Verifier::Learned { hash, password: b"secret".to_vec().into() }
}

fn by(method: Method) -> Verifier {
    Verifier::password_by(b"secret", Flow::Only(method))
}

fn stage1(password: &[u8]) -> Credential {
    Credential::NativeStage1(native_password::stage1(password))
}

fn digest1(password: &[u8]) -> Credential {
    Credential::Sha2Digest1(caching_sha2::digest1(password))
}

fn signing(password: &[u8]) -> Credential {
    Credential::Ed25519(ed25519::Secret::from_password(password))
}

fn meeting(verifier: Verifier, credential: Credential) -> Meeting {
    Meeting {
        offered: Method::CachingSha2Password,
        client_tls: ClientTls::Prefer,
        verifier,
        newer: None,
        taken: true,
        rsa: false,
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

/// How a connection ends up.
#[derive(Clone, Copy, Debug)]
struct Way {
    tls: bool,
    rsa: bool,
}

impl Way {
    /// Whether a password may be sent over it.
    fn is_safe(self) -> bool {
        self.tls || self.rsa
    }
}

/// Every mix of offered method, TLS and RSA.
fn each_way(mut check: impl FnMut(Meeting, Way), verifier: &Verifier, credential: &Credential) {
    for offered in OFFERED {
        for (client_tls, server_tls, tls) in [
            (ClientTls::Off, ServerTls::Off, false),
            (ClientTls::Off, ServerTls::Prefer, false),
            (ClientTls::Prefer, ServerTls::Off, false),
            (ClientTls::Prefer, ServerTls::Prefer, true),
            (ClientTls::Require, ServerTls::Require, true),
        ] {
            for rsa in [false, true] {
                let meeting = meeting(verifier.clone(), credential.clone());
                check(
                    Meeting { offered, client_tls, server_tls, rsa, ..meeting },
                    Way { tls, rsa },
                );
            }
        }
    }
}

#[test]
fn a_right_password_is_accepted_by_every_method() {
    let password = Credential::password(b"secret");
    let secret = Verifier::Ed25519(ed25519::Secret::from_password(b"secret"));
    for (verifier, credential, recovered) in [
        (native(b"secret"), &password, stage1(b"secret")),
        (native(b"secret"), &stage1(b"secret"), stage1(b"secret")),
        (sha2(b"secret"), &password, digest1(b"secret")),
        (sha2(b"secret"), &digest1(b"secret"), digest1(b"secret")),
        (secret.clone(), &password, signing(b"secret")),
        (secret, &signing(b"secret"), signing(b"secret")),
        (Verifier::password(b"secret"), &password, password.clone()),
        (Verifier::password(b"secret"), &stage1(b"secret"), password.clone()),
        (Verifier::password(b"secret"), &digest1(b"secret"), password.clone()),
        (Verifier::password(b"secret"), &signing(b"secret"), password.clone()),
        (by(Method::Ed25519), &password, password.clone()),
        (by(Method::Ed25519), &signing(b"secret"), password.clone()),
        (by(Method::Parsec), &password, password.clone()),
        (learned(), &password, password.clone()),
        (learned(), &digest1(b"secret"), password.clone()),
        (Verifier::Empty, &Credential::Empty, Credential::Empty),
    ] {
        each_way(|meeting, _| accepted(meeting.run(0), &recovered), &verifier, credential);
    }
}

#[test]
fn a_hash_needs_the_password_and_a_safe_way() {
    let password = Credential::password(b"secret");
    for verifier in hashes_of_secret().into_iter().chain([by(Method::Sha256Password)]) {
        let check = |meeting: Meeting, way: Way| match way.is_safe() {
            true => accepted(meeting.run(0), &password),
            false => denied(meeting.run(0), Reason::TlsNeeded, 1045),
        };
        each_way(check, &verifier, &password);
    }
    let digest = digest1(b"secret");
    let check = |meeting: Meeting, way: Way| match way.is_safe() {
        true => given_up(meeting.run(0), &LoginError::NeedsPassword),
        false => denied(meeting.run(0), Reason::TlsNeeded, 1045),
    };
    each_way(check, &crypt(b"secret"), &digest);
}

#[test]
fn a_password_that_only_servers_know_goes_over_tls_only() {
    let password = Credential::password(b"secret");
    for taken in [true, false] {
        let check = |meeting: Meeting, way: Way| {
            let outcome = Meeting { taken, ..meeting }.run(0);
            match (way.tls, taken) {
                (true, true) => accepted(outcome, &password),
                (true, false) => denied(outcome, Reason::AccessDenied, 1045),
                (false, _) => denied(outcome, Reason::TlsNeeded, 1045),
            }
        };
        each_way(check, &Verifier::Server, &password);
    }
    // Where something is stored beside, it is asked for as ever, and the servers are asked last.
    let ed25519 = Verifier::parse_stored("ed25519", ED25519).unwrap();
    let either = Verifier::several(vec![Verifier::Server, ed25519]).unwrap();
    let other = Credential::password(b"of PAM");
    for credential in [password, other] {
        let meeting = Meeting { rsa: true, ..meeting(either.clone(), credential.clone()) };
        accepted(meeting.run(0), &credential);
    }
}

#[test]
fn a_wrong_password_is_denied_by_every_method() {
    let wrong = Credential::password(b"wrong");
    let methods = [Method::NativePassword, Method::Ed25519, Method::Parsec];
    let verifiers = methods.map(by).into_iter().chain([native(b"secret")]);
    let unknown = methods.map(|method| Verifier::Unknown(Flow::Only(method)));
    for verifier in verifiers.chain(unknown) {
        let check = |meeting: Meeting, _| denied(meeting.run(0), Reason::AccessDenied, 1045);
        each_way(check, &verifier, &wrong);
    }
    let methods = [Method::CachingSha2Password, Method::Sha256Password];
    let unknown = methods.map(|method| Verifier::Unknown(Flow::Only(method)));
    let verifiers = methods.map(by).into_iter().chain([sha2(b"secret"), learned()]);
    for verifier in verifiers.chain(unknown).chain(hashes_of_secret()) {
        let check = |meeting: Meeting, way: Way| {
            let reason = if way.is_safe() { Reason::AccessDenied } else { Reason::TlsNeeded };
            denied(meeting.run(0), reason, 1045);
        };
        each_way(check, &verifier, &wrong);
    }
}

#[test]
fn an_empty_password_is_denied_to_who_has_one() {
    let verifiers = [
        native(b"secret"),
        sha2(b"secret"),
        Verifier::password(b"secret"),
        learned(),
        Verifier::Unknown(Flow::Any),
    ];
    for verifier in verifiers.into_iter().chain(hashes_of_secret()) {
        let check = |meeting: Meeting, way: Way| {
            if matches!(verifier, Verifier::Hash(Hash::Sha256(_))) && !way.is_safe() {
                return denied(meeting.run(0), Reason::TlsNeeded, 1045);
            }
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
    for (verifier, credential, method) in [
        (sha2(b"secret"), stage1(b"secret"), Method::CachingSha2Password),
        (native(b"secret"), digest1(b"secret"), Method::NativePassword),
        (native(b"secret"), signing(b"secret"), Method::NativePassword),
        (by(Method::Ed25519), stage1(b"secret"), Method::Ed25519),
        (by(Method::Parsec), signing(b"secret"), Method::Parsec),
    ] {
        let check = |meeting: Meeting, _| given_up(meeting.run(0), &unsupported(method));
        each_way(check, &verifier, &credential);
    }
}

/// The client has sent its reply once, for a password that was changed a moment ago.
#[test]
fn a_reply_is_judged_again_by_a_newer_verifier() {
    let password = Credential::password(b"secret");
    for (old, new, recovered) in [
        (native(b"old"), native(b"secret"), stage1(b"secret")),
        (
            Verifier::Unknown(Flow::Only(Method::NativePassword)),
            native(b"secret"),
            stage1(b"secret"),
        ),
        (
            Verifier::password_by(b"old", Flow::Only(Method::Ed25519)),
            by(Method::Ed25519),
            password.clone(),
        ),
        (
            Verifier::password_by(b"old", Flow::Only(Method::Parsec)),
            by(Method::Parsec),
            password.clone(),
        ),
    ] {
        let check = |meeting: Meeting, _| {
            let once = Meeting { verifier: new.clone(), ..meeting.clone() }.run(0).transcript;
            let outcome = Meeting { newer: Some(new.clone()), ..meeting }.run(0);
            assert_eq!(outcome.transcript, once, "the client notices nothing");
            accepted(outcome, &recovered);
        };
        each_way(check, &old, &password);
    }
    for (old, new) in [(crypt(b"old"), crypt(b"secret")), (sha256(b"old"), sha256(b"secret"))] {
        let check = |meeting: Meeting, way: Way| {
            let outcome = Meeting { newer: Some(new.clone()), ..meeting }.run(0);
            match way.is_safe() {
                true => accepted(outcome, &password),
                false => denied(outcome, Reason::TlsNeeded, 1045),
            }
        };
        each_way(check, &old, &password);
    }
    let check = |meeting: Meeting, _| {
        denied(meeting.run(0), Reason::AccessDenied, 1045);
    };
    let still_wrong = |meeting: Meeting, way| {
        check(Meeting { newer: Some(native(b"newer")), ..meeting }, way);
    };
    each_way(still_wrong, &native(b"old"), &password);
}

#[test]
fn a_newer_verifier_of_another_method_is_asked_for_once() {
    let password = Credential::password(b"secret");
    let run = |offered, newer| {
        let meeting = meeting(native(b"old"), password.clone());
        Meeting { offered, newer: Some(newer), ..meeting }.run(0)
    };
    // The client began with the method, so it may be asked for another one.
    accepted(run(Method::NativePassword, crypt(b"secret")), &password);
    // It was asked already.
    denied(run(Method::CachingSha2Password, crypt(b"secret")), Reason::AccessDenied, 1045);
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

/// What the server has said, which is all that a stranger can learn from. The client's words are
/// different each time where it encrypts.
fn said_by_server(outcome: Outcome) -> Vec<Vec<u8>> {
    let said = outcome.transcript.into_iter().filter(|(side, _)| *side == Side::Server);
    said.map(|(_, bytes)| bytes).collect()
}

/// The bytes say nothing else, and what is hashed is in the unit tests of the verifier.
#[test]
fn nobody_is_told_from_somebody_with_another_password() {
    let credentials = [
        Credential::password(b"wrong"),
        Credential::Empty,
        stage1(b"wrong"),
        digest1(b"wrong"),
        signing(b"wrong"),
    ];
    let methods = [
        Method::NativePassword,
        Method::CachingSha2Password,
        Method::Sha256Password,
        Method::Ed25519,
        Method::Parsec,
    ];
    let verifiers = [
        native(b"secret"),
        sha2(b"secret"),
        learned(),
        Verifier::Server,
        Verifier::password(b"secret"),
    ];
    for verifier in verifiers.into_iter().chain(hashes_of_secret()).chain(methods.map(by)) {
        let unknown = Verifier::Unknown(verifier.flow());
        for credential in &credentials {
            let check = |known: Meeting, _| {
                let known = Meeting { taken: false, ..known };
                let nobody = Meeting { verifier: unknown.clone(), ..known.clone() };
                let (known_said, nobody_said) = (said_by_server(known.run(0)), nobody.run(0));
                assert_eq!(known_said, said_by_server(nobody_said), "{known:?}");
            };
            each_way(check, &verifier, credential);
        }
    }
}

#[test]
fn the_password_is_never_sent_in_clear() {
    let clear = b"a rather long secret";
    let shown = |bytes: &[u8]| bytes.windows(clear.len()).any(|window| window == clear);
    // As it would be if it were encrypted with nothing but the nonce.
    let masked: Vec<u8> = clear.iter().zip(NONCE).map(|(byte, nonce)| byte ^ nonce).collect();
    let verifiers = [native(b"x"), sha2(b"x"), Verifier::Server, Verifier::Unknown(Flow::Any)];
    for verifier in verifiers.into_iter().chain(hashes_of_secret()) {
        let check = |meeting: Meeting, way: Way| {
            let said = meeting.run(0).transcript;
            for (side, bytes) in said {
                let told = shown(&bytes) || bytes.windows(20).any(|window| window == masked);
                assert!(way.tls || !told, "{side:?} in {meeting:?}");
            }
        };
        each_way(check, &verifier, &Credential::password(clear));
    }
}

#[test]
fn what_is_signed_is_long_and_the_servers() {
    let meeting = meeting(by(Method::Ed25519), Credential::password(b"secret"));
    let transcript = meeting.run(0).transcript;
    let asked = |bytes: &[u8]| bytes.windows(32).any(|window| window == LONG_NONCE);
    assert!(transcript.iter().any(|(side, bytes)| *side == Side::Server && asked(bytes)));
}

#[test]
fn bytes_may_arrive_in_any_pieces() {
    let password = Credential::password(b"secret");
    let without_tls = |verifier| Meeting {
        rsa: true,
        server_tls: ServerTls::Off,
        ..meeting(verifier, password.clone())
    };
    for meeting in [
        meeting(sha2(b"secret"), password.clone()),
        meeting(native(b"secret"), password.clone()),
        // The fast path fails, and full authentication asks for the password.
        meeting(Verifier::password(b"secret"), digest1(b"wrong")),
        meeting(sha2(b""), password.clone()),
        meeting(by(Method::Sha256Password), password.clone()),
        meeting(by(Method::Ed25519), password.clone()),
        meeting(by(Method::Parsec), password.clone()),
        meeting(Verifier::Server, password.clone()),
        meeting(
            Verifier::Unknown(Flow::Only(Method::NativePassword)),
            Credential::password(b"wrong"),
        ),
        without_tls(Verifier::parse_stored("ed25519", ED25519).unwrap()),
        without_tls(by(Method::Sha256Password)),
    ] {
        let whole = meeting.run(0);
        let longest = whole.transcript.iter().map(|(_, bytes)| bytes.len()).max().unwrap();
        for split in 1..longest {
            let split_up = meeting.run(split);
            assert_eq!(split_up.client, whole.client, "split at {split}");
            assert_eq!(split_up.server, whole.server);
            if !meeting.rsa {
                assert_eq!(split_up.transcript, whole.transcript, "split at {split}");
            }
        }
    }
}
