//! Peers that break the protocol, by accident or on purpose: an error or a clean close, never harm.

use std::time::{Duration, Instant};

use tidegate_tests::raw::{RawClient, capability, login_packet};
use tidegate_tests::{MariaDbPair, PATIENCE, Setup, Tidegate};

use crate::noise::Noise;
use crate::support::assert_unharmed;

const QUERY: u8 = 3;
const PING: u8 = 14;

fn setup() -> Setup {
    Setup::single(&MariaDbPair::shared().primary)
}

/// The code of the ERR packet that `bytes` begin with, after any number of other frames.
fn error_code(bytes: &[u8]) -> Option<u16> {
    let mut rest = bytes;
    while let [a, b, c, _, after @ ..] = rest {
        let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, 0])).ok()?;
        let payload = after.get(..length)?;
        if let [0xff, low, high, ..] = payload {
            return Some(u16::from_le_bytes([*low, *high]));
        }
        rest = &after[length..];
    }
    None
}

/// Sends bytes in answer to the greeting, says no more, and returns what comes until the close.
fn answer_to(tidegate: &Tidegate, bytes: &[u8]) -> Vec<u8> {
    let mut client = RawClient::connect(tidegate.port()).unwrap();
    // The proxy may close before it has read everything.
    let _ = client.send_bytes(bytes);
    let _ = client.finish();
    client.read_to_close().expect("an end of the connection")
}

fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[a, b, c, sequence], payload].concat()
}

