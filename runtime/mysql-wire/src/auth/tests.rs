//! The expected values come from MySQL 9.7, MariaDB 11.8, Python's `hashlib`, the code of RFC 8032,
//! `openssl passwd -5` and hashcat's example of a MySQL hash, not from this code.

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

/// Each is of the password `secret`, as a server has stored it.
const MYSQL_CRYPT: &str = "244124303041247A1C6A5F705A721A6E282D1217644833316230394A674E2E4B4849642E6D41545532434A3975654457427649686B6670464531357271302E4E576666444D43";
const MYSQL_PBKDF2: &str = "2442243030412473586F1F4F56236E5B3A2A647A032D6D766237465338696F4D78742F2B4F55314867525641537661374C386F305974624645384C517862646F7443456D4D346F4664375678776E3254584A6B7571316262314B306D736C4A754C4734524468742B434167344D753536513D3D";
const MYSQL_SHA256: &str = "243524592E345877023236545C4F402151690152313E47244F4B684D61366443563870434769584C4A6C534B6E41712F6C48706D6A70466631574A4E514F34674C7738";
const MARIADB_ED25519: &[u8] = b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";
const MARIADB_PARSEC: &[u8] =
    b"P0:WlUUVIFVwHTHve1ccpxlldkK:wuCB7vY2J9Mk96sC7lB3yBtTw8jaETZDy2XQNyAXPSA";

/// What the server tells of [`MARIADB_PARSEC`].
const PARSEC_PARAMETERS: &str = "50005a5514548155c074c7bded5c729c6595d90a";

/// SHA512(`secret`), and signatures of the numbers that count from 1.
const SECRET_SHA512: &str = "bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76085e5b0ee7ca4696b2ad6fe2b2";
const ED25519_SIGNATURE: &str = "60a0f4f8bcb6396043e44b2a25521af16f0815ff6369cc541c281e2c4455c8232b79b21ee5bb933507725db2f2919ea09e676f6abee19c5c7b98b40a627a9707";
const PARSEC_SIGNATURE: &str = "0f45bd375c6273606ddbda21d5630706709d6b4a484edeef7adea184d7877f61d1e79d85d10703fb7742288718a4d6e344afb6f5fde471bd37644b569d6ae103";

