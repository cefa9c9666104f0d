//! COPY, in and out, and what is both.

use super::*;

fn copied(requests: &[Request], behind_data: &[Request], reply: &str) -> Outcome {
    let requests: Vec<_> = requests.iter().map(|request| (*request, Forward)).collect();
    let outcome = at_every_cut(&requests, behind_data, &say(reply)).unwrap();
    assert_eq!(outcome.told, say(reply));
    assert!(outcome.idle, "{reply}");
    outcome
}

#[test]
fn a_client_has_the_word_when_data_is_asked_for() {
    let outcome = copied(&[Query], &[], "GCZ");
    assert_eq!(outcome.stops, [Reached::CopyIn, Reached::Ready]);
    let outcome = copied(&[Query], &[], "GCGCTDCZ");
    assert_eq!(outcome.stops, [Reached::CopyIn, Reached::CopyIn, Reached::Ready]);
    let outcome = copied(&[Query], &[], "GEZ");
    assert_eq!(outcome.stops, [Reached::CopyIn, ERROR, Reached::Ready]);
}

#[test]
fn a_sync_before_the_data_is_read_as_nothing() {
    // libpq sends it with the statement, and another one behind the data.
    let batch = [Parse, Bind, DescribePortal, Execute, Sync];
    let outcome = copied(&batch, &[Sync], "12nGCZ");
    assert_eq!(outcome.stops, [Reached::CopyIn, Reached::Ready]);
    let outcome = copied(&batch, &[Sync], "12nGEZ");
    assert_eq!(outcome.stops, [Reached::CopyIn, ERROR, Reached::Ready]);
    // It was no COPY that data is needed for.
    copied(&batch, &[], "12nCZ");
}

#[test]
fn until_then_the_batch_is_not_over() {
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    for request in [Bind, Execute, Sync] {
        scanner.expect(request, Forward).unwrap();
    }
    assert_eq!(scanner.scan(&say("2G")).unwrap().reached, Reached::CopyIn);
    scanner.expect(Sync, Forward).unwrap();
    scanner.expect(CopyEnd, Forward).unwrap();
    let scan = scanner.scan(&say("C")).unwrap();
    assert_eq!(scan.reached, Reached::Answered);
    assert!(!scanner.is_idle());
}

#[test]
fn nothing_else_is_sent_among_the_data() {
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    scanner.expect(Query, Forward).unwrap();
    assert_eq!(scanner.scan(&say("G")).unwrap().reached, Reached::CopyIn);
    let refused = scanner.expect(Query, Forward);
    assert_eq!(refused, Err(Violation::Unexpected { what: "message in the data of a COPY" }));
}

#[test]
fn data_may_be_sent_before_it_is_asked_for() {
    let outcome = copied(&[Query, CopyEnd, Query], &[], "GCZTDCZ");
    assert_eq!(outcome.stops, [Reached::Ready, Reached::Ready]);
    // In vain, too.
    copied(&[Query, CopyEnd, Query], &[], "EZTDCZ");
    copied(&[Query, CopyEnd], &[], "CZ");
    copied(&[Execute, CopyEnd, Sync], &[], "EZ");
    copied(&[CopyEnd, Query], &[], "CZ");
    // What is none of it is an error for the server.
    let outcome = copied(&[Query, Query], &[], "GEZ");
    assert_eq!(outcome.stops, [Reached::CopyIn, ERROR, Reached::Ready]);
}

#[test]
fn data_of_a_server_is_passed_on() {
    let outcome = copied(&[Query], &[], "HdddcCZ");
    assert_eq!((outcome.summary.rows, outcome.summary.changed), (0, 3));
    copied(&[Query], &[], "HdEZ");
    copied(&[Bind, Execute, Sync], &[], "2HddcCZ");
    copied(&[Query], &[], "TDCHdcCZ");
}

#[test]
fn replication_has_both_send() {
    let mut scanner = Scanner::new(TransactionStatus::Idle);
    scanner.expect(Query, Forward).unwrap();
    let start = scanner.scan(&say("W")).unwrap();
    assert_eq!((start.forward, start.reached), (5, Reached::CopyBoth));
    assert_eq!(scanner.scan(&say("ddd")).unwrap().forward, say("ddd").len());
    scanner.expect(CopyEnd, Forward).unwrap();
    let end = say("dcTDCCZ");
    let scan = scanner.scan(&end).unwrap();
    assert_eq!((scan.forward, scan.reached), (end.len(), Reached::Ready));
    assert!(scanner.is_idle());
}
