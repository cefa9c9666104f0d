use super::*;
use crate::auth::{Flow, Verifier, caching_sha2, native_password};
use crate::compression::Algorithm;
use crate::frame::Packets;

fn offer(tls: ClientTls) -> Offer {
    Offer {
        server_version: "8.0.36-tidegate".to_owned(),
        connection_id: 7,
        nonce: *b"abcdefghijklmnopqrst",
        long_nonce: *b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
        capabilities: crate::capabilities::SUPPORTED_BY_CLIENT_SIDE,
        method: Method::CachingSha2Password,
        tls,
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        client_host: "10.0.0.9".to_owned(),
        public_key: Some("-----BEGIN PUBLIC KEY-----".into()),
        decoy_key: DecoyKey([7; 32]),
    }
}

fn packet(sequence: u8, payload: &[u8]) -> Packet {
    Packet { sequence, payload: BytesMut::from(payload) }
}

#[test]
fn the_greeting_says_whether_there_is_tls() {
    for (tls, offered) in
        [(ClientTls::Off, false), (ClientTls::Prefer, true), (ClientTls::Require, true)]
    {
        let mut out = BytesMut::new();
        start(offer(tls), &mut out);
        let greeting = Packets::new(PACKET_MAX).next(&mut out).unwrap().unwrap();
        let greeting = Greeting::decode(&greeting.payload).unwrap();
        assert_eq!(greeting.capabilities.contains(Capabilities::SSL), offered);
        assert_eq!((greeting.connection_id, &greeting.nonce), (7, b"abcdefghijklmnopqrst"));
    }
}

#[test]
fn a_packet_out_of_order_is_answered_with_1156() {
    let refusal =
        start(offer(ClientTls::Off), &mut BytesMut::new()).on_packet(packet(3, b"x")).unwrap_err();
    assert_eq!(refusal.reason.as_str(), "violation");
    assert_eq!((refusal.error.code, refusal.sequence), (1156, 4));
}

#[test]
fn nonsense_is_answered_with_1043() {
    for nonsense in [&b""[..], b"\x00", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 40]] {
        let refusal = start(offer(ClientTls::Off), &mut BytesMut::new())
            .on_packet(packet(1, nonsense))
            .unwrap_err();
        assert_eq!((refusal.error.code, refusal.sequence), (1043, 2), "{nonsense:?}");
        let mut out = BytesMut::new();
        refusal.write(&mut out);
        assert_eq!(out[3..7], [2, 0xff, 0x13, 0x04]);
        assert_eq!(&out[7..13], b"#08S01");
    }
}

/// A client that is none of ours, up to the verdict on its response.
fn respond(
    tls: bool,
    change: impl FnOnce(&mut HandshakeResponse),
    verifier: Verifier,
) -> (Auth, BytesMut) {
    let mut response = HandshakeResponse {
        capabilities: crate::capabilities::SUPPORTED_BY_CLIENT_SIDE,
        max_packet: 1 << 24,
        collation: 45,
        user: "app".to_owned(),
        proof: Vec::new(),
        database: None,
        method: Some(Method::CachingSha2Password.name().to_owned()),
        attributes: Vec::new(),
        zstd_level: 0,
    };
    change(&mut response);
    let mut payload = BytesMut::new();
    response.encode(&mut payload);
    let mut expect = start(offer(ClientTls::Prefer), &mut BytesMut::new());
    expect.encrypted = tls;
    let Ok(Step::Identified(identified)) = expect.on_packet(Packet { sequence: 1, payload }) else {
        panic!("the response is valid");
    };
    let mut out = BytesMut::new();
    (identified.verify(verifier, &mut out).unwrap(), out)
}

fn go_on(auth: Auth, packet: Packet) -> (Auth, BytesMut) {
    let Auth::Continue(next) = auth else { panic!("{auth:?}") };
    let mut out = BytesMut::new();
    (next.on_packet(packet, &mut out).unwrap(), out)
}

