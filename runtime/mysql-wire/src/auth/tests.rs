//! The expected values come from Python's `hashlib`, `openssl passwd -5` and hashcat's example of
//! a MySQL hash, not from this code.

use super::sha256_crypt::Sha256Crypt;
use super::*;

const NONCE: &[u8; 20] =
    b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14";

const NATIVE_STORED: &str = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
const NATIVE_PROOF: &str = "b32bb3a583e1340c0a1108d58b1be49781ad8c2f";

const SHA2_DIGEST2: &str = "3881219d087dd9c634373fd33dfa33a2cb6bfc6c520b64b8bb60ef2ceb534ae7";
const SHA2_PROOF: &str = "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9";

const CRYPT_SALT: &str = "f9cc98ce08892924f50a213b6bc571a2c11778c5";
const CRYPT_DIGEST: &[u8] = b"bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/";

fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

/// The password of this one is `hashcat`.
fn crypt_stored() -> Vec<u8> {
    [b"$A$005$", &unhex(CRYPT_SALT)[..], CRYPT_DIGEST].concat()
}

#[test]
fn native_proofs_are_what_clients_send() {
    let stage1 = native_password::stage1(b"secret");
    assert_eq!(native_password::prove(&stage1, NONCE).to_vec(), unhex(NATIVE_PROOF));
}

#[test]
fn native_proofs_give_away_stage1_and_it_alone_makes_more() {
    let verifier = Verifier::parse_native(NATIVE_STORED).unwrap();
    let proof = unhex(NATIVE_PROOF);
    let credential = verifier.check_proof(Method::NativePassword, &proof, NONCE).unwrap();
    assert_eq!(credential, Credential::NativeStage1(native_password::stage1(b"secret")));
    for nonce in [[7; 20], [255; 20]] {
        let again = credential.prove(Method::NativePassword, &nonce).unwrap();
        assert_eq!(
            Some(again),
            Credential::password(b"secret").prove(Method::NativePassword, &nonce)
        );
    }
}

#[test]
fn sha2_proofs_are_what_clients_send() {
    let digest1 = caching_sha2::digest1(b"secret");
    assert_eq!(caching_sha2::prove(&digest1, NONCE).to_vec(), unhex(SHA2_PROOF));
}

#[test]
fn sha2_proofs_give_away_digest1_and_it_alone_makes_more() {
    let verifier = Verifier::parse_sha2_digest2(SHA2_DIGEST2).unwrap();
    let proof = unhex(SHA2_PROOF);
    let credential = verifier.check_proof(Method::CachingSha2Password, &proof, NONCE).unwrap();
    assert_eq!(credential, Credential::Sha2Digest1(caching_sha2::digest1(b"secret")));
    let again = credential.prove(Method::CachingSha2Password, NONCE);
    assert_eq!(again, Some(proof));
}

#[test]
fn crypt_agrees_with_others() {
    let hash = |password: &[u8], salt: &[u8], rounds| {
        String::from_utf8(sha256_crypt::hash(password, salt, rounds).to_vec()).unwrap()
    };
    let unix = hash(b"secret", b"0123456789abcdef", 5000);
    assert_eq!(unix, "r6nzC5LUC0uVXFw52gWstJ181ms.XFW71j20yui2zG7");
    let long = hash(&[b'p'; 100], b"0123456789abcdef", 1000);
    assert_eq!(long, "7Q527KYcf/iw5JJP8d2JHHQr/YK8SfN0spM0EcIfKW5");
    let binary_salt = hash(&[b'p'; 100], &b"\x01\x7f$\xff".repeat(5), 7000);
    assert_eq!(binary_salt, "YjdNJtoc/3nW0dGHhF9iHr8h1Y4eUUtkAHwVrY0JDd3");
}

#[test]
fn stored_crypt_verifies_its_password_only() {
    let stored = Sha256Crypt::parse(&crypt_stored()).unwrap();
    assert!(stored.verify(b"hashcat"));
    assert!(!stored.verify(b"hashcaT"));
    assert!(!stored.verify(b""));
}

#[test]
fn a_password_that_is_too_long_is_wrong_and_costs_nothing_more() {
    // Its hash is that of no password, which must not count as a match.
    let salt = unhex(CRYPT_SALT);
    let empty = sha256_crypt::hash(b"", &salt, 5000);
    let stored = Sha256Crypt::parse(&[b"$A$005$", &salt[..], &empty].concat()).unwrap();
    assert!(stored.verify(b""));
    assert!(!stored.verify(&[b'x'; PASSWORD_LEN_MAX + 1]));
    let long = vec![b'x'; 1 << 20];
    assert_eq!(Verifier::password(&long).check_password(&long), None);
}

