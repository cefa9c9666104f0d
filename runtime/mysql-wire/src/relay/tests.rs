//! Replies, cut at every place, followed and translated.

mod mariadb;
mod tracking;

use bytes::BytesMut;
use tidegate_wire::Violation;

use super::{Expect, HELD_MAX, Reached, Scanner, Side, Summary, Translator};
use crate::capabilities::Capabilities;
use crate::error_code::ER_UNKNOWN;
use crate::frame::{self, PAYLOAD_MAX};
use crate::packet::{ColumnDefinition, ColumnType, ErrPacket, OkPacket, prepared, result_set};
use crate::status::StatusFlags;

const PLAIN: Capabilities = Capabilities::PROTOCOL_41;
const DEPRECATES: Capabilities = Capabilities::PROTOCOL_41.union(Capabilities::DEPRECATE_EOF);

fn columns(count: usize) -> Vec<ColumnDefinition> {
    (0..count).map(|n| ColumnDefinition::new(format!("c{n}"), ColumnType::VAR_STRING)).collect()
}

/// Two results and an OK, as a multi-statement gives them.
fn results(capabilities: Capabilities) -> BytesMut {
    let more = StatusFlags::AUTOCOMMIT | StatusFlags::MORE_RESULTS;
    let mut out = BytesMut::new();
    let mut sequence = 1;
    let rows = vec![vec![Some(b"a".to_vec()), None], vec![Some(vec![b'x'; 300]), Some(vec![])]];
    result_set(&mut out, &mut sequence, &columns(2), &rows, capabilities, more);
    result_set(&mut out, &mut sequence, &columns(1), &[], capabilities, more);
    let ok = OkPacket { affected_rows: 7, status: StatusFlags::AUTOCOMMIT, ..OkPacket::default() };
    frame::write_with(&mut out, &mut sequence, |out| ok.encode(out, capabilities));
    out
}

fn one_result(capabilities: Capabilities) -> BytesMut {
    let mut out = BytesMut::new();
    let rows = vec![vec![Some(b"a".to_vec()), None]; 3];
    let status = StatusFlags::AUTOCOMMIT;
    result_set(&mut out, &mut 1, &columns(2), &rows, capabilities, status);
    out
}

/// Rows that end with an error.
fn broken(capabilities: Capabilities) -> BytesMut {
    let mut out = BytesMut::new();
    let rows = vec![vec![Some(b"1".to_vec())]; 2];
    let status = StatusFlags::AUTOCOMMIT;
    result_set(&mut out, &mut 1, &columns(1), &rows, capabilities, status);
    // Replace the terminator by an error.
    let deprecated = capabilities.contains(Capabilities::DEPRECATE_EOF);
    let terminator = if deprecated { 4 + 7 } else { 4 + 5 };
    let mut sequence = out[out.len() - terminator + 3];
    out.truncate(out.len() - terminator);
    let error = ErrPacket::new(ER_UNKNOWN, "gone");
    frame::write_with(&mut out, &mut sequence, |out| error.encode(out, capabilities));
    out
}

fn prepare(capabilities: Capabilities) -> BytesMut {
    let mut out = BytesMut::new();
    let status = StatusFlags::AUTOCOMMIT;
    prepared(&mut out, &mut 1, 5, &columns(2), &columns(3), capabilities, status);
    out
}

/// Of a reply whose first packet is number 1.
fn side(deprecate_eof: bool) -> Side {
    Side::new(if deprecate_eof { DEPRECATES } else { PLAIN }, 1)
}

/// Feeds a reply in pieces that end at `cuts`; what is forwarded must be the reply.
fn scan(expect: Expect, deprecate_eof: bool, reply: &[u8], cuts: &[usize]) -> Summary {
    let mut scanner = Scanner::new(expect, side(deprecate_eof));
    let mut forwarded = 0;
    let mut done = false;
    for cut in cuts.iter().copied().chain([reply.len()]) {
        assert!(!done, "done before the end");
        let scan = scanner.scan(&reply[forwarded..cut]).unwrap();
        forwarded += scan.forward;
        done = scan.reached == Reached::End;
    }
    assert!(done && forwarded == reply.len() && scanner.at_boundary());
    scanner.summary()
}

fn at_every_cut(expect: Expect, deprecate_eof: bool, reply: &[u8]) -> Summary {
    let whole = scan(expect, deprecate_eof, reply, &[]);
    for cut in 1..reply.len() {
        assert_eq!(scan(expect, deprecate_eof, reply, &[cut]), whole, "cut at {cut}");
    }
    let every: Vec<usize> = (1..reply.len()).collect();
    assert_eq!(scan(expect, deprecate_eof, reply, &every), whole);
    whole
}

