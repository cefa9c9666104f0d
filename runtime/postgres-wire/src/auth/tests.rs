//! The expected values come from PostgreSQL 15 and from RFC 7677, not from this code.

use base64ct::{Base64, Encoding as _};
use tidegate_wire::Violation;

use super::scram::client::{Begun, Offered};
use super::scram::server::{Beginning, Challenge, Fault};
use super::*;

/// What a server has stored, and of which password.
const SCRAM: [(&str, &str); 2] = [
    (
        "SCRAM-SHA-256$4096:F98VotJUHMyWbE7J0MjcCQ==$KwjHiRkqtMjRuViuM4aACjMUQTrkB+vyKjHfH4f3bg0=:8PWrzTSTkxoJl5kTunftv4fkmKRDsRckOHmCLt3tg7o=",
        "apppw",
    ),
    (
        "SCRAM-SHA-256$4096:ffKysNAh5vKY1HZ4+vUZkg==$Sg+jcKyKe//hap37H1Ikg/ljPC2Tkwj1CDpPiBeA0PE=:4ZIfK83OAbJu6o6JMnnSBf45MKihpnhgbRVJSy1IFlE=",
        "I\u{ad}X pa\u{aa} \u{2168}",
    ),
];
/// Of the user `md5user` and the password `md5pw`.
const MD5: &str = "md5704ac3bc41dadc414b9aa9dbf5e63cdd";

const CLIENT_NONCE: &[u8; 18] = b"a client's nonce..";
const SERVER_NONCE: &[u8; 18] = b"a server's nonce..";
const END_POINT: &[u8] = b"the hash of a certificate";

fn key() -> DecoyKey {
    DecoyKey([7; 32])
}

fn stored(text: &str) -> scram::Stored {
    scram::Stored::parse(text).unwrap()
}

fn verifier(text: &str) -> Verifier {
    Verifier::parse_stored(text).unwrap()
}

#[test]
fn what_servers_store_is_understood() {
    for (text, password) in SCRAM {
        assert_eq!(stored(text).iterations(), 4096);
        assert!(stored(text).verify(password.as_bytes()));
        assert!(!stored(text).verify(b"wrong"));
    }
    let other_form = "IX paa IX";
    assert!(stored(SCRAM[1].0).verify(other_form.as_bytes()));
    let hash = md5::Hash::parse(MD5).unwrap();
    assert!(hash.equals(&md5::Hash::of_password(b"md5pw", "md5user")));
    assert!(!hash.equals(&md5::Hash::of_password(b"md5pw", "other")));
}

#[test]
fn a_list_of_users_may_hold_anything() {
    let parse = |text| Verifier::parse_unlabelled(text, "app", Flow::Md5, &key());
    assert!(matches!(parse(SCRAM[0].0), Verifier::Stored(Stored::Scram(_))));
    assert!(matches!(parse(MD5), Verifier::Stored(Stored::Md5(_))));
    assert!(matches!(parse(""), Verifier::Unknown(Flow::Md5)));
    let password = parse("md5 is what it begins with").check_password("app", b"md5 is what");
    assert_eq!(password, None);
    let password = &b"md5 is what it begins with"[..];
    let checked = parse("md5 is what it begins with").check_password("app", password);
    assert_eq!(checked, Some(Credential::password(password)));
}

#[test]
fn what_is_of_no_use_is_refused() {
    let valid = SCRAM[0].0;
    for wrong in [
        String::new(),
        "secret".to_owned(),
        MD5.to_uppercase(),
        MD5[..34].to_owned(),
        format!("{MD5}0"),
        valid.replace("SCRAM-SHA-256", "SCRAM-SHA-1"),
        valid.replace("4096", "0"),
        valid.replace("4096", "4000000000"),
        valid.replace("F98VotJUHMyWbE7J0MjcCQ==", ""),
        valid.replace("KwjH", "!!!!"),
        valid.replace("KwjH", ""),
        valid[..valid.len() - 1].to_owned(),
    ] {
        assert_eq!(Verifier::parse_stored(&wrong).err(), Some(UnusableVerifier), "{wrong}");
    }
}

