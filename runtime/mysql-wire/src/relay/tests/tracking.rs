//! What OK packets tell of the session, and requests for files.

use super::*;
use crate::packet::{SessionChange, SessionChanges};
use crate::relay::Scan;

const TRACKS: Capabilities = DEPRECATES.union(Capabilities::SESSION_TRACK);

/// A result, a change of the database, and a change of a variable with a message.
fn changes(capabilities: Capabilities) -> BytesMut {
    let (mut out, mut sequence) = (BytesMut::new(), 1);
    let more = StatusFlags::AUTOCOMMIT | StatusFlags::MORE_RESULTS;
    result_set(&mut out, &mut sequence, &columns(1), &[vec![None]], capabilities, more);
    let entries = [
        SessionChange::Schema(b"shop"),
        SessionChange::SystemVariable { name: b"sql_mode", value: b"ANSI" },
    ];
    for (entry, status, info) in
        [(entries[0], more, &b""[..]), (entries[1], status(), &b"it is so"[..])]
    {
        let mut state = BytesMut::new();
        entry.encode(&mut state);
        let tracked = capabilities.contains(Capabilities::SESSION_TRACK);
        let ok = OkPacket {
            affected_rows: 1,
            status: match tracked {
                true => status | StatusFlags::SESSION_STATE_CHANGED,
                false => status,
            },
            warnings: 2,
            info,
            session_state: if tracked { &state } else { b"" },
            ..OkPacket::default()
        };
        frame::write_with(&mut out, &mut sequence, |out| ok.encode(out, capabilities));
    }
    out
}

fn status() -> StatusFlags {
    StatusFlags::AUTOCOMMIT
}

/// What a scanner makes of a reply that arrives in two pieces, and what it was told.
fn between(client: Capabilities, server: Capabilities, cut: usize) -> (BytesMut, Vec<u8>) {
    let reply = changes(server);
    let side = |capabilities| Side::new(capabilities, 1);
    let mut scanner = Scanner::between(Expect::Results, side(client), side(server)).unwrap();
    let (mut out, mut taken, mut told) = (BytesMut::new(), 0, Vec::new());
    for end in [cut, reply.len()] {
        loop {
            let bytes = &reply[taken..end];
            let scan = scanner.scan(bytes).unwrap();
            out.extend_from_slice(&bytes[..scan.forward]);
            taken += scan.forward;
            told.extend(scanner.take_changes());
            match scan.reached {
                Reached::Changes => {
                    taken += scanner.strip(&reply[taken..end], &mut out).unwrap();
                    told.extend(scanner.take_changes());
                }
                reached => {
                    assert_eq!(reached == Reached::End, end == reply.len());
                    break;
                }
            }
        }
    }
    let summary = scanner.summary();
    assert_eq!((summary.affected, summary.warnings, summary.rows), (2, 2, 1));
    (out, told)
}

#[test]
fn changes_are_told_to_who_asked_for_them_and_to_us() {
    let len = changes(TRACKS).len();
    let told = |bytes: &[u8]| {
        let changes: Result<Vec<_>, _> = SessionChanges::new(bytes).collect();
        let expected = vec![
            SessionChange::Schema(b"shop"),
            SessionChange::SystemVariable { name: b"sql_mode", value: b"ANSI" },
        ];
        changes == Ok(expected)
    };
    for cut in 0..len {
        let (both, tracked) = between(TRACKS, TRACKS, cut);
        assert_eq!(both, changes(TRACKS), "cut at {cut}");
        assert!(told(&tracked), "cut at {cut}");
        let (stripped, tracked) = between(DEPRECATES, TRACKS, cut);
        assert_eq!(stripped, changes(DEPRECATES), "cut at {cut}");
        assert!(told(&tracked), "cut at {cut}");
    }
    // Nobody asked: nothing is looked for, and nothing told.
    assert_eq!(between(DEPRECATES, DEPRECATES, 1), (changes(DEPRECATES), Vec::new()));
    assert_eq!(between(TRACKS, DEPRECATES, 1), (changes(DEPRECATES), Vec::new()));
}

#[test]
fn a_flag_without_changes_behind_it_is_not_passed_on() {
    let mut reply = BytesMut::new();
    let status = status() | StatusFlags::SESSION_STATE_CHANGED;
    let ok = OkPacket { status, ..OkPacket::default() };
    frame::write_with(&mut reply, &mut 1, |out| ok.encode(out, PLAIN));
    let side = |capabilities| Side::new(capabilities, 1);
    let client = PLAIN | Capabilities::SESSION_TRACK;
    let mut scanner = Scanner::between(Expect::Simple, side(client), side(PLAIN)).unwrap();
    assert_eq!(scanner.scan(&reply).unwrap().reached, Reached::Changes);
    let mut out = BytesMut::new();
    assert_eq!(scanner.strip(&reply, &mut out), Ok(reply.len()));
    assert_eq!(&out[..], b"\x07\0\0\x01\0\0\0\x02\0\0\0");
    assert!(scanner.is_done() && scanner.take_changes().is_empty());
}

