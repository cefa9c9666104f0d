//! Replies, cut at every place, and what is made of each message.

mod copy;

use bytes::{BufMut, BytesMut};
use tidegate_wire::Violation;

use super::{Answer, HELD_MAX, Reached, Request, Scanner, Summary, Upload, Uploaded};
use crate::frame;
use crate::message::{ErrorResponse, Severity, TransactionStatus};
use crate::parameters::Parameters;
use crate::sqlstate::{ADMIN_SHUTDOWN, READ_ONLY_SQL_TRANSACTION, SqlState};

use Answer::{Drop, Forward, Ours};
use Request::{
    Bind, Close, CopyEnd, DescribePortal, DescribeStatement, Execute, FunctionCall, Parse, Query,
    Sync,
};

/// What stands in the place of a reply of ours.
const OURS: &[u8] = b"<ours>";

/// Messages by their tags; a few with what is looked at, the others with what is not.
fn say(tags: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    for tag in tags.bytes() {
        frame::write_with(&mut out, tag, |out| {
            out.put_slice(match tag {
                b'Z' => b"I",
                b'C' => b"UPDATE 3\0",
                b'E' => b"SERROR\0VERROR\0C25006\0Mread only\0\0",
                b'S' => b"TimeZone\0CET\0",
                b'D' | b'd' | b'T' | b't' | b'A' | b'N' => b"\0\x01anything",
                _ => b"",
            });
        });
    }
    out.to_vec()
}

const ERROR: Reached = Reached::Error(READ_ONLY_SQL_TRANSACTION);

/// What has come of a reply.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// What the client gets.
    told: Vec<u8>,
    /// Where it was stopped, but for more bytes, or to drop some.
    stops: Vec<Reached>,
    summary: Summary,
    changes: Parameters,
    status: TransactionStatus,
    idle: bool,
}

/// Hands in a reply in two pieces. When data is asked for, it comes whole, with these behind it.
fn follow(
    requests: &[(Request, Answer)],
    behind_data: &[Request],
    reply: &[u8],
    cut: usize,
) -> Result<Outcome, Violation> {
    let mut scanner = Scanner::new(TransactionStatus::Open);
    for (request, answer) in requests {
        scanner.expect(*request, *answer)?;
    }
    let (mut told, mut stops, mut taken) = (Vec::new(), Vec::new(), 0);
    let mut changes = Parameters::default();
    for end in [cut, reply.len()] {
        loop {
            let scan = scanner.scan(&reply[taken..end])?;
            told.extend_from_slice(&reply[taken..taken + scan.forward]);
            taken += scan.forward;
            for status in scanner.take_changes().iter() {
                changes.set(&status)?;
            }
            match scan.reached {
                Reached::Drop(len) => taken += len,
                Reached::Ours(_) => {
                    assert!(scanner.at_boundary());
                    told.extend_from_slice(OURS);
                    scanner.answered();
                }
                Reached::CopyIn => {
                    for request in [CopyEnd].iter().chain(behind_data) {
                        scanner.expect(*request, Forward)?;
                    }
                }
                _ => {}
            }
            match scan.reached {
                Reached::More | Reached::Answered => break,
                Reached::Drop(_) => {}
                reached => stops.push(reached),
            }
        }
    }
    assert_eq!(taken, reply.len(), "{stops:?}");
    let (status, idle) = (scanner.status(), scanner.is_idle());
    Ok(Outcome { told, stops, summary: scanner.take_summary(), changes, status, idle })
}

/// The same at every cut.
fn at_every_cut(
    requests: &[(Request, Answer)],
    behind_data: &[Request],
    reply: &[u8],
) -> Result<Outcome, Violation> {
    let whole = follow(requests, behind_data, reply, reply.len());
    for cut in 0..reply.len() {
        assert_eq!(follow(requests, behind_data, reply, cut), whole, "cut at {cut}");
    }
    whole
}

fn forwarded(requests: &[Request], reply: &str) -> Outcome {
    let requests: Vec<_> = requests.iter().map(|request| (*request, Forward)).collect();
    let outcome = at_every_cut(&requests, &[], &say(reply)).unwrap();
    assert_eq!(outcome.told, say(reply));
    outcome
}