/// The two sides of SCRAM, each with what it knows: the credential that the proof has given.
fn meet(
    stored: scram::Stored,
    credential: &Credential,
    client_sees: Option<&[u8]>,
    server_has: Option<&[u8]>,
) -> Result<Option<scram::Keys>, Fault> {
    let offered = Offered { plus: server_has.is_some(), end_point: client_sees };
    let (begun, mechanism, message) = Begun::new(CLIENT_NONCE, &offered);
    let plus = mechanism == scram::MECHANISM_PLUS;
    let beginning = Beginning { message: &message, plus, end_point: server_has };
    let (challenge, reply) = Challenge::new(stored, SERVER_NONCE, &beginning)?;
    let (answered, answer) = begun.answer(&reply, credential).unwrap();
    let Some((keys, last)) = challenge.check(&answer)? else { return Ok(None) };
    assert_eq!(answered.is_signed(last.as_bytes()), Ok(true));
    let forged = format!("v={}", Base64::encode_string(&[0; 32]));
    assert_eq!(answered.is_signed(forged.as_bytes()), Ok(false));
    Ok(Some(keys))
}

#[test]
fn a_proof_gives_the_keys_away_and_they_alone_make_more() {
    for (text, password) in SCRAM {
        for end_point in [None, Some(END_POINT)] {
            let password = Credential::password(password.as_bytes());
            let keys = meet(stored(text), &password, end_point, end_point).unwrap().unwrap();
            let credential = Credential::Scram(keys);
            let again = meet(stored(text), &credential, end_point, end_point).unwrap().unwrap();
            assert_eq!(Credential::Scram(again), credential);
        }
    }
}

#[test]
fn a_wrong_password_gives_nothing() {
    let wrong = Credential::password(b"wrong");
    assert!(meet(stored(SCRAM[0].0), &wrong, None, None).unwrap().is_none());
}

#[test]
fn keys_are_for_one_salt() {
    let right = Credential::password(SCRAM[0].1.as_bytes());
    let keys = meet(stored(SCRAM[0].0), &right, None, None).unwrap().unwrap();
    let offered = Offered { plus: false, end_point: None };
    let (begun, ..) = Begun::new(CLIENT_NONCE, &offered);
    let (_, _, message) = Begun::new(CLIENT_NONCE, &offered);
    let beginning = Beginning { message: &message, plus: false, end_point: None };
    let (_, reply) = Challenge::new(stored(SCRAM[1].0), SERVER_NONCE, &beginning).unwrap();
    let refused = begun.answer(&reply, &Credential::Scram(keys)).err();
    assert_eq!(refused, Some(scram::client::Fault::OtherSalt));
}

#[test]
fn who_stands_between_is_noticed() {
    let right = Credential::password(SCRAM[0].1.as_bytes());
    let meet = |sees, has| meet(stored(SCRAM[0].0), &right, sees, has);
    // Another certificate than ours.
    let other = Some(&b"the hash of another"[..]);
    assert_eq!(meet(other, Some(END_POINT)).err(), Some(Fault::Binding));
    // The client could, and says that we did not offer what we did.
    let offered = Offered { plus: false, end_point: Some(END_POINT) };
    let (_, _, message) = Begun::new(CLIENT_NONCE, &offered);
    let beginning = Beginning { message: &message, plus: false, end_point: Some(END_POINT) };
    let refused = Challenge::new(stored(SCRAM[0].0), SERVER_NONCE, &beginning).err();
    assert_eq!(refused, Some(Fault::Binding));
    // It may say so to a server that really did not.
    assert!(meet(Some(END_POINT), None).unwrap().is_some());
    assert!(meet(None, Some(END_POINT)).unwrap().is_some());
}

/// The example of RFC 7677.
#[test]
fn proofs_are_what_others_compute() {
    const CHALLENGE: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const PROOF: &str = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    let begun = Begun::example("n=user,r=rOprNGfwEbeRWgbNEkqO", "rOprNGfwEbeRWgbNEkqO");
    let (answered, answer) = begun.answer(CHALLENGE, &Credential::password(b"pencil")).unwrap();
    assert!(answer.ends_with(format!(",p={PROOF}").as_bytes()));
    assert_eq!(answered.is_signed(SIGNATURE.as_bytes()), Ok(true));
}