#[test]
fn results_are_followed_to_their_end() {
    for (capabilities, deprecates) in [(PLAIN, false), (DEPRECATES, true)] {
        let summary = at_every_cut(Expect::Results, deprecates, &results(capabilities));
        assert_eq!((summary.rows, summary.affected, summary.error), (2, 7, None));
        assert_eq!(summary.status, Some(StatusFlags::AUTOCOMMIT));
    }
}

#[test]
fn an_error_ends_the_rows() {
    for (capabilities, deprecates) in [(PLAIN, false), (DEPRECATES, true)] {
        let summary = at_every_cut(Expect::Results, deprecates, &broken(capabilities));
        assert_eq!((summary.rows, summary.error), (2, Some(1105)));
    }
}

#[test]
fn a_prepared_statement_is_followed_to_its_end() {
    for (capabilities, deprecates) in [(PLAIN, false), (DEPRECATES, true)] {
        at_every_cut(Expect::Prepared, deprecates, &prepare(capabilities));
    }
}

#[test]
fn a_cursor_has_no_rows_yet() {
    // Column count, one column, EOF with SERVER_STATUS_CURSOR_EXISTS.
    let mut out = BytesMut::new();
    let status = StatusFlags::AUTOCOMMIT | StatusFlags::CURSOR_EXISTS;
    result_set(&mut out, &mut 1, &columns(1), &[], PLAIN, status);
    out.truncate(out.len() - 9);
    let summary = at_every_cut(Expect::Results, false, &out);
    assert_eq!(summary.status, Some(status));
}

/// Between two that disagree about EOF packets.
fn translator(expect: Expect, client_deprecates: bool) -> Translator {
    Translator::new(expect, side(client_deprecates), side(!client_deprecates))
}

/// Translates in pieces and joins what comes out.
fn translate(expect: Expect, client_deprecates: bool, reply: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut translator = translator(expect, client_deprecates);
    let mut out = BytesMut::new();
    let mut taken = 0;
    let mut done = false;
    for cut in cuts.iter().copied().chain([reply.len()]) {
        let scan = translator.translate(&reply[taken..cut], &mut out).unwrap();
        taken += scan.forward;
        done = scan.reached == Reached::End;
    }
    assert!(done && taken == reply.len() && translator.at_boundary());
    out.to_vec()
}

fn translates(expect: Expect, client_deprecates: bool, from: &[u8], to: &[u8]) {
    assert_eq!(translate(expect, client_deprecates, from, &[]), to, "{expect:?}");
    for cut in 1..from.len() {
        assert_eq!(translate(expect, client_deprecates, from, &[cut]), to, "cut at {cut}");
    }
    let every: Vec<usize> = (1..from.len()).collect();
    assert_eq!(translate(expect, client_deprecates, from, &every), to);
}

#[test]
fn a_translated_reply_is_what_the_other_kind_of_server_would_have_sent() {
    type Make = fn(Capabilities) -> BytesMut;
    let cases: [(Expect, Make); 3] =
        [(Expect::Results, one_result), (Expect::Results, broken), (Expect::Prepared, prepare)];
    for (expect, make) in cases {
        let (plain, deprecated) = (make(PLAIN), make(DEPRECATES));
        translates(expect, true, &plain, &deprecated);
        translates(expect, false, &deprecated, &plain);
    }
    // The other way round the flags of an EOF would have to be known before its result ends.
    translates(Expect::Results, true, &results(PLAIN), &results(DEPRECATES));
}

#[test]
fn a_command_of_more_frames_has_a_reply_with_higher_numbers() {
    for capabilities in [PLAIN, DEPRECATES] {
        let reply = |mut sequence: u8| {
            let mut out = BytesMut::new();
            let rows = vec![vec![Some(b"a".to_vec())]; 3];
            let status = StatusFlags::AUTOCOMMIT;
            result_set(&mut out, &mut sequence, &columns(1), &rows, capabilities, status);
            out
        };
        let side = |sequence| Side::new(capabilities, sequence);
        let mut translator = Translator::new(Expect::Results, side(3), side(1));
        let mut out = BytesMut::new();
        assert!(translator.translate(&reply(1), &mut out).unwrap().reached == Reached::End);
        assert_eq!(out, reply(3));
        let mut scanner = Scanner::new(Expect::Results, side(3));
        assert!(scanner.scan(&reply(3)).unwrap().reached == Reached::End);
    }
}

