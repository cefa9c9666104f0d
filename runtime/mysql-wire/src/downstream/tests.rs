use super::*;
use crate::frame::Packets;

fn offer(tls: ClientTls) -> Offer {
    Offer {
        server_version: "8.0.36-tidegate".to_owned(),
        connection_id: 7,
        nonce: *b"abcdefghijklmnopqrst",
        capabilities: crate::capabilities::SUPPORTED_BY_CLIENT_SIDE,
        method: Method::CachingSha2Password,
        tls,
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        client_host: "10.0.0.9".to_owned(),
    }
}

fn packet(sequence: u8, payload: &[u8]) -> Packet {
    Packet {
        sequence,
        payload: BytesMut::from(payload),
    }
}

#[test]
fn the_greeting_says_whether_there_is_tls() {
    for (tls, offered) in [
        (ClientTls::Off, false),
        (ClientTls::Prefer, true),
        (ClientTls::Require, true),
    ] {
        let mut out = BytesMut::new();
        start(offer(tls), &mut out);
        let greeting = Packets::new(PACKET_MAX).next(&mut out).unwrap().unwrap();
        let greeting = Greeting::decode(&greeting.payload).unwrap();
        assert_eq!(greeting.capabilities.contains(Capabilities::SSL), offered);
        assert_eq!(
            (greeting.connection_id, &greeting.nonce),
            (7, b"abcdefghijklmnopqrst")
        );
    }
}

#[test]
fn a_packet_out_of_order_is_answered_with_1156() {
    let refusal = start(offer(ClientTls::Off), &mut BytesMut::new())
        .on_packet(packet(3, b"x"))
        .unwrap_err();
    assert_eq!(refusal.reason.as_str(), "violation");
    assert_eq!((refusal.error.code, refusal.sequence), (1156, 4));
}

#[test]
fn nonsense_is_answered_with_1043() {
    for nonsense in [&b""[..], b"\x00", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 40]] {
        let refusal = start(offer(ClientTls::Off), &mut BytesMut::new())
            .on_packet(packet(1, nonsense))
            .unwrap_err();
        assert_eq!(
            (refusal.error.code, refusal.sequence),
            (1043, 2),
            "{nonsense:?}"
        );
        let mut out = BytesMut::new();
        refusal.write(&mut out);
        assert_eq!(out[3..7], [2, 0xff, 0x13, 0x04]);
        assert_eq!(&out[7..13], b"#08S01");
    }
}