#[test]
fn a_server_cannot_ask_for_anything() {
    let nonce = Base64::encode_string(CLIENT_NONCE);
    let answer = |challenge: &str| {
        let offered = Offered { plus: false, end_point: None };
        let (begun, ..) = Begun::new(CLIENT_NONCE, &offered);
        begun.answer(challenge.as_bytes(), &Credential::password(b"secret")).err()
    };
    assert_eq!(answer(&format!("r={nonce}x,s=AAAA,i=1")), None);
    let long = format!("r={nonce}x,s=AAAA,i=4000000000");
    let too_long = Violation::TooLong {
        what: "a number of iterations",
        len: 4_000_000_000,
        max: scram::ITERATIONS_MAX.into(),
    };
    assert_eq!(answer(&long), Some(scram::client::Fault::Violation(too_long)));
    for wrong in [
        format!("r={nonce},s=AAAA,i=1"),
        "r=other,s=AAAA,i=1".to_owned(),
        format!("r={nonce}x,s=AAAA,i=0"),
        format!("r={nonce}x,s=AAAA,i=-1"),
        format!("r={nonce}x,s=A,i=1"),
        format!("r={nonce}x,i=1"),
        "m=ext".to_owned(),
        String::new(),
    ] {
        assert!(matches!(answer(&wrong), Some(scram::client::Fault::Violation(_))), "{wrong}");
    }
}

#[test]
fn what_a_client_says_must_make_sense() {
    let begin = |message: &[u8], plus: bool| {
        let beginning = Beginning { message, plus, end_point: plus.then_some(END_POINT) };
        Challenge::new(stored(SCRAM[0].0), SERVER_NONCE, &beginning)
    };
    for (message, plus) in [
        (&b""[..], false),
        (b"n", false),
        (b"n,", false),
        (b"n,,r=x", false),
        (b"n,,n=,r=", false),
        (b"n,,n=,r=a b", false),
        (b"n,,m=x,n=,r=abc", false),
        (b"n,a=admin,n=,r=abc", false),
        (b"x,,n=,r=abc", false),
        (b"p=tls-unique,,n=,r=abc", true),
        (b"p=tls-server-end-point,,n=,r=abc", false),
        (b"n,,n=,r=abc", true),
        (b"y,,n=,r=abc", true),
    ] {
        let fault = begin(message, plus).err();
        assert!(matches!(fault, Some(Fault::Violation(_))), "{}", message.escape_ascii());
    }
    let nonce = format!("abc{}", Base64::encode_string(SERVER_NONCE));
    let check = |answer: &str| {
        let (challenge, _) = begin(b"n,,n=,r=abc", false).unwrap();
        challenge.check(answer.as_bytes()).map(|keys| keys.is_some())
    };
    let proof = Base64::encode_string(&[1; 32]);
    assert_eq!(check(&format!("c=biws,r={nonce},p={proof}")), Ok(false));
    assert_eq!(check(&format!("c=eSws,r={nonce},p={proof}")), Err(Fault::Binding));
    for wrong in [
        format!("c=biws,r={nonce}x,p={proof}"),
        format!("c=biws,r={nonce},p=AAAA"),
        format!("c=biws,r={nonce},q={proof}"),
        format!("c=biws,p={proof}"),
        "c=biws".to_owned(),
        String::new(),
    ] {
        assert!(matches!(check(&wrong), Err(Fault::Violation(_))), "{wrong}");
    }
}

#[test]
fn a_response_by_md5_proves_the_hash() {
    let verifier = verifier(MD5);
    let credential = Credential::password(b"md5pw");
    let response = credential.respond_md5("md5user", *b"salt").unwrap();
    let proved = verifier.check_md5(&response, *b"salt").unwrap();
    assert_eq!(
        proved.respond_md5("whoever", *b"1234"),
        credential.respond_md5("md5user", *b"1234")
    );
    assert_eq!(verifier.check_md5(&response, *b"1234"), None);
    assert_eq!(verifier.check_md5(b"", *b"salt"), None);
    assert_eq!(Verifier::Unknown(Flow::Md5).check_md5(&response, *b"salt"), None);
}

