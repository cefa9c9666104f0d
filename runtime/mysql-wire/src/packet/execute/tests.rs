use super::super::{QueryAttributes, cuts};
use super::*;

const PLAIN: Capabilities = Capabilities::PROTOCOL_41;
const NAMED: Capabilities = PLAIN.union(Capabilities::QUERY_ATTRIBUTES);

/// Of statement 7 with two parameters: 300 and NULL. As a client without attributes sends it.
const TWO: &[u8] = b"\x07\0\0\0\0\x01\0\0\0\x02\x01\x02\0\x06\0\x2c\x01";
/// The same of a client that has them, and sends `trace` = `abc`.
const TRACED: &[u8] =
    b"\x07\0\0\0\x08\x01\0\0\0\x03\x02\x01\x02\0\0\x06\0\0\xfd\0\x05trace\x2c\x01\x03abc";

fn two() -> Prepared<'static> {
    Prepared { parameters: 2, ..Prepared::default() }
}

fn encoded(execute: &Execute<'_>, capabilities: Capabilities, types: bool) -> BytesMut {
    let mut out = BytesMut::new();
    execute.encode(&mut out, capabilities, types);
    out
}

#[test]
fn each_form_comes_back_and_becomes_the_other() {
    let plain = Execute::decode(TWO, &two(), PLAIN).unwrap();
    assert_eq!((plain.statement_id, plain.flags), (7, ExecuteFlags::empty()));
    assert_eq!(plain.attributes().count(), 0);
    assert_eq!(encoded(&plain, PLAIN, false), TWO);

    let traced = Execute::decode(TRACED, &two(), NAMED).unwrap();
    let attributes: Vec<_> = traced.attributes().collect();
    assert_eq!(attributes.len(), 1);
    assert_eq!((attributes[0].name, attributes[0].value), (&b"trace"[..], Some(&b"abc"[..])));
    assert_eq!(encoded(&traced, NAMED, false), TRACED);
    assert_eq!(encoded(&traced, PLAIN, false), TWO);

    // A client that knows attributes, and sends none.
    let named = encoded(&plain, NAMED, false);
    assert_eq!(&named[..], b"\x07\0\0\0\0\x01\0\0\0\x02\x02\x01\x02\0\0\x06\0\0\x2c\x01");
    let back = Execute::decode(&named, &two(), NAMED).unwrap();
    assert_eq!(encoded(&back, PLAIN, false), TWO);
}

#[test]
fn a_statement_without_parameters_may_have_attributes() {
    let none = Prepared::default();
    let bare = b"\x07\0\0\0\x01\x01\0\0\0";
    for capabilities in [PLAIN, NAMED] {
        let execute = Execute::decode(bare, &none, capabilities).unwrap();
        assert_eq!(execute.flags, ExecuteFlags::CURSOR_READ_ONLY);
        assert_eq!(encoded(&execute, capabilities, true), bare[..]);
    }
    let traced = b"\x07\0\0\0\x08\x01\0\0\0\x01\0\x01\xfd\0\x01t\x02ab";
    let execute = Execute::decode(traced, &none, NAMED).unwrap();
    assert_eq!(execute.attributes().next().map(|one| one.value), Some(Some(&b"ab"[..])));
    assert_eq!(encoded(&execute, NAMED, false), traced[..]);
    assert_eq!(&encoded(&execute, PLAIN, false)[..], b"\x07\0\0\0\0\x01\0\0\0");
}

#[test]
fn types_that_are_not_sent_are_those_of_before() {
    let types = Execute::decode(TRACED, &two(), NAMED).unwrap().types().unwrap();
    assert_eq!(types, b"\x02\0\x06\0\xfd\0");
    let again = b"\x07\0\0\0\x08\x01\0\0\0\x03\x02\0\x2c\x01\x03xyz";
    let known = Prepared { types: &types, ..two() };
    let execute = Execute::decode(again, &known, NAMED).unwrap();
    assert_eq!(execute.types(), None);
    let attributes: Vec<_> = execute.attributes().collect();
    assert_eq!((attributes[0].name, attributes[0].value), (&b""[..], Some(&b"xyz"[..])));
    assert_eq!(encoded(&execute, NAMED, false), again[..]);
    // For a server that was told them in another session, or never.
    assert_eq!(encoded(&execute, PLAIN, true), TWO);
    let omitted = b"\x07\0\0\0\0\x01\0\0\0\x02\0\x2c\x01";
    assert_eq!(encoded(&execute, PLAIN, false), omitted[..]);

    // Where a value ends is not known without its type.
    assert!(Execute::decode(again, &two(), NAMED).is_err());
    // Without attributes nobody has to know.
    let execute = Execute::decode(omitted, &two(), PLAIN).unwrap();
    assert_eq!(encoded(&execute, PLAIN, true), omitted[..]);
}

#[test]
fn long_data_is_not_sent_again() {
    let long = b"\x07\0\0\0\x08\x01\0\0\0\x03\x02\x01\xfc\0\0\x06\0\0\xfd\0\x01t\x02ab";
    let prepared = Prepared { long_data: &[0], ..two() };
    let execute = Execute::decode(long, &prepared, NAMED).unwrap();
    assert_eq!(execute.attributes().next().map(|one| one.value), Some(Some(&b"ab"[..])));
    let plain = b"\x07\0\0\0\0\x01\0\0\0\x02\x01\xfc\0\x06\0";
    assert_eq!(encoded(&execute, PLAIN, false), plain[..]);
}

#[test]
fn bits_of_attributes_are_no_bits_of_parameters() {
    // Eight parameters that are NULL, and one attribute that is.
    let mut argument = b"\x07\0\0\0\x08\x01\0\0\0\x09\xff\x01\x01".to_vec();
    for _ in 0..9 {
        argument.extend(b"\xfd\0\0");
    }
    let eight = Prepared { parameters: 8, ..Prepared::default() };
    let execute = Execute::decode(&argument, &eight, NAMED).unwrap();
    assert_eq!(execute.attributes().map(|one| one.value).collect::<Vec<_>>(), [None]);
    let plain = encoded(&execute, PLAIN, false);
    assert_eq!(plain[..11], b"\x07\0\0\0\0\x01\0\0\0\xff\x01"[..]);
    assert_eq!(plain.len(), 11 + 16);
}

#[test]
fn what_is_cut_or_makes_no_sense_is_refused() {
    cuts::are_refused(TRACED, |bytes| Execute::decode(bytes, &two(), NAMED).map(|_| ()));
    // Values are not looked at where there is nothing behind them.
    for cut in 0..TWO.len() - 2 {
        assert!(Execute::decode(&TWO[..cut], &two(), PLAIN).is_err(), "cut at {cut}");
    }
    let fewer = b"\x07\0\0\0\x08\x01\0\0\0\x01\0\x01\xfd\0\x01t\x02ab";
    assert!(Execute::decode(fewer, &two(), NAMED).is_err());
    let many = b"\x07\0\0\0\x08\x01\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert!(Execute::decode(many, &two(), NAMED).is_err());
    assert!(Execute::decode(&QueryAttributes::NONE, &two(), NAMED).is_err());
}