/// As servers do on compressed connections, where clients count on it.
#[test]
fn each_result_to_a_compressed_client_is_numbered_anew() {
    for capabilities in [PLAIN, DEPRECATES] {
        let side = |compressed| Side::new(capabilities, 1).compressed(compressed);
        let reply = results(capabilities);
        for cut in 0..reply.len() {
            let mut translator = Translator::new(Expect::Results, side(true), side(false));
            let (mut out, mut taken, mut starts) = (BytesMut::new(), 0, vec![0]);
            for end in [cut, reply.len()] {
                loop {
                    let scan = translator.translate(&reply[taken..end], &mut out).unwrap();
                    taken += scan.forward;
                    match scan.reached {
                        Reached::NextResult => {
                            starts.push(out.len());
                            translator.number(u8::try_from(starts.len() * 50).unwrap());
                        }
                        _ => break,
                    }
                }
            }
            let numbers: Vec<u8> = starts.iter().map(|start| out[start + 3]).collect();
            assert_eq!(numbers, [1, 100, 150], "cut at {cut}");
            assert_eq!((taken, out.len()), (reply.len(), reply.len()));
            assert_eq!(translator.sequence(), 151);
        }
    }
}

/// Some clients cannot read a packet that is cut more than once.
#[test]
fn a_compressed_client_gets_packets_whole_or_hears_that_they_go_on() {
    let mut long = BytesMut::new();
    let cell = |byte, len| vec![Some(vec![byte; len])];
    let rows = [cell(b'x', 2 << 20), cell(b'y', 5), cell(b'z', 200_000)];
    result_set(&mut long, &mut 1, &columns(1), &rows, DEPRECATES, StatusFlags::AUTOCOMMIT);
    for (reply, step, is_long) in [(&results(DEPRECATES), 1, false), (&long, 10_007, true)] {
        let client = side(true).compressed(true);
        let mut translator = Translator::new(Expect::Results, client, side(true));
        let (mut written, mut taken, mut cut) = (BytesMut::new(), 0, false);
        for end in (0..reply.len()).step_by(step).chain([reply.len()]) {
            loop {
                let scan = translator.translate(&reply[taken..end], &mut written).unwrap();
                taken += scan.forward;
                assert!(end - taken < HELD_MAX);
                let whole = written.len() - translator.unfinished();
                assert_eq!(translator.at_boundary(), whole == written.len());
                if let Some(&[a, b, c, ..]) = reply[whole..].first_chunk::<4>()
                    && whole < written.len()
                {
                    let len = u32::from_le_bytes([a, b, c, 0]);
                    assert!(len >= 200_000, "a frame of {len} bytes at {whole} is cut");
                    cut = true;
                }
                if scan.reached != Reached::NextResult {
                    break;
                }
            }
        }
        assert!(written == *reply && cut == is_long);
    }
}

#[test]
fn a_row_of_many_frames_is_one_row() {
    let mut out = BytesMut::new();
    let rows = vec![vec![Some(vec![0xfe; PAYLOAD_MAX + 10])]];
    result_set(&mut out, &mut 1, &columns(1), &rows, DEPRECATES, StatusFlags::AUTOCOMMIT);
    let cuts: Vec<usize> = (0..out.len()).step_by(1_000_003).skip(1).collect();
    assert_eq!(scan(Expect::Results, true, &out, &cuts).rows, 1);
}

#[test]
fn what_cannot_be_a_reply_is_a_violation() {
    let scan = |expect, bytes: &[u8]| Scanner::new(expect, side(true)).scan(bytes).unwrap_err();
    // A request for a local file, which nobody was offered.
    let infile = [2, 0, 0, 1, 0xfb, b'x'];
    assert!(matches!(scan(Expect::Results, &infile), Violation::Unexpected { .. }));
    let wrong_order = [1, 0, 0, 7, 0];
    assert!(matches!(
        scan(Expect::Simple, &wrong_order),
        Violation::OutOfOrder { expected: 1, got: 7 }
    ));
    let cut_short = [1, 0, 0, 1, 0];
    assert!(scan(Expect::Simple, &cut_short) == scan(Expect::Results, &cut_short));
    let empty = [0, 0, 0, 1];
    assert!(matches!(scan(Expect::Results, &empty), Violation::Malformed { .. }));
}

#[test]
fn random_bytes_never_panic() {
    let mut state = 0x9e37_79b9_u32;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random() % 64).map(|_| random().to_le_bytes()[0]).collect();
        // Half of them begin like packets, so that they get further than the header.
        if bytes.len() > 4 && random() % 2 == 0 {
            let len = u8::try_from(bytes.len() - 4).unwrap();
            bytes[..4].copy_from_slice(&[len, 0, 0, 1]);
        }
        for expect in [Expect::Simple, Expect::Results, Expect::Prepared, Expect::Rows] {
            let scanned = Scanner::new(expect, side(true)).scan(&bytes);
            assert!(scanned.is_err() || scanned.is_ok_and(|scan| scan.forward <= bytes.len()));
            let mut out = BytesMut::new();
            let taken = translator(expect, true).translate(&bytes, &mut out);
            assert!(taken.is_err() || taken.is_ok_and(|scan| scan.forward <= bytes.len()));
        }
    }
}
