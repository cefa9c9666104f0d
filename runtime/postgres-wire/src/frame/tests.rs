use super::*;

fn one(tag: u8, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    write_with(&mut out, tag, |out| out.put_slice(payload));
    out
}

#[test]
fn a_length_is_big_endian_and_counts_itself() {
    let header = Header { tag: b'Q', len: 0x01_0203 };
    assert_eq!(header.encode(), [b'Q', 0, 1, 2, 7]);
    assert_eq!(Header::decode([b'Q', 0, 1, 2, 7]), Ok(header));
    let mut out = BytesMut::from(&b"before"[..]);
    write_empty(&mut out, b'S');
    assert_eq!(&out[6..], b"S\0\0\0\x04");
    assert_eq!(one(b'Q', b"x\0"), &b"Q\0\0\0\x06x\0"[..]);
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let malformed = Err(Violation::Malformed { what: "the length of a message" });
    for length in [[0, 0, 0, 0], [0, 0, 0, 3], [0x80, 0, 0, 0], [0xff; 4]] {
        let [a, b, c, d] = length;
        assert_eq!(Header::decode([b'Q', a, b, c, d]), malformed);
        let packet = next_packet(&mut BytesMut::from(&length[..]), usize::MAX);
        assert_eq!(packet.map(|_| Header { tag: 0, len: 0 }), malformed);
    }
    let longest = Header { tag: b'd', len: PAYLOAD_MAX };
    assert_eq!(Header::decode(longest.encode()), Ok(longest));
}

#[test]
fn messages_come_out_whole_however_the_bytes_arrive() {
    let stream = [one(b'Q', b"SELECT 1\0"), one(b'S', b""), one(b'X', b"")].concat();
    for split in 0..=stream.len() {
        let (mut buf, mut got) = (BytesMut::new(), Vec::new());
        for arrived in [&stream[..split], &stream[split..]] {
            buf.put_slice(arrived);
            while let Some(message) = next_message(&mut buf, 9).unwrap() {
                got.push((message.tag, message.payload.to_vec()));
            }
        }
        let expected = [(b'Q', b"SELECT 1\0".to_vec()), (b'S', Vec::new()), (b'X', Vec::new())];
        assert_eq!(got, expected, "split at {split}");
    }
}

#[test]
fn packets_have_no_tag() {
    let mut buf = BytesMut::new();
    write_packet_with(&mut buf, |out| out.put_slice(b"abc"));
    assert_eq!(buf, &b"\0\0\0\x07abc"[..]);
    let mut short = BytesMut::from(&buf[..6]);
    assert_eq!(next_packet(&mut short, 3), Ok(None));
    assert_eq!(next_packet(&mut buf, 3).unwrap().unwrap(), &b"abc"[..]);
    assert!(buf.is_empty());
}

#[test]
fn a_claim_over_the_limit_fails_on_its_header_alone() {
    let mut buf = BytesMut::from(&[b'p', 0x3f, 0xff, 0xff, 0xff][..]);
    let before = buf.capacity();
    let error = next_message(&mut buf, 1000).unwrap_err();
    assert_eq!(error, Violation::TooLong { what: "a message", len: 0x3fff_fffb, max: 1000 });
    let error = next_packet(&mut BytesMut::from(&[0, 0, 0x27, 0x15][..]), 10_000).unwrap_err();
    assert_eq!(error, Violation::TooLong { what: "a startup packet", len: 10_001, max: 10_000 });
    assert_eq!(buf.capacity(), before);
}