fn refusal(auth: Auth) -> Refusal {
    match auth {
        Auth::Mismatch(mismatch) => mismatch.refuse(),
        Auth::Denied(refusal) => refusal,
        _ => panic!("{auth:?}"),
    }
}

fn sha2_verifier() -> Verifier {
    Verifier::Sha2Digest2(caching_sha2::digest2(&caching_sha2::digest1(b"secret")))
}

fn native_verifier() -> Verifier {
    Verifier::Native(native_password::stage2(&native_password::stage1(b"secret")))
}

/// Some drivers hash the nonce before the digest.
#[test]
fn a_proof_of_the_wrong_order_leads_to_full_authentication() {
    let misread = |response: &mut HandshakeResponse| response.proof = vec![0x5a; 32];
    let (auth, out) = respond(true, misread, sha2_verifier());
    assert_eq!(&out[..], [2, 0, 0, 2, 1, 4]);
    let Auth::Continue(next) = auth else { panic!("{auth:?}") };
    let auth = next.on_packet(packet(3, b"secret\0"), &mut BytesMut::new()).unwrap();
    let Auth::Accepted(accepted) = auth else { panic!("{auth:?}") };
    assert_eq!((accepted.credential, accepted.sequence), (Credential::password(b"secret"), 4));
}

#[test]
fn the_fast_path_is_told_before_the_result() {
    let prove = |response: &mut HandshakeResponse| {
        let nonce = offer(ClientTls::Off).nonce;
        response.proof = caching_sha2::prove(&caching_sha2::digest1(b"secret"), &nonce).to_vec();
    };
    let (auth, out) = respond(false, prove, sha2_verifier());
    assert_eq!(&out[..], [2, 0, 0, 2, 1, 3]);
    assert!(matches!(auth, Auth::Accepted(Accepted { sequence: 3, .. })));
}

#[test]
fn a_client_that_waits_for_its_method_is_asked() {
    // Its own default is not what we offered, and so it has sent nothing yet.
    let waits = |response: &mut HandshakeResponse| {
        response.method = Some(Method::NativePassword.name().to_owned());
    };
    let (auth, out) = respond(false, waits, native_verifier());
    assert_eq!(&out[4..], b"\xfemysql_native_password\0abcdefghijklmnopqrst\0");
    let Auth::Continue(next) = auth else { panic!("{auth:?}") };
    let proof =
        native_password::prove(&native_password::stage1(b"secret"), b"abcdefghijklmnopqrst");
    let auth = next.on_packet(packet(3, &proof), &mut BytesMut::new()).unwrap();
    assert!(matches!(auth, Auth::Accepted(Accepted { sequence: 4, .. })));
}

#[test]
fn no_password_may_be_a_nul() {
    let nul = |response: &mut HandshakeResponse| response.proof = vec![0];
    let (auth, _) = respond(false, nul, Verifier::Empty);
    assert!(matches!(auth, Auth::Accepted(Accepted { credential: Credential::Empty, .. })));
    let (auth, _) = respond(false, nul, sha2_verifier());
    let refusal = refusal(auth);
    assert!(refusal.error.message.ends_with("(using password: NO)"), "{refusal}");
}

#[test]
fn a_client_without_methods_to_choose_from_has_the_native_one() {
    let old = |proof: Vec<u8>| {
        move |response: &mut HandshakeResponse| {
            response.capabilities.remove(Capabilities::PLUGIN_AUTH);
            response.proof = proof;
        }
    };
    let proof =
        native_password::prove(&native_password::stage1(b"secret"), b"abcdefghijklmnopqrst");
    let (auth, _) = respond(false, old(proof.to_vec()), native_verifier());
    assert!(matches!(auth, Auth::Accepted(_)));
    let (auth, out) = respond(false, old(proof.to_vec()), sha2_verifier());
    let refusal = refusal(auth);
    assert_eq!((refusal.reason, refusal.error.code), (Reason::MethodUnsupported, 1251));
    assert!(out.is_empty());
}

