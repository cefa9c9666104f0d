//! What only MariaDB says in replies.

use super::*;

const KEEPS: Capabilities = DEPRECATES.union(Capabilities::CACHE_METADATA);
const EXTENDED: Capabilities = DEPRECATES.union(Capabilities::EXTENDED_METADATA);

/// Rows whose definitions the client has from before.
fn without_definitions(capabilities: Capabilities) -> BytesMut {
    let (mut out, mut sequence) = (BytesMut::new(), 1);
    frame::write(&mut out, &mut sequence, &[2, 0]);
    if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
        frame::write(&mut out, &mut sequence, b"\xfe\0\0\x02\0");
    }
    frame::write(&mut out, &mut sequence, b"\0\0\x01a\x01b");
    let end: &[u8] = match capabilities.contains(Capabilities::DEPRECATE_EOF) {
        true => b"\xfe\0\0\x02\0\0\0",
        false => b"\xfe\0\0\x02\0",
    };
    frame::write(&mut out, &mut sequence, end);
    out
}

fn scanned(capabilities: Capabilities, reply: &[u8]) -> Result<Summary, Violation> {
    for cut in 0..reply.len() {
        let mut scanner = Scanner::new(Expect::Results, Side::new(capabilities, 1));
        let first = scanner.scan(&reply[..cut])?;
        assert_eq!(scanner.scan(&reply[first.forward..])?.reached, Reached::End, "cut at {cut}");
    }
    let mut scanner = Scanner::new(Expect::Results, Side::new(capabilities, 1));
    scanner.scan(reply)?;
    Ok(scanner.summary())
}

#[test]
fn definitions_may_be_left_out() {
    for capabilities in [KEEPS, KEEPS.difference(Capabilities::DEPRECATE_EOF)] {
        let summary = scanned(capabilities, &without_definitions(capabilities)).unwrap();
        assert_eq!((summary.rows, summary.status), (1, Some(StatusFlags::AUTOCOMMIT)));
        let summary = scanned(capabilities, &one_result(capabilities)).unwrap();
        assert_eq!(summary.rows, 3);
    }
    assert!(scanned(KEEPS, b"\x01\0\0\x01\x02").is_err());
}

fn bridged(
    client: Capabilities,
    server: Capabilities,
    reply: &[u8],
) -> Result<BytesMut, Violation> {
    let side = |capabilities| Side::new(capabilities, 1);
    assert!(Scanner::between(Expect::Results, side(client), side(server)).is_none());
    let mut translator = Translator::new(Expect::Results, side(client), side(server));
    let mut out = BytesMut::new();
    for cut in 0..reply.len() {
        translator = Translator::new(Expect::Results, side(client), side(server));
        out.clear();
        let first = translator.translate(&reply[..cut], &mut out)?;
        let second = translator.translate(&reply[first.forward..], &mut out)?;
        assert_eq!(second.reached, Reached::End, "cut at {cut}");
    }
    assert!(translator.at_boundary());
    Ok(out)
}

#[test]
fn a_client_that_keeps_definitions_hears_that_they_are_sent() {
    assert_eq!(bridged(KEEPS, DEPRECATES, &one_result(DEPRECATES)), Ok(one_result(KEEPS)));
    assert_eq!(bridged(DEPRECATES, KEEPS, &one_result(KEEPS)), Ok(one_result(DEPRECATES)));
    assert!(bridged(DEPRECATES, KEEPS, &without_definitions(KEEPS)).is_err());
}

#[test]
fn definitions_get_and_lose_what_only_mariadb_knows() {
    let plain_extended = EXTENDED.difference(Capabilities::DEPRECATE_EOF);
    let all = [PLAIN, DEPRECATES, EXTENDED, plain_extended];
    for client in all {
        for server in all.into_iter().filter(|server| *server != client) {
            let expected = one_result(client);
            assert_eq!(bridged(client, server, &one_result(server)), Ok(expected));
        }
    }
    let mut cut_short = BytesMut::new();
    frame::write(&mut cut_short, &mut 1, &[1]);
    frame::write(&mut cut_short, &mut 2, b"\x03def\x05a");
    assert!(bridged(EXTENDED, DEPRECATES, &cut_short).is_err());
}

/// `ALTER TABLE` says how far it is, and then that it is done.
#[test]
fn reports_of_progress_are_no_errors() {
    let reports = DEPRECATES | Capabilities::PROGRESS;
    let report = b"\xff\xff\xff\x01\x01\x02\x10\x27\0\x12copy to tmp table";
    let (mut reply, mut sequence) = (BytesMut::new(), 1);
    frame::write(&mut reply, &mut sequence, report);
    frame::write(&mut reply, &mut sequence, report);
    frame::write(&mut reply, &mut sequence, b"\0\0\0\x02\0\0\0");
    let summary = scanned(reports, &reply).unwrap();
    assert_eq!((summary.error, summary.status), (None, Some(StatusFlags::AUTOCOMMIT)));
    let plain = bridged(DEPRECATES, reports, &reply).unwrap();
    assert_eq!(&plain[..], b"\x07\0\0\x01\0\0\0\x02\0\0\0");
    // To a server that nobody asked for reports, it is an error like any other.
    let mut scanner = Scanner::new(Expect::Results, side(true));
    assert_eq!(scanner.scan(&reply).map(|scan| scan.reached), Ok(Reached::End));
    assert_eq!(scanner.summary().error, Some(0xffff));
}