#[test]
fn a_query_has_any_number_of_results() {
    for (reply, rows, changed) in [
        ("TDDDCZ", 3, 3),
        ("CZ", 0, 3),
        ("IZ", 0, 0),
        ("TCTDDCCIZ", 2, 9),
        ("NTDNDCNZ", 2, 3),
        ("TDDEZ", 2, 0),
        ("EZ", 0, 0),
    ] {
        let outcome = forwarded(&[Query], reply);
        let error = reply.contains('E');
        let stops = if error { &[ERROR, Reached::Ready][..] } else { &[Reached::Ready] };
        assert_eq!(outcome.stops, stops, "{reply}");
        assert_eq!((outcome.summary.rows, outcome.summary.changed), (rows, changed), "{reply}");
        assert_eq!(outcome.summary.error.is_some(), error);
        assert!(outcome.idle && outcome.status == TransactionStatus::Idle);
    }
}

#[test]
fn a_batch_is_answered_message_by_message() {
    for (requests, reply) in [
        (&[Parse, Bind, DescribePortal, Execute, Sync][..], "12TDDCZ"),
        (&[Parse, DescribeStatement, Sync], "1tTZ"),
        (&[Parse, DescribeStatement, Sync], "1tnZ"),
        (&[Bind, DescribePortal, Execute, Close, Sync], "2nC3Z"),
        (&[Execute, Sync], "DDsZ"),
        (&[Execute, Sync], "IZ"),
        (&[Bind, Execute, Bind, Execute, Sync, Query, Sync], "2C2DCZTDCZZ"),
        (&[FunctionCall, Sync], "VZZ"),
        (&[FunctionCall, Sync], "EZZ"),
    ] {
        let outcome = forwarded(requests, reply);
        assert_eq!(outcome.stops.iter().filter(|stop| **stop == Reached::Ready).count(), {
            reply.bytes().filter(|tag| *tag == b'Z').count()
        });
        assert!(outcome.idle, "{reply}");
    }
}

#[test]
fn what_is_flushed_is_answered_and_not_over() {
    let outcome = forwarded(&[Parse, DescribeStatement], "1tT");
    assert!(outcome.stops.is_empty() && !outcome.idle);
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    assert!(scanner.is_idle());
    scanner.expect(Parse, Forward).unwrap();
    let scan = scanner.scan(&say("1")).unwrap();
    assert_eq!((scan.forward, scan.reached), (5, Reached::Answered));
    assert!(!scanner.is_idle());
    scanner.expect(Sync, Forward).unwrap();
    assert_eq!(scanner.scan(&say("Z")).unwrap().reached, Reached::Ready);
    assert!(scanner.is_idle());
}

#[test]
fn an_error_is_followed_by_nothing_up_to_a_sync() {
    for (requests, reply) in [
        (&[Parse, Bind, DescribePortal, Execute, Sync][..], "EZ"),
        (&[Parse, Bind, DescribePortal, Execute, Sync], "12TDEZ"),
        (&[Parse, DescribeStatement, Sync], "1tEZ"),
        (&[Parse, Query, Bind, Sync, Query], "EZCZ"),
        (&[Execute, Sync, Parse, Sync], "CEZ1Z"),
    ] {
        let outcome = forwarded(requests, reply);
        assert_eq!(outcome.stops[..2], [ERROR, Reached::Ready], "{reply}");
        assert_eq!(outcome.summary.error, Some(READ_ONLY_SQL_TRANSACTION));
        assert!(outcome.idle, "{reply}");
    }
}

#[test]
fn what_is_sent_before_the_sync_is_not_answered() {
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    scanner.expect(Parse, Forward).unwrap();
    let error = say("E");
    assert_eq!(scanner.scan(&error).unwrap().reached, ERROR);
    assert_eq!(scanner.scan(&error).unwrap().forward, error.len());
    for request in [Bind, Execute, Query, CopyEnd] {
        scanner.expect(request, Forward).unwrap();
    }
    assert_eq!(scanner.scan(b"").unwrap().reached, Reached::Answered);
    assert!(!scanner.is_idle());
    scanner.expect(Sync, Forward).unwrap();
    assert_eq!(scanner.scan(b"").unwrap().reached, Reached::More);
    assert_eq!(scanner.scan(&say("Z")).unwrap().reached, Reached::Ready);
    assert!(scanner.is_idle());
}

#[test]
fn a_query_that_is_passed_over_ends_no_batch() {
    let requests = [(Parse, Forward), (Query, Forward)];
    let outcome = at_every_cut(&requests, &[], &say("E")).unwrap();
    assert!(!outcome.idle);
    let requests = [(Parse, Ours), (DescribeStatement, Ours), (Sync, Ours)];
    let outcome = at_every_cut(&requests, &[], b"").unwrap();
    assert!(outcome.idle && outcome.told == [OURS; 3].concat());
}