#[test]
fn a_password_without_its_nul_breaks_the_protocol() {
    let wrong = |response: &mut HandshakeResponse| response.proof = vec![1; 32];
    for password in [&b"secret"[..], b""] {
        let (auth, _) = respond(true, wrong, sha2_verifier());
        let Auth::Continue(next) = auth else { panic!("{auth:?}") };
        let refusal = next.on_packet(packet(3, password), &mut BytesMut::new()).unwrap_err();
        assert_eq!((refusal.error.code, refusal.sequence), (1043, 4));
    }
}

fn password_verifier() -> Verifier {
    Verifier::password(b"secret")
}

/// MariaDB's client library has no fast path over TLS.
#[test]
fn a_password_that_comes_at_once_over_tls_is_taken() {
    let long = [b'x'; 31];
    for password in [&b"secret"[..], &long] {
        let tells = |response: &mut HandshakeResponse| response.proof = [password, b"\0"].concat();
        let digest2 = caching_sha2::digest2(&caching_sha2::digest1(password));
        let (auth, out) = respond(true, tells, Verifier::Sha2Digest2(digest2));
        assert!(out.is_empty(), "it waits for OK and nothing else");
        let Auth::Accepted(accepted) = auth else { panic!("{auth:?}") };
        assert_eq!(accepted.credential, Credential::password(password));
    }
    let tells = |response: &mut HandshakeResponse| response.proof = b"wrong\0".to_vec();
    let (auth, out) = respond(true, tells, sha2_verifier());
    assert!(out.is_empty() && refusal(auth).reason == Reason::AccessDenied);
    // Nobody is encouraged to do so in clear.
    let tells = |response: &mut HandshakeResponse| response.proof = b"secret\0".to_vec();
    let (auth, out) = respond(false, tells, sha2_verifier());
    assert_eq!(&out[..], [2, 0, 0, 2, 1, 4]);
    assert!(matches!(auth, Auth::Continue(_)));
}

#[test]
fn a_client_that_has_our_key_need_not_ask_for_it() {
    let misread = |response: &mut HandshakeResponse| response.proof = vec![0x5a; 32];
    let (auth, _) = respond(false, misread, sha2_verifier());
    let (auth, out) = go_on(auth, packet(3, &[9; 256]));
    assert!(out.is_empty());
    let Auth::Decrypt(next) = auth else { panic!("{auth:?}") };
    assert_eq!(next.ciphertext(), [9; 256]);
    let masked: Vec<u8> =
        b"secret\0".iter().zip(b"abcdefg").map(|(byte, nonce)| byte ^ nonce).collect();
    let auth = next.decrypted(Some(masked.into()), &mut BytesMut::new());
    assert!(matches!(auth, Auth::Accepted(Accepted { sequence: 4, .. })), "{auth:?}");
}

#[test]
fn our_key_is_sent_to_who_asks() {
    let ask = |auth: Auth, sequence, request: &[u8]| {
        let (auth, out) = go_on(auth, packet(sequence, request));
        assert_eq!(&out[4..], b"\x01-----BEGIN PUBLIC KEY-----");
        let (auth, _) = go_on(auth, packet(sequence + 2, b"nonsense"));
        let Auth::Decrypt(next) = auth else { panic!("{auth:?}") };
        next
    };
    let misread = |response: &mut HandshakeResponse| response.proof = vec![0x5a; 32];
    let next = ask(respond(false, misread, sha2_verifier()).0, 3, &[2]);
    let refusal = refusal(next.decrypted(None, &mut BytesMut::new()));
    assert_eq!((refusal.reason, refusal.sequence), (Reason::AccessDenied, 6));

    let by_sha256 = Verifier::password_by(b"secret", Flow::Only(Method::Sha256Password));
    let (auth, out) = respond(false, |_| (), by_sha256);
    assert_eq!(&out[4..], b"\xfesha256_password\0abcdefghijklmnopqrst\0");
    let next = ask(auth, 3, &[1]);
    let without_nul = Some(b"password".to_vec().into());
    assert!(matches!(next.decrypted(without_nul, &mut BytesMut::new()), Auth::Denied(_)));
}