fn counting<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|at| from + u8::try_from(at).unwrap())
}

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
    let credential = verifier.check_native(&proof, NONCE).unwrap();
    assert_eq!(credential, Credential::NativeStage1(native_password::stage1(b"secret")));
    for nonce in [[7; 20], [255; 20]] {
        let again = credential.prove_native(&nonce).unwrap();
        assert_eq!(Some(again), Credential::password(b"secret").prove_native(&nonce));
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
    let credential = verifier.check_sha2(&proof, NONCE).unwrap();
    assert_eq!(credential, Credential::Sha2Digest1(caching_sha2::digest1(b"secret")));
    assert_eq!(credential.prove_sha2(NONCE), Some(proof));
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

fn stored(plugin: &str, text: &[u8]) -> Verifier {
    Verifier::parse_stored(plugin, text).unwrap()
}

/// One of each kind that is of the password `secret`.
fn of_secret() -> Vec<Verifier> {
    let password = Verifier::password(b"secret");
    let hash = Hash::Crypt(Sha256Crypt::parse(&unhex(MYSQL_CRYPT)).unwrap());
    vec![
        Verifier::parse_native(NATIVE_STORED).unwrap(),
        Verifier::parse_sha2_digest2(SHA2_DIGEST2).unwrap(),
        Verifier::parse_ed25519_secret(SECRET_SHA512).unwrap(),
        stored("caching_sha2_password", &unhex(MYSQL_CRYPT)),
        stored("caching_sha2_password", &unhex(MYSQL_PBKDF2)),
        stored("sha256_password", &unhex(MYSQL_SHA256)),
        stored("ed25519", MARIADB_ED25519),
        stored("parsec", MARIADB_PARSEC),
        Verifier::Learned { hash, password: b"secret".to_vec().into() },
        Verifier::Several(vec![stored("ed25519", MARIADB_ED25519), password.clone()]),
        password,
    ]
}

fn of_nobody() -> Vec<Verifier> {
    let flows = Method::ALL.map(Flow::Only).into_iter().chain([Flow::Any]);
    flows.map(Verifier::Unknown).chain([Verifier::Empty, Verifier::Server]).collect()
}

#[test]
fn what_servers_store_verifies_its_password_only() {
    for verifier in of_secret() {
        let right = verifier.check_password(b"secret");
        assert_eq!(right, Some(Credential::password(b"secret")), "{verifier:?}");
        for wrong in [&b""[..], b"Secret", b"secret\0", b"correct horse battery"] {
            assert_eq!(verifier.check_password(wrong), None, "{verifier:?}");
        }
    }
}

#[test]
fn stored_verifiers_are_parsed_or_refused() {
    let parse = |plugin, stored: &[u8]| Verifier::parse_stored(plugin, stored);
    let flow = |plugin, stored: &[u8]| parse(plugin, stored).map(|verifier| verifier.flow());
    let only = |method| Ok(Flow::Only(method));
    let native = NATIVE_STORED.as_bytes();
    assert_eq!(flow("mysql_native_password", native), only(Method::NativePassword));
    assert_eq!(flow("", native), only(Method::NativePassword));
    for (plugin, method, text) in [
        ("caching_sha2_password", Method::CachingSha2Password, unhex(MYSQL_CRYPT)),
        ("caching_sha2_password", Method::CachingSha2Password, unhex(MYSQL_PBKDF2)),
        ("sha256_password", Method::Sha256Password, unhex(MYSQL_SHA256)),
        ("ed25519", Method::CachingSha2Password, MARIADB_ED25519.to_vec()),
        ("parsec", Method::CachingSha2Password, MARIADB_PARSEC.to_vec()),
    ] {
        assert_eq!(flow(plugin, &text), only(method));
        for cut in 1..text.len() {
            let refused = Err(UnusableVerifier::Malformed { method: plugin });
            assert_eq!(flow(plugin, &text[..cut]), refused, "{plugin} cut at {cut}");
        }
        let longer = [&text[..], b"x"].concat();
        assert!(flow(plugin, &longer).is_err(), "{plugin}");
    }
    for plugin in ["mysql_native_password", "caching_sha2_password", "sha256_password", ""] {
        assert!(matches!(parse(plugin, b""), Ok(Verifier::Empty)));
    }
    for plugin in ["ed25519", "parsec"] {
        assert!(parse(plugin, b"").is_err(), "an account that nobody can log in to");
    }
    let malformed = |method| Err(UnusableVerifier::Malformed { method });
    let locked = b"*THISISNOTAVALIDPASSWORDTHATCANBEUSEDHERE";
    assert_eq!(flow("mysql_native_password", locked), malformed("mysql_native_password"));
    assert_eq!(flow("mysql_native_password", b"invalid"), malformed("mysql_native_password"));
    assert_eq!(flow("mysql_native_password", &native[..40]), malformed("mysql_native_password"));
    assert!(matches!(parse("pam", b"mariadb"), Ok(Verifier::Server)));
    assert!(matches!(parse("authentication_ldap_simple", b""), Ok(Verifier::Server)));
    let method = "unix_socket".to_owned();
    assert_eq!(flow("unix_socket", b""), Err(UnusableVerifier::Method { method }));
}

#[test]
fn parsec_takes_only_so_many_rounds() {
    let with_factor = |factor: u8| {
        let mut text = MARIADB_PARSEC.to_vec();
        text[1] = factor;
        Verifier::parse_stored("parsec", &text).is_ok()
    };
    assert!(with_factor(b'3'));
    assert!(!with_factor(b'4') && !with_factor(b'A') && !with_factor(0xff));
    let parameters = |factor| {
        let mut message = unhex(PARSEC_PARAMETERS);
        message[1] = factor;
        parsec::Parameters::decode(&message)
    };
    assert!(parameters(3).is_some() && parameters(4).is_none());
}

#[test]
fn verifiers_tell_their_form_without_a_label() {
    let method = |text: &str| Verifier::parse_unlabelled(text).map(|verifier| verifier.flow());
    let only = |method| Ok(Flow::Only(method));
    let text = |stored: &[u8]| String::from_utf8(stored.to_vec()).unwrap();
    assert_eq!(method(NATIVE_STORED), only(Method::NativePassword));
    assert_eq!(method(&text(&unhex(MYSQL_CRYPT))), only(Method::CachingSha2Password));
    assert_eq!(method(&text(&unhex(MYSQL_PBKDF2))), only(Method::CachingSha2Password));
    assert_eq!(method(&text(&unhex(MYSQL_SHA256))), only(Method::Sha256Password));
    assert_eq!(method(SECRET_SHA512), only(Method::Ed25519));
    for password_needed in [MARIADB_ED25519, MARIADB_PARSEC] {
        assert_eq!(method(&text(password_needed)), only(Method::CachingSha2Password));
    }
    for nothing in ["", "secret", "*2470", "$A$005$short", "$6$x", "P0:a:b", "0x2A", "ÿ"] {
        assert!(method(nothing).is_err(), "{nothing}");
    }
}

#[test]
fn signatures_are_those_of_mariadb() {
    let secret = ed25519::Secret::from_password(b"secret");
    let signature = unhex(ED25519_SIGNATURE);
    assert_eq!(secret.sign(&counting::<32>(1)).to_vec(), signature);
    assert_eq!(Some(secret.public_key()), ed25519::PublicKey::parse(MARIADB_ED25519));
    let credential = Credential::Ed25519(secret);
    for credential in [credential, Credential::password(b"secret")] {
        assert_eq!(credential.sign(&counting(1)).unwrap().to_vec(), signature);
    }

    let parameters = parsec::Parameters::decode(&unhex(PARSEC_PARAMETERS)).unwrap();
    let proof = parameters.prove(b"secret", &counting(1), &counting(33));
    assert_eq!(proof[..32], counting::<32>(33));
    assert_eq!(proof[32..], unhex(PARSEC_SIGNATURE));
    assert_eq!(parameters.encode().to_vec(), unhex(PARSEC_PARAMETERS));
}

fn signed(verifier: &Verifier, password: &[u8], nonce: u8) -> [Option<Credential>; 2] {
    let ed25519 = Signed::Ed25519 {
        nonce: counting(1),
        signature: ed25519::Secret::from_password(password).sign(&counting::<32>(nonce)),
    };
    let parameters = parsec::Parameters::made_up(b"key", "app");
    let proof = parameters.prove(password, &counting(nonce), &counting(33));
    let parsec = Signed::Parsec { parameters, nonce: counting(1), proof };
    [ed25519, parsec].map(|signed| verifier.check_signature(&signed))
}

#[test]
fn a_signature_proves_the_password_and_gives_nothing_away() {
    let password = Some(Credential::password(b"secret"));
    let known = Verifier::password(b"secret");
    assert_eq!(signed(&known, b"secret", 1), [password.clone(), password.clone()]);
    let secret = ed25519::Secret::from_password(b"secret");
    let half = Verifier::parse_ed25519_secret(SECRET_SHA512).unwrap();
    assert_eq!(signed(&half, b"secret", 1), [Some(Credential::Ed25519(secret)), None]);
    assert_eq!(
        signed(&Verifier::Empty, b"", 1),
        [Some(Credential::Empty), Some(Credential::Empty)]
    );
    for verifier in [known, half, Verifier::Empty] {
        assert_eq!(signed(&verifier, b"wrong", 1), [None, None]);
        assert_eq!(signed(&verifier, b"secret", 2), [None, None], "of another nonce");
    }
    // Who holds the public key checks nobody by it: such a login would lead nowhere.
    assert_eq!(signed(&stored("ed25519", MARIADB_ED25519), b"secret", 1), [None, None]);
}

#[test]
fn wrong_proofs_of_any_length_check_no_verifier() {
    for verifier in of_secret().into_iter().chain(of_nobody()) {
        for len in 0..64 {
            let proof = vec![0x5a; len];
            assert_eq!(verifier.check_native(&proof, NONCE), None);
            assert_eq!(verifier.check_sha2(&proof, NONCE), None);
        }
        assert_eq!(verifier.check_password(b"wrong"), None);
    }
}

#[test]
fn the_password_that_stands_in_for_nobody_lets_nobody_in() {
    let decoy = b"correct horse battery";
    let credential = Credential::password(decoy);
    for unknown in of_nobody() {
        assert_eq!(unknown.check_native(&credential.prove_native(NONCE).unwrap(), NONCE), None);
        assert_eq!(unknown.check_sha2(&credential.prove_sha2(NONCE).unwrap(), NONCE), None);
        assert_eq!(unknown.check_password(decoy), None);
        assert_eq!(signed(&unknown, decoy, 1), [None, None]);
    }
}

#[test]
fn one_of_several_is_enough() {
    let native = Verifier::parse_native(NATIVE_STORED).unwrap();
    let other = Verifier::Native(native_password::stage2(&native_password::stage1(b"other")));
    let two = Verifier::several(vec![other.clone(), native.clone()]).unwrap();
    assert_eq!(two.flow(), Flow::Only(Method::NativePassword));
    let credential = two.check_native(&unhex(NATIVE_PROOF), NONCE);
    assert_eq!(credential, Some(Credential::NativeStage1(native_password::stage1(b"secret"))));

    let ed25519 = stored("ed25519", MARIADB_ED25519);
    let mixed = Verifier::several(vec![ed25519, other, Verifier::Server]).unwrap();
    assert_eq!(mixed.flow(), Flow::Only(Method::CachingSha2Password));
    for password in [&b"secret"[..], b"other"] {
        assert_eq!(mixed.check_password(password), Some(Credential::password(password)));
    }
    assert!(mixed.asks_servers() && !two.asks_servers());
    assert!(Verifier::several(Vec::new()).is_none());
    assert!(matches!(Verifier::several(vec![native]), Some(Verifier::Native(_))));
}

#[test]
fn a_stamp_changes_with_the_password_and_the_key() {
    let verifiers = of_secret();
    let stamps: std::collections::HashSet<_> =
        verifiers.iter().map(|verifier| verifier.stamp(b"key").unwrap()).collect();
    // What was learned has the stamp of its hash.
    assert_eq!(stamps.len(), verifiers.len() - 1);
    let other_key = verifiers.iter().map(|verifier| verifier.stamp(b"other").unwrap());
    assert!(other_key.into_iter().all(|stamp| !stamps.contains(&stamp)));
    assert_eq!(
        Verifier::password(b"secret").stamp(b"key"),
        verifiers.last().unwrap().stamp(b"key")
    );
    assert_eq!(Verifier::Server.stamp(b"key"), None);
}

#[test]
fn a_login_begins_with_what_gives_no_password_away() {
    use Method::{CachingSha2Password, Ed25519, NativePassword};
    let begun = |credential: &Credential, preferred| credential.begin(preferred, NONCE).0;
    let password = Credential::password(b"secret");
    for method in Method::ALL {
        let expected = match method {
            CachingSha2Password | Method::Sha256Password => CachingSha2Password,
            _ => NativePassword,
        };
        assert_eq!(begun(&password, Some(method)), expected);
    }
    let stage1 = Credential::NativeStage1(native_password::stage1(b"secret"));
    assert_eq!(begun(&stage1, Some(CachingSha2Password)), NativePassword);
    let digest1 = Credential::Sha2Digest1(caching_sha2::digest1(b"secret"));
    assert_eq!(begun(&digest1, None), CachingSha2Password);
    let signing = Credential::Ed25519(ed25519::Secret::from_password(b"secret"));
    assert_eq!(signing.begin(None, NONCE), (Ed25519, Vec::new()));
}

#[test]
fn debug_shows_no_secret() {
    let shown: Vec<_> = of_secret().iter().map(|verifier| format!("{verifier:?}")).collect();
    let names = [
        "Native(..)",
        "Sha2Digest2(..)",
        "Ed25519(..)",
        "Hash(..)",
        "Hash(..)",
        "Hash(..)",
        "Hash(..)",
        "Hash(..)",
        "Learned(..)",
        "Several(..)",
        "Password(..)",
    ];
    assert_eq!(shown, names);
    let secret = ed25519::Secret::from_password(b"secret");
    let credentials = [
        Credential::password(b"secret"),
        Credential::NativeStage1(native_password::stage1(b"secret")),
        Credential::Ed25519(secret.clone()),
    ];
    let shown = format!("{credentials:?} {secret:?}");
    assert_eq!(shown, "[Password(..), NativeStage1(..), Ed25519(..)] Secret(..)");
    let hash = Sha256Crypt::parse(&crypt_stored()).map(Hash::Crypt);
    assert_eq!(format!("{hash:?}"), "Some(Crypt(Sha256Crypt { rounds: 5000, .. }))");
}