#[test]
fn what_the_client_has_not_asked_is_dropped() {
    // A statement is prepared for it.
    let requests = [(Parse, Drop), (Bind, Forward), (Execute, Forward), (Sync, Forward)];
    let outcome = at_every_cut(&requests, &[], &say("12DCZ")).unwrap();
    assert_eq!(outcome.told, say("2DCZ"));
    // Which can fail, and then its own statement has.
    let outcome = at_every_cut(&requests, &[], &say("EZ")).unwrap();
    assert_eq!(outcome.told, say("EZ"));
    // Something is said of which it is not to know at all.
    let requests = [(Query, Drop), (Query, Forward)];
    let outcome = at_every_cut(&requests, &[], &say("NSCZTDCZ")).unwrap();
    assert_eq!(outcome.told, say("TDCZ"));
    assert_eq!(outcome.changes.get("TimeZone"), Some(&b"CET"[..]));
    let outcome = at_every_cut(&requests, &[], &say("AEZTDCZ")).unwrap();
    assert_eq!(outcome.told, say("ATDCZ"));
    assert_eq!(outcome.stops, [ERROR, Reached::Ready, Reached::Ready]);
    let requests = [(Parse, Drop), (Sync, Drop), (Query, Forward)];
    let outcome = at_every_cut(&requests, &[], &say("EZTDCZ")).unwrap();
    assert_eq!(outcome.told, say("TDCZ"));
}

#[test]
fn what_is_known_here_is_answered_in_its_turn() {
    let requests =
        [(Parse, Ours), (Bind, Forward), (Execute, Forward), (Close, Ours), (Sync, Forward)];
    let outcome = at_every_cut(&requests, &[], &say("2DCZ")).unwrap();
    assert_eq!(outcome.told, [OURS, &say("2DC"), OURS, &say("Z")].concat());
    let stops = [Reached::Ours(Parse), Reached::Ours(Close), Reached::Ready];
    assert_eq!(outcome.stops, stops);
    // Nor is it answered behind an error.
    let outcome = at_every_cut(&requests, &[], &say("2EZ")).unwrap();
    assert_eq!(outcome.told, [OURS, &say("2EZ")].concat());
}

#[test]
fn a_client_cannot_ask_for_ever() {
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    scanner.expect(Query, Forward).unwrap();
    let more = std::iter::repeat_with(|| scanner.expect(Parse, Ours).map(|()| scanner.is_full()));
    assert_eq!(more.take(100_000).position(|full| full == Ok(true)), Some((1 << 14) - 2));
    assert_eq!(scanner.scan(&say("CZ")).unwrap().reached, Reached::Ready);
}

#[test]
fn settings_are_told_and_passed_on() {
    let outcome = forwarded(&[Query], "SCZ");
    assert_eq!(outcome.changes.get("TimeZone"), Some(&b"CET"[..]));
    // And at any time.
    let outcome = forwarded(&[], "SNA");
    assert_eq!(outcome.changes.get("TimeZone"), Some(&b"CET"[..]));
}

#[test]
fn a_server_may_go_down_at_any_time() {
    let mut down = BytesMut::new();
    ErrorResponse::new(Severity::Fatal, ADMIN_SHUTDOWN, "going down").encode(&mut down);
    for requests in [&[][..], &[(Query, Forward)], &[(Parse, Forward), (Sync, Forward)]] {
        let mut scanner = Scanner::new(TransactionStatus::Idle);
        for (request, answer) in requests {
            scanner.expect(*request, *answer).unwrap();
        }
        let down_at = scanner.scan(&down).unwrap();
        assert_eq!((down_at.forward, down_at.reached), (0, Reached::Error(ADMIN_SHUTDOWN)));
        assert_eq!(scanner.scan(&down).unwrap().forward, down.len());
    }
}

#[test]
fn the_status_is_that_of_the_last_ready() {
    for (letter, status) in [
        (b"I", TransactionStatus::Idle),
        (b"T", TransactionStatus::Open),
        (b"E", TransactionStatus::Failed),
    ] {
        let reply = [&say("C"), &b"Z\0\0\0\x05"[..], letter].concat();
        let outcome = at_every_cut(&[(Query, Forward)], &[], &reply).unwrap();
        assert_eq!(outcome.status, status);
    }
}