#[tokio::test]
async fn random_bytes_harm_nobody() {
    let tidegate = Tidegate::start(setup().listener("login_timeout = \"2s\""));
    let mut noise = Noise::new(1);
    for length in 0..150 {
        answer_to(&tidegate, &noise.bytes(length * 3));
        let payload = noise.bytes(length);
        answer_to(&tidegate, &framed(1, &payload));
    }
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_login_with_any_byte_changed_harms_nobody() {
    let tidegate = Tidegate::start(setup().listener("login_timeout = \"2s\""));
    let packet = login_packet("app", &[7; 20]);
    let mut noise = Noise::new(2);
    for at in 0..packet.len() {
        let mut changed = packet.clone();
        changed[at] ^= noise.byte() | 1;
        answer_to(&tidegate, &framed(1, &changed));
    }
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn a_login_cut_anywhere_harms_nobody() {
    let tidegate = Tidegate::start(setup().listener("login_timeout = \"2s\""));
    let packet = login_packet("app", &[7; 20]);
    for end in 0..packet.len() {
        answer_to(&tidegate, &framed(1, &packet[..end]));
        answer_to(&tidegate, &framed(1, &packet)[..end]);
    }
    assert_unharmed(&tidegate).await;
}

#[test]
fn a_login_that_makes_no_sense_is_a_bad_handshake() {
    let tidegate = Tidegate::start(setup());
    let answer = answer_to(&tidegate, &framed(1, b"\x01\x02"));
    assert_eq!(error_code(&answer), Some(1043), "{answer:?}");
    let old = (capability::COMMON & !capability::PROTOCOL_41).to_le_bytes();
    let answer = answer_to(&tidegate, &framed(1, &[&old[..], &[0; 40]].concat()));
    assert_eq!(error_code(&answer), Some(1043), "{answer:?}");
}

#[test]
fn a_login_that_claims_to_be_huge_is_refused_at_once() {
    let tidegate = Tidegate::start(setup());
    let mut client = RawClient::connect(tidegate.port()).unwrap();
    let started = Instant::now();
    client.send_bytes(&[0xff, 0xff, 0xff, 1]).unwrap();
    let answer = client.read_to_close().unwrap();
    assert!(matches!(error_code(&answer), Some(1043 | 1153)), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "the claim was believed");
}

#[test]
fn frames_out_of_order_are_refused() {
    let tidegate = Tidegate::start(setup());
    let answer = answer_to(&tidegate, &framed(7, &login_packet("nopw", &[])));
    assert_eq!(error_code(&answer), Some(1156), "in the login: {answer:?}");
    let mut client = RawClient::login(tidegate.port(), "nopw").unwrap();
    client.send(3, &[PING]).unwrap();
    let answer = client.read_to_close().unwrap();
    assert_eq!(error_code(&answer), Some(1156), "in a command: {answer:?}");
}

#[test]
fn a_statement_over_the_limit_is_refused_before_it_is_read() {
    let tidegate = Tidegate::start(setup().listener("max_packet = \"1MiB\""));
    let mut client = RawClient::login(tidegate.port(), "nopw").unwrap();
    client.send_bytes(&[0, 0, 0x20, 0, QUERY]).unwrap();
    let answer = client.read_to_close().unwrap();
    assert_eq!(error_code(&answer), Some(1153), "{answer:?}");

    // In pieces that are each within one frame: the sum counts.
    let tidegate = Tidegate::start(setup().listener("max_packet = \"20MiB\""));
    let mut client = RawClient::login(tidegate.port(), "nopw").unwrap();
    let mut first = vec![0xff, 0xff, 0xff, 0, QUERY];
    first.resize(4 + 0xff_ffff, b' ');
    let _ = client.send_bytes(&first);
    let _ = client.send_bytes(&[0xff, 0xff, 0xff, 1]);
    let answer = client.read_to_close().unwrap();
    assert_eq!(error_code(&answer), Some(1153), "{answer:?}");
}

#[tokio::test]
async fn commands_that_are_cut_short_or_refer_to_nothing_get_an_error() {
    let tidegate = Tidegate::start(setup());
    let mut client = RawClient::login(tidegate.port(), "nopw").unwrap();
    let bodies: [(u8, &[u8]); 9] = [
        (0x17, b"\xff\xff\xff\xff\0\x01\0\0\0"), // COM_STMT_EXECUTE of nothing
        (0x17, b"\x01"),                         // cut
        (0x17, b""),
        (0x1a, b"\xff\xff\xff\xff"), // COM_STMT_RESET of nothing
        (0x1a, b"\x01"),
        (0x1c, b"\xff\xff\xff\xff\x01\0\0\0"), // COM_STMT_FETCH of nothing
        (0x1c, b"\x01"),
        (0x02, b""), // COM_INIT_DB without a name
        (0x16, b""), // COM_STMT_PREPARE of nothing
    ];
    for (code, body) in bodies {
        let answer = client.ask(code, body).unwrap();
        assert!(answer.error_code().is_some(), "{code:#x} {body:?}: {}", answer.text());
    }
    // These are never answered; the next answer must be the ping's.
    for (code, body) in
        [(0x19, &b"\xff\xff\xff\xff"[..]), (0x19, b"\x01"), (0x18, b"\x01\0\0\0\0\0abc")]
    {
        client.command(code, body).unwrap();
    }
    assert!(client.ask(PING, &[]).unwrap().is_ok());
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn commands_of_random_bytes_harm_nobody() {
    let tidegate = Tidegate::start(setup());
    let mut noise = Noise::new(3);
    for _ in 0..150 {
        let Ok(mut client) = RawClient::login(tidegate.port(), "nopw") else {
            panic!("the proxy serves no more");
        };
        for _ in 0..5 {
            let length = usize::from(noise.byte());
            let command = noise.byte() % 0x20;
            let body = noise.bytes(length);
            if client.command(command, &body).is_err() {
                break;
            }
        }
        let _ = client.finish();
        client.read_to_close().expect("an end of the connection");
    }
    assert_unharmed(&tidegate).await;
}

#[test]
fn a_login_byte_by_byte_succeeds_and_one_that_stalls_is_ended() {
    let tidegate = Tidegate::start(setup().listener("login_timeout = \"1s\""));
    let mut client = RawClient::connect(tidegate.port()).unwrap();
    for byte in framed(1, &login_packet("nopw", &[])) {
        client.send_bytes(&[byte]).unwrap();
    }
    assert!(client.read().unwrap().is_ok());
    assert!(client.ask(PING, &[]).unwrap().is_ok());

    let started = Instant::now();
    let mut client = RawClient::connect(tidegate.port()).unwrap();
    client.send_bytes(&[40, 0, 0]).unwrap();
    client.read_to_close().unwrap();
    assert!(started.elapsed() < PATIENCE / 2, "a client that stalls is kept for ever");
}

#[test]
fn clients_beyond_the_limit_are_told_so() {
    let tidegate = Tidegate::start(setup().listener("max_sessions = 2"));
    let first = RawClient::login(tidegate.port(), "nopw").unwrap();
    let mut second = RawClient::login(tidegate.port(), "nopw").unwrap();
    let third = RawClient::connect(tidegate.port()).unwrap();
    assert_eq!(third.greeting.get(..3), Some(&b"\xff\x10\x04"[..]), "no ERR 1040");
    assert!(second.ask(PING, &[]).unwrap().is_ok());
    drop(first);
    tidegate_tests::wait_for("room for another", || RawClient::login(tidegate.port(), "nopw").ok());
}

#[tokio::test]
async fn a_client_that_floods_without_reading_is_held_back() {
    let tidegate = Tidegate::start(setup());
    let mut client = RawClient::login(tidegate.port(), "nopw").unwrap();
    client.command(QUERY, b"select repeat('x', 1000) from app.seq_1_to_300000").unwrap();
    let before = tidegate.resident_kib();
    // 300 MB wait at the server; the proxy must not take them in.
    assert_unharmed(&tidegate).await;
    let grown = tidegate.resident_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB held for a client that does not read");
    let mut rows = 0;
    while let Ok(frame) = client.read() {
        rows += 1;
        if frame.payload.first() == Some(&0xfe) && frame.payload.len() == 5 && rows > 3 {
            break;
        }
    }
    assert_eq!(rows, 1 + 1 + 1 + 300_000 + 1);
}