/// Of a server that tracks, to a client that neither does nor deprecates EOFs, and the other way.
#[test]
fn a_translator_leaves_changes_out_too() {
    let reply = changes(TRACKS);
    let mut expected = changes(PLAIN);
    for cut in 0..reply.len() {
        let (client, server) = (Side::new(PLAIN, 1), Side::new(TRACKS, 1));
        assert!(Scanner::between(Expect::Results, client, server).is_none());
        let mut translator = Translator::new(Expect::Results, client, server);
        let (mut out, mut told) = (BytesMut::new(), Vec::new());
        let first = translator.translate(&reply[..cut], &mut out).unwrap();
        told.extend(translator.take_changes());
        let rest = &reply[first.forward..];
        assert_eq!(translator.translate(rest, &mut out).unwrap().reached, Reached::End);
        told.extend(translator.take_changes());
        // When the columns end, the flags of the result are not known yet.
        let status = 4 + 1 + 4 + 24 + 4 + 3;
        expected[status] = out[status];
        assert_eq!(out, expected, "cut at {cut}");
        assert_eq!(SessionChanges::new(&told).count(), 2);
    }
}

#[test]
fn changes_are_bounded() {
    let mut out = BytesMut::new();
    let status = status() | StatusFlags::SESSION_STATE_CHANGED;
    let state = vec![7; 200 << 10];
    let ok = OkPacket { status, session_state: &state, ..OkPacket::default() };
    frame::write_with(&mut out, &mut 1, |out| ok.encode(out, TRACKS));
    let mut scanner = Scanner::new(Expect::Simple, Side::new(TRACKS, 1));
    assert!(matches!(scanner.scan(&out[..1000]), Err(Violation::TooLong { .. })));
}

#[test]
fn a_request_for_a_file_turns_the_direction_round() {
    let capabilities = PLAIN | Capabilities::LOCAL_FILES;
    let request = b"\x0b\0\0\x01\xfb/tmp/a.csv";
    let mut loaded = BytesMut::new();
    let more = status() | StatusFlags::MORE_RESULTS;
    let ok = OkPacket { affected_rows: 3, status: more, ..OkPacket::default() };
    let mut sequence = 4;
    frame::write_with(&mut loaded, &mut sequence, |out| ok.encode(out, capabilities));
    result_set(&mut loaded, &mut sequence, &columns(1), &[], capabilities, status());

    for cut in 0..request.len() {
        let mut scanner = Scanner::new(Expect::Results, Side::new(capabilities, 1));
        let first = scanner.scan(&request[..cut]).unwrap();
        let second = scanner.scan(&request[first.forward..]).unwrap();
        assert_eq!(first.forward + second.forward, request.len());
        assert_eq!((second.reached, scanner.sequence()), (Reached::File, 2));
        // The client has the word; until it has sent the file, nothing goes on.
        assert_eq!(scanner.scan(&loaded).unwrap().reached, Reached::File);
        scanner.resume(4);
        let end = Scan { forward: loaded.len(), reached: Reached::End };
        assert_eq!(scanner.scan(&loaded), Ok(end));
        assert_eq!(scanner.summary().affected, 3);
    }
    // Another numbering on the client's side.
    let (client, server) = (Side::new(capabilities, 9), Side::new(capabilities, 1));
    let mut translator = Translator::new(Expect::Results, client, server);
    let mut out = BytesMut::new();
    assert_eq!(translator.translate(request, &mut out).unwrap().reached, Reached::File);
    assert_eq!((out[3], translator.sequence(), translator.server_sequence()), (9, 10, 2));
    translator.resume(12, 4);
    out.clear();
    assert_eq!(translator.translate(&loaded, &mut out).unwrap().reached, Reached::End);
    assert_eq!(out[3], 12);
}

#[test]
fn a_refused_file_and_one_that_nobody_asked_for() {
    let capabilities = PLAIN | Capabilities::LOCAL_FILES;
    let scanner = || Scanner::new(Expect::Results, Side::new(capabilities, 1));
    let mut refused = scanner();
    refused.scan(b"\x02\0\0\x01\xfba").unwrap();
    refused.resume(3);
    let error = b"\x05\0\0\x03\xff\x79\x04no";
    assert_eq!(refused.scan(error).map(|scan| scan.reached), Ok(Reached::End));
    assert_eq!(refused.summary().error, Some(1145));
    let mut rows = scanner();
    rows.scan(b"\x02\0\0\x01\xfba").unwrap();
    rows.resume(3);
    assert!(rows.scan(b"\x01\0\0\x03\x05").is_err());
    // A server that was not offered it may not ask.
    assert!(Scanner::new(Expect::Results, side(true)).scan(b"\x02\0\0\x01\xfba").is_err());
}