#[test]
fn stored_verifiers_are_parsed_or_refused() {
    let parse = |plugin, stored: &[u8]| Verifier::parse_stored(plugin, stored);
    let flow = |plugin, stored: &[u8]| parse(plugin, stored).map(|verifier| verifier.flow());
    let native = NATIVE_STORED.as_bytes();
    assert_eq!(flow("mysql_native_password", native), Ok(Flow::Native));
    assert_eq!(flow("", native), Ok(Flow::Native));
    assert_eq!(flow("caching_sha2_password", &crypt_stored()), Ok(Flow::CachingSha2));
    assert!(matches!(parse("mysql_native_password", b""), Ok(Verifier::Empty)));
    assert!(matches!(parse("caching_sha2_password", b""), Ok(Verifier::Empty)));

    let malformed = |method| Err(UnusableVerifier::Malformed { method });
    let locked = b"*THISISNOTAVALIDPASSWORDTHATCANBEUSEDHERE";
    assert_eq!(flow("mysql_native_password", locked), malformed("mysql_native_password"));
    assert_eq!(flow("mysql_native_password", b"invalid"), malformed("mysql_native_password"));
    assert_eq!(flow("mysql_native_password", &native[..40]), malformed("mysql_native_password"));
    for cut in 1..crypt_stored().len() {
        let cut = &crypt_stored()[..cut];
        assert_eq!(flow("caching_sha2_password", cut), malformed("caching_sha2_password"));
    }
    let method = "ed25519".to_owned();
    assert_eq!(flow("ed25519", b"x"), Err(UnusableVerifier::Method { method }));
}

#[test]
fn wrong_proofs_of_any_length_check_no_verifier() {
    let verifiers = [
        Verifier::parse_native(NATIVE_STORED).unwrap(),
        Verifier::parse_sha2_digest2(SHA2_DIGEST2).unwrap(),
        Verifier::parse_stored("caching_sha2_password", &crypt_stored()).unwrap(),
        Verifier::password(b"secret"),
        Verifier::Empty,
        Verifier::Unknown(Flow::Native),
        Verifier::Unknown(Flow::CachingSha2),
        Verifier::Unknown(Flow::Either),
    ];
    for verifier in verifiers {
        for len in 0..64 {
            for method in [Method::NativePassword, Method::CachingSha2Password] {
                assert_eq!(verifier.check_proof(method, &vec![0x5a; len], NONCE), None);
            }
        }
        assert_eq!(verifier.check_password(b"wrong"), None);
    }
}

#[test]
fn the_password_that_stands_in_for_nobody_lets_nobody_in() {
    let decoy = Credential::password(b"correct horse battery");
    let unknown = Verifier::Unknown(Flow::Either);
    for method in [Method::NativePassword, Method::CachingSha2Password] {
        let proof = decoy.prove(method, NONCE).unwrap();
        assert_eq!(unknown.check_proof(method, &proof, NONCE), None);
    }
    assert_eq!(unknown.check_password(b"correct horse battery"), None);
}

#[test]
fn full_authentication_takes_every_kind_of_sha2_verifier() {
    let password = |password: &[u8]| Some(Credential::password(password));
    let digest2 = Verifier::parse_sha2_digest2(SHA2_DIGEST2).unwrap();
    assert_eq!(digest2.check_password(b"secret"), password(b"secret"));
    let crypt = Verifier::parse_stored("caching_sha2_password", &crypt_stored()).unwrap();
    assert_eq!(crypt.check_password(b"hashcat"), password(b"hashcat"));
    assert_eq!(Verifier::password(b"secret").check_password(b"secret"), password(b"secret"));
}

#[test]
fn debug_shows_no_secret() {
    let crypt = Verifier::parse_stored("caching_sha2_password", &crypt_stored()).unwrap();
    let shown = format!(
        "{:?} {:?} {:?} {crypt:?} {:?}",
        Verifier::password(b"secret"),
        Credential::password(b"secret"),
        Credential::NativeStage1(native_password::stage1(b"secret")),
        Sha256Crypt::parse(&crypt_stored()),
    );
    assert_eq!(
        shown,
        "Password(..) Password(..) NativeStage1(..) Sha2Crypt(..) Some(Sha256Crypt { rounds: 5000, .. })"
    );
}
