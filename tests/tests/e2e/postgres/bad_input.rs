//! Peers that break the protocol, by accident or on purpose: an error or a clean close, never harm.

use std::time::{Duration, Instant};

use tidegate_tests::clients::Login;
use tidegate_tests::raw_postgres::{
    Message, RawPostgres, VERSION, cancel, extended, message, packet, request, startup,
};
use tidegate_tests::{PATIENCE, PostgresPair, Setup, Tidegate, wait_for};

use super::support::{assert_unharmed, tags};
use crate::noise::Noise;

fn setup() -> Setup {
    Setup::single(&PostgresPair::shared().primary)
}

fn login(tidegate: &Tidegate) -> Login<'_> {
    Login::app(tidegate.port(), "app")
}

/// Sends bytes, says no more, and returns what comes until the close.
fn answer_to(tidegate: &Tidegate, bytes: &[u8]) -> Vec<u8> {
    let mut client = RawPostgres::connect(tidegate.port()).unwrap();
    // The proxy may close before it has read everything.
    let _ = client.send_bytes(bytes);
    let _ = client.finish();
    client.read_to_close().expect("an end of the connection")
}

/// The SQLSTATE of the error that bytes end with.
fn last_state(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    let mut state = None;
    while let [tag, a, b, c, d, after @ ..] = rest {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?.checked_sub(4)?;
        let body = after.get(..length)?.to_vec();
        state = Message { tag: *tag, body }.state();
        rest = &after[length..];
    }
    state
}