#[test]
fn a_client_takes_any_of_our_methods() {
    for (name, data) in [
        ("client_ed25519", &b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[..]),
        ("parsec", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"),
        ("sha256_password", b"abcdefghijklmnopqrst\0"),
        // These are not, and it is asked for the one that we offer.
        ("mysql_clear_password", b"abcdefghijklmnopqrst\0"),
        ("dialog", b"abcdefghijklmnopqrst\0"),
        ("authentication_kerberos_client", b"abcdefghijklmnopqrst\0"),
    ] {
        let takes = |response: &mut HandshakeResponse| response.method = Some(name.to_owned());
        let (auth, out) = respond(true, takes, password_verifier());
        let known = Method::from_name(name).is_some();
        let ours = known && !["mysql_clear_password", "dialog"].contains(&name);
        let asked = if ours { name } else { "caching_sha2_password" };
        assert_eq!(&out[4..], [b"\xfe", asked.as_bytes(), b"\0", data].concat(), "{name}");
        assert!(matches!(auth, Auth::Continue(_)));
    }
}

#[test]
fn parsec_tells_its_parameters_to_an_empty_packet_only() {
    let by_parsec = || Verifier::password_by(b"secret", Flow::Only(Method::Parsec));
    let (auth, out) = go_on(respond(false, |_| (), by_parsec()).0, packet(3, b""));
    assert_eq!((out.len(), &out[4..7]), (25, &b"\x01P\0"[..]));
    let Auth::Continue(next) = auth else { panic!("{auth:?}") };
    let short = next.on_packet(packet(5, &[1; 95]), &mut BytesMut::new()).unwrap_err();
    assert_eq!((short.error.code, short.sequence), (1043, 6));

    let Auth::Continue(next) = respond(false, |_| (), by_parsec()).0 else { panic!("asked") };
    let eager = next.on_packet(packet(3, &[1; 96]), &mut BytesMut::new()).unwrap_err();
    assert_eq!((eager.error.code, eager.sequence), (1043, 4));
}

#[test]
fn signatures_have_one_length() {
    for len in [0, 63, 65] {
        let by_ed25519 = Verifier::password_by(b"secret", Flow::Only(Method::Ed25519));
        let Auth::Continue(next) = respond(false, |_| (), by_ed25519).0 else { panic!("asked") };
        let refusal = next.on_packet(packet(3, &vec![1; len]), &mut BytesMut::new()).unwrap_err();
        assert_eq!((refusal.error.code, refusal.sequence), (1043, 4));
    }
}

#[test]
fn what_may_take_long_says_so() {
    let slow = |tls, verifier| {
        let misread = |response: &mut HandshakeResponse| response.proof = vec![0x5a; 32];
        match respond(tls, misread, verifier).0 {
            Auth::Continue(next) => next.is_slow(),
            auth => panic!("{auth:?}"),
        }
    };
    let by = |method| Verifier::password_by(b"secret", Flow::Only(method));
    assert!(slow(true, sha2_verifier()), "full authentication");
    assert!(slow(true, by(Method::Sha256Password)) && slow(true, by(Method::Parsec)));
    assert!(!slow(true, by(Method::Ed25519)) && !slow(true, native_verifier()));
}

#[test]
fn debug_shows_no_password() {
    let tells = |response: &mut HandshakeResponse| response.proof = b"hunter2\0".to_vec();
    let (auth, _) = respond(true, tells, sha2_verifier());
    let shown = format!("{auth:?} {:?}", b"hunter2");
    let bytes = format!("{:?}", b"hunter2");
    assert!(shown.matches(&bytes[1..bytes.len() - 1]).count() == 1, "{shown}");
    assert!(!shown.contains("7, 7, 7"), "{shown}");
}

#[test]
fn tls_is_asked_for_once_and_only_where_there_is_some() {
    let mut payload = BytesMut::new();
    let capabilities = Capabilities::PROTOCOL_41 | Capabilities::SSL;
    SslRequest { capabilities, max_packet: 0, collation: 45 }.encode(&mut payload);
    let request = |sequence| Packet { sequence, payload: payload.clone() };
    let expect = start(offer(ClientTls::Off), &mut BytesMut::new());
    assert_eq!(expect.on_packet(request(1)).unwrap_err().error.code, 1043);
    let expect = start(offer(ClientTls::Require), &mut BytesMut::new());
    let Ok(Step::UpgradeTls(next)) = expect.on_packet(request(1)) else { panic!("TLS is offered") };
    assert_eq!(next.on_packet(request(2)).unwrap_err().error.code, 1043);
}

#[test]
fn only_what_was_offered_is_agreed() {
    let mut payload = BytesMut::new();
    let offered = crate::capabilities::SUPPORTED_BY_CLIENT_SIDE;
    let wanted = (offered | Capabilities::LOCAL_FILES | Capabilities::COMPRESS)
        .difference(Capabilities::DEPRECATE_EOF | Capabilities::CONNECT_ATTRS);
    HandshakeResponse {
        capabilities: wanted,
        max_packet: 1 << 24,
        collation: 45,
        user: "app".to_owned(),
        proof: Vec::new(),
        database: None,
        method: None,
        attributes: Vec::new(),
        zstd_level: 0,
    }
    .encode(&mut payload);
    let expect = start(offer(ClientTls::Prefer), &mut BytesMut::new());
    let Ok(Step::Identified(identified)) = expect.on_packet(Packet { sequence: 1, payload }) else {
        panic!("the response is valid");
    };
    let agreed = offered.difference(Capabilities::DEPRECATE_EOF | Capabilities::CONNECT_ATTRS);
    assert_eq!(identified.login().capabilities, agreed);
}

#[test]
fn compression_is_agreed_on_where_both_sides_can() {
    let (zlib, zstd) = (Capabilities::COMPRESS, Capabilities::ZSTD_COMPRESSION);
    let agreed = |offered: Capabilities, wanted: Capabilities| {
        let mut offer = offer(ClientTls::Prefer);
        offer.capabilities |= offered;
        let response = HandshakeResponse {
            capabilities: crate::capabilities::SUPPORTED_BY_CLIENT_SIDE | wanted,
            max_packet: 1 << 24,
            collation: 45,
            user: "app".to_owned(),
            proof: Vec::new(),
            database: None,
            method: Some(Method::NativePassword.name().to_owned()),
            attributes: Vec::new(),
            zstd_level: 5,
        };
        let mut payload = BytesMut::new();
        response.encode(&mut payload);
        let expect = start(offer, &mut BytesMut::new());
        let step = expect.on_packet(Packet { sequence: 1, payload });
        let Ok(Step::Identified(identified)) = step else {
            panic!("the response is valid");
        };
        identified.login().compression
    };
    assert_eq!(agreed(zlib | zstd, zstd), Some(Algorithm::Zstd { level: 5 }));
    assert_eq!(agreed(zlib | zstd, zlib), Some(Algorithm::Zlib));
    assert_eq!(agreed(zlib, zlib | zstd), Some(Algorithm::Zlib));
    assert_eq!(agreed(zlib, zstd), None);
    assert_eq!(agreed(Capabilities::empty(), zlib | zstd), None);
    assert_eq!(agreed(zlib | zstd, Capabilities::empty()), None);
}
