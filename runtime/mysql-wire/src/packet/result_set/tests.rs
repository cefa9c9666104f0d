use super::*;
use crate::frame::Packets;

const STATUS: StatusFlags = StatusFlags::AUTOCOMMIT;

fn columns() -> Vec<ColumnDefinition> {
    vec![
        ColumnDefinition::new("n", ColumnType::LONGLONG),
        ColumnDefinition::new("d", ColumnType::DOUBLE),
        ColumnDefinition::new("t", ColumnType::VAR_STRING),
    ]
}

fn cell(text: &str) -> Cell {
    Some(text.as_bytes().to_vec())
}

/// The payloads, whose numbers must count up from 1.
fn payloads(mut out: BytesMut) -> Vec<Vec<u8>> {
    let (mut packets, mut list) = (Packets::new(1 << 20), Vec::new());
    while let Some(packet) = packets.next(&mut out).unwrap() {
        list.push(packet.payload.to_vec());
        assert_eq!(usize::from(packet.sequence), list.len());
    }
    assert!(out.is_empty());
    list
}

fn text(capabilities: Capabilities) -> Vec<Vec<u8>> {
    let (mut out, mut sequence) = (BytesMut::new(), 1);
    let rows = [vec![cell("-1"), cell("1.5"), None]];
    result_set(&mut out, &mut sequence, &columns(), &rows, capabilities, STATUS);
    payloads(out)
}

#[test]
fn with_eof_packets_columns_and_rows_end_with_one_each() {
    let payloads = text(Capabilities::PROTOCOL_41);
    assert_eq!(payloads.len(), 1 + 3 + 1 + 1 + 1);
    assert_eq!(payloads[0], [3]);
    assert_eq!(payloads[4], b"\xfe\0\0\x02\0");
    assert_eq!(payloads[5], b"\x02-1\x031.5\xfb");
    assert_eq!(payloads[6], b"\xfe\0\0\x02\0");
}

#[test]
fn without_eof_packets_only_the_rows_end() {
    let payloads = text(Capabilities::PROTOCOL_41 | Capabilities::DEPRECATE_EOF);
    assert_eq!(payloads.len(), 1 + 3 + 1 + 1);
    assert_eq!(payloads[4], b"\x02-1\x031.5\xfb");
    assert_eq!(payloads[5], b"\xfe\0\0\x02\0\0\0");
}

#[test]
fn binary_values_have_the_form_of_their_column() {
    let (mut out, mut sequence) = (BytesMut::new(), 1);
    let rows = [vec![cell("-2"), cell("0.5"), cell("ab")], vec![None, cell("1"), None]];
    let capabilities = Capabilities::DEPRECATE_EOF;
    binary_result_set(&mut out, &mut sequence, &columns(), &rows, capabilities, STATUS).unwrap();
    assert_eq!(sequence, 8);
    let payloads = payloads(out);
    let values = [&(-2i64).to_le_bytes()[..], &0.5f64.to_le_bytes(), b"\x02ab"].concat();
    assert_eq!(payloads[4], [&[0, 0][..], &values].concat());
    assert_eq!(payloads[5], [&[0, 0b10100][..], &1f64.to_le_bytes()].concat());
}

#[test]
fn nulls_are_counted_from_the_third_bit() {
    let row = |len, null| (0..len).map(|at| if at == null { None } else { cell("x") }).collect();
    let bits = |row: Vec<Cell>| null_bits(&row);
    assert_eq!(bits(row(6, 5)), [0b1000_0000]);
    assert_eq!(bits(row(7, 6)), [0, 1]);
    assert_eq!(bits(row(14, 0)), [0b100, 0]);
}

#[test]
fn a_value_of_another_type_leaves_nothing_behind() {
    for row in [vec![cell("one"), None, None], vec![None, cell("x"), None], vec![None, None]] {
        let (mut out, mut sequence) = (BytesMut::from(&b"before"[..]), 1);
        let result = binary_result_set(
            &mut out,
            &mut sequence,
            &columns(),
            &[vec![None, None, None], row],
            Capabilities::empty(),
            STATUS,
        );
        assert!(result.is_err());
        assert_eq!((&out[..], sequence), (&b"before"[..], 1));
    }
}

#[test]
fn a_prepared_statement_tells_its_parameters_before_its_columns() {
    let (mut out, mut sequence) = (BytesMut::new(), 1);
    let parameters = [ColumnDefinition::new("?", ColumnType::VAR_STRING)];
    prepared(&mut out, &mut sequence, 5, &parameters, &columns(), Capabilities::empty(), STATUS);
    let with_eof = payloads(out);
    assert_eq!(with_eof.len(), 1 + (1 + 1) + (3 + 1));
    let head = PrepareOk { statement_id: 5, columns: 3, parameters: 1, warnings: 0 };
    assert_eq!(PrepareOk::decode(&with_eof[0]), Ok(head));

    let (mut out, mut sequence) = (BytesMut::new(), 1);
    let capabilities = Capabilities::DEPRECATE_EOF;
    prepared(&mut out, &mut sequence, 5, &[], &[], capabilities, STATUS);
    assert_eq!(payloads(out).len(), 1);
}