#[test]
fn a_password_is_checked_against_whatever_is_held() {
    let flow = Flow::Scram { iterations: 10 };
    let known = Verifier::password(b"apppw", "app", flow, &key());
    for verifier in [verifier(SCRAM[0].0), known, verifier(MD5)] {
        let (user, password) = match verifier.flow() {
            Some(Flow::Md5) => ("md5user", &b"md5pw"[..]),
            _ => ("app", &b"apppw"[..]),
        };
        assert_eq!(verifier.check_password(user, password), Some(Credential::password(password)));
        assert_eq!(verifier.check_password(user, b"wrong"), None);
    }
    for nobody in [Verifier::Unknown(Flow::Cleartext), Verifier::Server, Verifier::Open] {
        assert_eq!(nobody.check_password("app", b"apppw"), None);
    }
    let empty = Verifier::password(b"", "app", Flow::Cleartext, &key());
    assert_eq!(empty.check_password("app", b""), None);
}

#[test]
fn nobody_looks_like_somebody_and_always_the_same() {
    let flow = Flow::Scram { iterations: 4096 };
    let reply = |verifier: &Verifier, user: &str| {
        let offered = Offered { plus: false, end_point: None };
        let (_, _, message) = Begun::new(CLIENT_NONCE, &offered);
        let beginning = Beginning { message: &message, plus: false, end_point: None };
        let stored = verifier.scram(user, &key());
        Challenge::new(stored, SERVER_NONCE, &beginning).unwrap().1
    };
    let nobody = Verifier::Unknown(flow);
    assert_eq!(reply(&nobody, "nobody"), reply(&nobody, "nobody"));
    assert_ne!(reply(&nobody, "nobody"), reply(&nobody, "noone"));
    assert_eq!(reply(&nobody, "nobody").len(), reply(&verifier(SCRAM[0].0), "app").len());
    // A user whose password came later keeps the salt.
    let somebody = Verifier::password(b"secret", "nobody", flow, &key());
    assert_eq!(reply(&somebody, "nobody"), reply(&nobody, "nobody"));
    let keys = meet(somebody.scram("nobody", &key()), &Credential::password(b"secret"), None, None);
    let keys = keys.unwrap().unwrap();
    assert_eq!(nobody.proved_by_scram(keys.clone()), None);
    assert_eq!(somebody.proved_by_scram(keys), Some(Credential::password(b"secret")));
}

#[test]
fn a_stamp_changes_with_the_password() {
    let stamp = |verifier: &Verifier| verifier.stamp(b"key");
    let password = |text: &[u8]| Verifier::password(text, "app", Flow::Cleartext, &key());
    assert_eq!(stamp(&verifier(MD5)), stamp(&verifier(MD5)));
    let all =
        [verifier(MD5), verifier(SCRAM[0].0), verifier(SCRAM[1].0), password(b"a"), password(b"b")];
    let stamps: std::collections::HashSet<_> = all.iter().map(stamp).collect();
    assert_eq!(stamps.len(), all.len());
    assert_ne!(verifier(MD5).stamp(b"key"), verifier(MD5).stamp(b"other"));
    assert_eq!(stamp(&Verifier::Unknown(Flow::Md5)), None);
}

#[test]
fn no_secret_is_shown() {
    let keys = meet(stored(SCRAM[0].0), &Credential::password(b"apppw"), None, None);
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        verifier(SCRAM[0].0),
        stored(SCRAM[0].0),
        md5::Hash::parse(MD5),
        Credential::Scram(keys.unwrap().unwrap()),
        key(),
    );
    let expected =
        "Stored(..) Stored { iterations: 4096, .. } Some(Hash(..)) Scram(..) DecoyKey(..)";
    assert_eq!(shown, expected);
}