#[tokio::test]
async fn random_bytes_harm_nobody() {
    let tidegate = Tidegate::start(setup().client_tls("prefer").listener("login_timeout = \"2s\""));
    let mut noise = Noise::new(1);
    for length in 0..150 {
        answer_to(&tidegate, &noise.bytes(length * 3));
        answer_to(&tidegate, &packet(&noise.bytes(length)));
        let version = VERSION.to_be_bytes();
        answer_to(&tidegate, &packet(&[&version[..], &noise.bytes(length)].concat()));
    }
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_startup_cut_or_changed_anywhere_harms_nobody() {
    let tidegate = Tidegate::start(setup().listener("login_timeout = \"2s\""));
    let whole = startup(VERSION, &[("user", "app"), ("database", "app"), ("options", "-c a=b")]);
    let mut noise = Noise::new(2);
    for at in 0..whole.len() {
        answer_to(&tidegate, &whole[..at]);
        let mut changed = whole.clone();
        changed[at] ^= noise.byte() | 1;
        answer_to(&tidegate, &changed);
    }
    assert_unharmed(&tidegate).await;
}

#[test]
fn a_startup_that_claims_to_be_huge_or_impossible_is_refused_at_once() {
    let tidegate = Tidegate::start(setup());
    for length in [0_u32, 3, 4, 7, 100_000, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let started = Instant::now();
        let mut client = RawPostgres::connect(tidegate.port()).unwrap();
        client.send_bytes(&[length.to_be_bytes(), VERSION.to_be_bytes()].concat()).unwrap();
        let answer = client.read_to_close().unwrap();
        assert!(answer.len() < 300, "{length}: {answer:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{length}: the claim was believed");
    }
}

#[test]
fn other_versions_are_refused_and_newer_minor_ones_negotiated() {
    let tidegate = Tidegate::start(setup());
    let parameters = [("user", "app"), ("database", "app")];
    for version in [1 << 16, 2 << 16, 4 << 16, 0] {
        let answer = answer_to(&tidegate, &startup(version, &parameters));
        assert_eq!(last_state(&answer).as_deref(), Some("0A000"), "{version:#x}: {answer:?}");
    }
    let mut client = RawPostgres::connect(tidegate.port()).unwrap();
    let unknown = [("user", "app"), ("database", "app"), ("_pq_.unheard_of", "1")];
    client.send_bytes(&startup(VERSION | 99, &unknown)).unwrap();
    let negotiated = client.read().unwrap();
    assert_eq!(negotiated.tag, b'v', "{negotiated:?}");
    assert!(String::from_utf8_lossy(&negotiated.body).contains("_pq_.unheard_of"));
    assert_eq!(client.read().unwrap().tag, b'R');
}

#[test]
fn a_startup_without_a_user_is_refused() {
    let tidegate = Tidegate::start(setup());
    for parameters in [&[][..], &[("database", "app")], &[("user", "")]] {
        let answer = answer_to(&tidegate, &startup(VERSION, parameters));
        let state = last_state(&answer).unwrap_or_default();
        assert!(matches!(&*state, "28000" | "08P01"), "{state}: {answer:?}");
    }
}

/// What came before TLS began may be an attacker's: nothing of it may be taken for the client's.
#[test]
fn bytes_in_clear_behind_a_request_for_tls_are_never_used() {
    let tidegate = Tidegate::start(setup().client_tls("prefer"));
    let mut client = RawPostgres::connect(tidegate.port()).unwrap();
    let injected = startup(VERSION, &[("user", "app"), ("database", "app")]);
    client.send_bytes(&[packet(&request::TLS.to_be_bytes()), injected].concat()).unwrap();
    let answer = client.read_to_close().unwrap();
    // It may have said that it is ready for TLS; that it asks for a proof, it may not.
    assert!(!answer.contains(&b'R'), "{answer:?}");
}

#[test]
fn encryption_that_is_not_to_be_had_is_declined_once_and_the_login_goes_on() {
    let tidegate = Tidegate::start(setup());
    let mut client = RawPostgres::connect(tidegate.port()).unwrap();
    for wanted in [request::GSS, request::TLS] {
        client.send_bytes(&packet(&wanted.to_be_bytes())).unwrap();
        assert_eq!(client.read_byte().unwrap(), b'N');
    }
    client.send_bytes(&startup(VERSION, &[("user", "app"), ("database", "app")])).unwrap();
    assert_eq!(client.read().unwrap().tag, b'R');
    // Whoever asks again and again is no client.
    let again = packet(&request::TLS.to_be_bytes()).repeat(1000);
    assert!(answer_to(&tidegate, &again).len() < 400);
}

#[test]
fn a_login_byte_by_byte_succeeds_and_one_that_stalls_is_ended() {
    let tidegate = Tidegate::start(setup().listener("login_timeout = \"1s\""));
    let mut client = RawPostgres::connect(tidegate.port()).unwrap();
    for byte in startup(VERSION, &[("user", "app"), ("database", "app")]) {
        client.send_bytes(&[byte]).unwrap();
    }
    assert_eq!(client.read().unwrap().tag, b'R');
    let started = Instant::now();
    client.read_to_close().unwrap();
    let mut client = RawPostgres::connect(tidegate.port()).unwrap();
    client.send_bytes(&[0, 0, 0]).unwrap();
    client.read_to_close().unwrap();
    assert!(started.elapsed() < PATIENCE / 2, "a client that stalls is kept for ever");
}

#[test]
fn proofs_that_are_none_are_refused() {
    let tidegate = Tidegate::start(setup());
    let begin = startup(VERSION, &[("user", "app"), ("database", "app")]);
    let nonce = b"n,,n=,r=abc";
    let first = [&b"SCRAM-SHA-256\0\0\0\0\x0b"[..], nonce].concat();
    let endings: [Vec<Vec<u8>>; 7] = [
        vec![message(b'p', b"")],
        vec![message(b'p', b"SCRAM-SHA-1\0\0\0\0\0")],
        vec![message(b'p', b"SCRAM-SHA-256\0\x7f\xff\xff\xff")],
        vec![message(b'p', &first), message(b'p', b"c=biws,r=abc,p=AAAA")],
        vec![message(b'p', &first), message(b'p', b"")],
        vec![message(b'Q', b"select 1\0")],
        vec![b"p\x7f\xff\xff\xff".to_vec()],
    ];
    for messages in endings {
        let mut client = RawPostgres::connect(tidegate.port()).unwrap();
        client.send_bytes(&begin).unwrap();
        assert_eq!(client.read().unwrap().tag, b'R');
        for (number, message) in messages.iter().enumerate() {
            if number > 0 {
                client.read().unwrap();
            }
            client.send_bytes(message).unwrap();
        }
        let _ = client.finish();
        let answer = client.read_to_close().unwrap();
        let state = last_state(&answer).unwrap_or_default();
        assert!(matches!(&*state, "08P01" | "28P01" | "28000" | "54000"), "{messages:?}: {state}");
    }
}

#[tokio::test]
async fn messages_that_are_none_end_the_session_with_an_error() {
    let tidegate = Tidegate::start(setup().listener("max_packet = \"1MiB\""));
    let cases: [(&str, Vec<u8>, &[&str]); 6] = [
        ("an unknown type", message(b'z', b""), &["08P01"]),
        ("a length of 0", b"Q\0\0\0\0".to_vec(), &["08P01"]),
        ("a length of 3", b"Q\0\0\0\x03".to_vec(), &["08P01"]),
        ("a negative length", b"Q\xff\xff\xff\xff".to_vec(), &["08P01", "54000"]),
        ("more than the limit", b"Q\0\x20\0\0".to_vec(), &["08P01", "54000"]),
        ("a startup", startup(VERSION, &[("user", "app")]), &["08P01", "54000"]),
    ];
    for (what, bytes, states) in cases {
        let mut client = RawPostgres::login(login(&tidegate)).unwrap();
        client.send_bytes(&bytes).unwrap();
        let answer = client.read_to_close().unwrap();
        let state = last_state(&answer).unwrap_or_else(|| panic!("{what}: {answer:?}"));
        assert!(states.contains(&&*state), "{what}: {state}");
    }
    assert_unharmed(&tidegate).await;
}

/// A server takes some of these as errors of the statement, others as the end of the session: either
/// is well, if the client is told.
#[tokio::test]
async fn bodies_that_are_cut_short_get_an_error() {
    let tidegate = Tidegate::start(setup());
    let bodies: [(u8, &[u8]); 13] = [
        (b'Q', b""),
        (b'Q', b"select 1"),
        (b'P', b""),
        (b'P', b"s\0select 1"),
        (b'P', b"\0select 1\0\x7f\xff"),
        (b'B', b""),
        (b'B', b"\0\0\0\x01"),
        (b'B', b"\0\0\0\0\x7f\xff\0\0"),
        (b'D', b""),
        (b'D', b"X\0"),
        (b'E', b"\0\0"),
        (b'C', b"S"),
        (b'F', b"\0"),
    ];
    for (tag, body) in bodies {
        let mut client = RawPostgres::login(login(&tidegate)).unwrap();
        client.send(tag, body).unwrap();
        client.send_bytes(&extended::sync()).unwrap();
        let answer = client.read_answer().unwrap();
        let state = answer.iter().find_map(Message::state);
        let shown = (char::from(tag), body);
        assert!(
            matches!(state.as_deref(), Some("08P01" | "22023" | "26000" | "42601" | "42883")),
            "{shown:?}: {answer:?}"
        );
    }
    assert_unharmed(&tidegate).await;
}

#[test]
fn what_refers_to_nothing_gets_the_errors_that_the_server_has_for_it() {
    let pair = PostgresPair::shared();
    let tidegate = Tidegate::start(setup().pool("{ mode = \"transaction\", max = 2 }"));
    let direct = Login::app(pair.primary.port(), "app");
    for login in [direct, login(&tidegate)] {
        let mut client = RawPostgres::login(login).unwrap();
        let mut ask = |bytes: &[Vec<u8>]| {
            client.send_bytes(&bytes.concat()).unwrap();
            tags(&client.read_answer().unwrap())
        };
        let sync = extended::sync();
        assert_eq!(ask(&[extended::bind("", "none", &[]), sync.clone()]), "E26000 ZI");
        assert_eq!(ask(&[extended::describe("none"), sync.clone()]), "E26000 ZI");
        assert_eq!(ask(&[extended::execute("none", 0), sync.clone()]), "E34000 ZI");
        assert_eq!(ask(&[extended::close("none"), sync.clone()]), "3 ZI");
        // Everything behind an error is passed over, up to the end of the group.
        let select = |number: u32| extended::parse("", &format!("select {number}"));
        assert_eq!(
            ask(&[
                select(1),
                extended::bind("", "none", &[]),
                extended::execute("", 0),
                extended::close("none"),
                select(2),
                sync.clone(),
            ]),
            "1 E26000 ZI"
        );
        assert_eq!(ask(std::slice::from_ref(&sync)), "ZI");
        // Data that nobody copies is dropped without a word.
        let stray = [message(b'd', b"x"), message(b'c', b""), message(b'f', b"no\0")].concat();
        assert_eq!(ask(&[stray, sync.clone()]), "ZI");
        let twice = [extended::parse("s", "select 1"), extended::parse("s", "select 1"), sync];
        assert_eq!(ask(&twice), "1 E42P05 ZI");
    }
}

#[tokio::test]
async fn messages_of_random_bytes_harm_nobody() {
    let tidegate = Tidegate::start(setup().pool("{ mode = \"transaction\", max = 4 }"));
    let mut noise = Noise::new(3);
    let kinds = b"QPBDECSHFdcfpX";
    for _ in 0..150 {
        let mut client =
            RawPostgres::login(login(&tidegate)).expect("the proxy still lets people in");
        let mut sent = Vec::new();
        for _ in 0..6 {
            let length = usize::from(noise.byte() % 40);
            let tag = kinds[usize::from(noise.byte()) % kinds.len()];
            let mut body = noise.bytes(length);
            if noise.byte().is_multiple_of(2) {
                body.extend([0, 0, 0]);
            }
            sent.push((char::from(tag), body.clone()));
            if client.send(tag, &body).is_err() {
                break;
            }
        }
        let _ = client.finish();
        client.read_to_close().unwrap_or_else(|error| panic!("{error}: {sent:?}"));
    }
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_flood_of_cancellations_with_wrong_keys_ends_nothing() {
    let tidegate = Tidegate::start(setup());
    let mut client = RawPostgres::login(login(&tidegate)).unwrap();
    client.send(b'Q', b"select pg_sleep(1), 'flooded'\0").unwrap();
    let mut noise = Noise::new(4);
    for round in 0..300 {
        // Half of them know the session and not its secret.
        let mut key = client.key.clone();
        let known = if round % 2 == 0 { 4 } else { 0 };
        let secret = noise.bytes(key.len() - known);
        key[known..].copy_from_slice(&secret);
        assert_eq!(cancel(tidegate.port(), &key).unwrap(), b"");
    }
    // Those whose keys are no keys.
    for length in [0, 1, 4, 7, 9, 200] {
        cancel(tidegate.port(), &noise.bytes(length)).unwrap();
    }
    assert_eq!(tags(&client.read_answer().unwrap()), "T D CSELECT 1 ZI");
    assert_unharmed(&tidegate).await;
}

#[test]
fn clients_beyond_the_limit_are_told_so() {
    let tidegate = Tidegate::start(setup().listener("max_sessions = 2"));
    let first = RawPostgres::login(login(&tidegate)).unwrap();
    let mut second = RawPostgres::login(login(&tidegate)).unwrap();
    let answer = answer_to(&tidegate, &startup(VERSION, &[("user", "app"), ("database", "app")]));
    assert_eq!(last_state(&answer).as_deref(), Some("53300"), "{answer:?}");
    assert_eq!(tags(&second.query("select 1").unwrap()), "T D CSELECT 1 ZI");
    drop(first);
    wait_for("room for another", || RawPostgres::login(login(&tidegate)).ok());
}

#[tokio::test]
async fn a_client_that_floods_without_reading_is_held_back() {
    let tidegate = Tidegate::start(setup());
    let mut client = RawPostgres::login(login(&tidegate)).unwrap();
    client.send(b'Q', b"select repeat('x', 1000) from generate_series(1, 300000)\0").unwrap();
    let before = tidegate.resident_kib();
    // 300 MB wait at the server; the proxy must not take them in.
    assert_unharmed(&tidegate).await;
    // Nor what the client goes on to ask for.
    let asks = message(b'Q', b"select 1\0").repeat(1000);
    client.send_bytes(&asks).unwrap();
    assert_unharmed(&tidegate).await;
    let grown = tidegate.resident_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB held for a client that does not read");
    let answer = client.read_answer().unwrap();
    assert_eq!(answer.len(), 1 + 300_000 + 1 + 1);
    for _ in 0..1000 {
        assert_eq!(tags(&client.read_answer().unwrap()), "T D CSELECT 1 ZI");
    }
}
