use super::*;

fn one(sequence: u8, payload: &[u8]) -> BytesMut {
    let (mut out, mut sequence) = (BytesMut::new(), sequence);
    write(&mut out, &mut sequence, payload);
    out
}

#[test]
fn a_header_is_little_endian() {
    let header = Header { len: 0x03_0201, sequence: 9 };
    assert_eq!(header.encode(), [1, 2, 3, 9]);
    assert_eq!(Header::decode([1, 2, 3, 9]), header);
}

#[test]
fn packets_come_out_whole_however_the_bytes_arrive() {
    let mut stream = one(0, b"first");
    stream.unsplit(one(7, b""));
    stream.unsplit(one(255, b"third"));
    for split in 0..=stream.len() {
        let (mut packets, mut buf, mut got) = (Packets::new(10), BytesMut::new(), Vec::new());
        for arrived in [&stream[..split], &stream[split..]] {
            buf.put_slice(arrived);
            while let Some(packet) = packets.next(&mut buf).unwrap() {
                got.push((packet.sequence, packet.payload.to_vec()));
            }
        }
        let expected = vec![(0, b"first".to_vec()), (7, Vec::new()), (255, b"third".to_vec())];
        assert_eq!(got, expected, "split at {split}");
    }
}

#[test]
fn long_packets_are_split_and_joined() {
    for (len, parts) in
        [(PAYLOAD_MAX - 1, 1), (PAYLOAD_MAX, 2), (PAYLOAD_MAX + 1, 2), (2 * PAYLOAD_MAX, 3)]
    {
        let payload: Vec<u8> = (0..=250).cycle().take(len).collect();
        let (mut out, mut sequence) = (BytesMut::new(), 254);
        write(&mut out, &mut sequence, &payload);
        assert_eq!(sequence, 254u8.wrapping_add(parts));
        assert_eq!(out.len(), len + usize::from(parts) * HEADER_LEN);

        let (mut again, mut sequence_again) = (BytesMut::from(&b"before"[..]), 254);
        write_with(&mut again, &mut sequence_again, |out| out.put_slice(&payload));
        assert_eq!(sequence_again, sequence);
        assert!(again[6..] == out[..], "both ways to write agree at {len}");

        let packet = Packets::new(len).next(&mut out).unwrap().unwrap();
        assert_eq!(packet.sequence, sequence.wrapping_sub(1));
        assert!(packet.payload == payload, "joined as it was at {len}");
        assert!(out.is_empty());
    }
}

#[test]
fn a_claim_over_the_limit_fails_on_its_header_alone() {
    let mut buf = BytesMut::from(&[0xff, 0xff, 0xfe, 0][..]);
    let before = buf.capacity();
    let error = Packets::new(1000).next(&mut buf).unwrap_err();
    assert_eq!(error, Violation::TooLong { what: "a packet", len: 0xfe_ffff, max: 1000 });
    assert_eq!(buf.capacity(), before);
}

#[test]
fn parts_count_together_against_the_limit() {
    let mut buf = one(0, &vec![0; PAYLOAD_MAX]);
    buf.truncate(HEADER_LEN + PAYLOAD_MAX);
    buf.put_slice(&[2, 0, 0, 1]);
    let error = Packets::new(PAYLOAD_MAX + 1).next(&mut buf).unwrap_err();
    let (len, max) = (PAYLOAD_MAX as u64 + 2, PAYLOAD_MAX as u64 + 1);
    assert_eq!(error, Violation::TooLong { what: "a packet", len, max });
}

#[test]
fn parts_out_of_order_are_refused() {
    let mut buf = one(3, &vec![0; PAYLOAD_MAX]);
    buf[HEADER_LEN + PAYLOAD_MAX + 3] = 5;
    let error = Packets::new(usize::MAX).next(&mut buf).unwrap_err();
    assert_eq!(error, Violation::OutOfOrder { expected: 4, got: 5 });
}