#[test]
fn what_was_not_asked_for_is_refused() {
    for (requests, reply) in [
        (&[][..], "Z"),
        (&[], "D"),
        (&[], "R"),
        (&[Parse], "2"),
        (&[Parse, Bind], "11"),
        (&[Bind], "C"),
        (&[Sync], "C"),
        (&[Query], "1"),
        (&[Query], "s"),
        (&[Query], "d"),
        (&[Query], "EC"),
        (&[Query], "HD"),
        (&[Query], "K"),
        (&[Query], "?"),
        (&[Execute], "T"),
        (&[Execute], "Z"),
        (&[DescribePortal], "t"),
        (&[DescribeStatement], "T"),
        (&[DescribeStatement], "tt"),
        (&[FunctionCall], "C"),
        (&[Query], "CZZ"),
    ] {
        let requests: Vec<_> = requests.iter().map(|request| (*request, Forward)).collect();
        let refused = at_every_cut(&requests, &[], &say(reply)).unwrap_err();
        assert!(matches!(refused, Violation::Unexpected { .. }), "{reply}: {refused}");
    }
}

#[test]
fn what_has_to_be_seen_whole_is_short() {
    for (tag, len) in [(b'Z', 300), (b'C', 300), (b'S', HELD_MAX)] {
        let claim = frame::Header { tag, len }.encode();
        let mut scanner = Scanner::new(TransactionStatus::Idle);
        scanner.expect(Query, Forward).unwrap();
        let refused = scanner.scan(&claim);
        assert!(matches!(refused, Err(Violation::TooLong { .. })), "{refused:?}");
    }
    let malformed = [&b"Z\0\0\0\x06II"[..], b"Z\0\0\0\x05X", b"S\0\0\0\x06a\0", b"C\0\0\0\x05x"];
    for bytes in malformed {
        let mut scanner = Scanner::new(TransactionStatus::Idle);
        scanner.expect(Query, Forward).unwrap();
        assert!(scanner.scan(bytes).is_err());
    }
}

#[test]
fn a_long_message_is_passed_on_as_it_comes() {
    let header = frame::Header { tag: b'D', len: 1 << 30 }.encode();
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    scanner.expect(Query, Forward).unwrap();
    let scan = scanner.scan(&header).unwrap();
    assert_eq!((scan.forward, scan.reached), (5, Reached::More));
    assert!(!scanner.at_boundary());
    let scan = scanner.scan(&[0; 4096]).unwrap();
    assert_eq!((scan.forward, scan.reached), (4096, Reached::More));
    // An error whose state is not among its first bytes has one that says nothing.
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    scanner.expect(Query, Forward).unwrap();
    let mut error = frame::Header { tag: b'E', len: 1 << 20 }.encode().to_vec();
    error.extend_from_slice(&[b'M'; 300]);
    let scan = scanner.scan(&error).unwrap();
    assert_eq!(scan.reached, Reached::Error(SqlState(*b"XX000")));
}

#[test]
fn requests_are_told_by_their_tags() {
    let answered = [
        (b'Q', Query),
        (b'F', FunctionCall),
        (b'P', Parse),
        (b'B', Bind),
        (b'E', Execute),
        (b'C', Close),
        (b'S', Sync),
        (b'c', CopyEnd),
        (b'f', CopyEnd),
    ];
    for (tag, request) in answered {
        assert_eq!(Request::of(tag, None), Ok(Some(request)));
    }
    assert_eq!(Request::of(b'D', Some(b'S')), Ok(Some(DescribeStatement)));
    assert_eq!(Request::of(b'D', Some(b'P')), Ok(Some(DescribePortal)));
    for tag in [b'H', b'X', b'd'] {
        assert_eq!(Request::of(tag, None), Ok(None));
    }
    for (tag, first) in [(b'D', None), (b'D', Some(b'x')), (b'p', None), (b'Z', None), (0, None)] {
        assert!(Request::of(tag, first).is_err());
    }
}

#[test]
fn data_is_followed_to_its_end() {
    for (stream, passed, end) in [
        (say("dddc"), 4, Uploaded::End),
        (say("dHSdf"), 5, Uploaded::End),
        (say("c"), 1, Uploaded::End),
        (say("dcQ"), 2, Uploaded::End),
        (say("ddX"), 2, Uploaded::Other),
        (say("ddQ"), 2, Uploaded::Other),
    ] {
        let mut messages = BytesMut::from(&stream[..]);
        for _ in 0..passed {
            frame::next_message(&mut messages, usize::MAX).unwrap().unwrap();
        }
        let expected = stream.len() - messages.len();
        for cut in 0..stream.len() {
            let mut upload = Upload::default();
            let (first, reached) = upload.scan(&stream[..cut]).unwrap();
            let total = match reached {
                Uploaded::More => first + upload.scan(&stream[first..]).unwrap().0,
                _ => first,
            };
            assert_eq!(total, expected, "cut at {cut}");
            assert_eq!(upload.scan(&stream[total..]).unwrap(), (0, end));
        }
    }
    assert!(Upload::default().scan(b"d\0\0\0\x03").is_err());
}
