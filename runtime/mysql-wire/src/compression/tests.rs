//! Streams that are cut, packed, cut again, unpacked, and tampered with.

use std::io::{Read as _, Write as _};

use super::*;

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd { level: 3 }];

/// Reads everything that was sent, which arrives in pieces that end at `cuts`, through an output
/// of `room` bytes.
fn read(codec: &mut Codec, sent: &[u8], cuts: &[usize], room: usize) -> Result<Vec<u8>, Violation> {
    let (mut engines, mut taken, mut plain) = (Engines::default(), 0, Vec::new());
    let mut output = vec![0; room];
    for cut in cuts.iter().copied().chain([sent.len()]) {
        loop {
            let input = &sent[taken..cut];
            let progress = codec.decompress(&mut engines, input, &mut output)?;
            assert!(progress.taken <= input.len() && progress.given <= room);
            taken += progress.taken;
            plain.extend_from_slice(&output[..progress.given]);
            if progress.given == 0 {
                break;
            }
        }
    }
    assert!(taken == sent.len() || codec.incoming.is_some());
    Ok(plain)
}

fn write(algorithm: Algorithm, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Codec::new(algorithm).compress(&mut Engines::default(), plain, &mut out);
    out
}

fn packet(sequence: u8, plain_len: usize, payload: &[u8]) -> Vec<u8> {
    let header = Header { len: payload.len(), sequence, plain_len }.encode();
    [&header[..], payload].concat()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// What neither gets shorter for ever nor is noise.
fn text(len: usize) -> Vec<u8> {
    let line = |n: usize| format!("({n}, 'row number {}', {}),\n", n * 7919 % 1000, n % 13);
    let lines: Vec<u8> = (0..3000).flat_map(|n| line(n).into_bytes()).collect();
    lines.repeat(len.div_ceil(lines.len()))[..len].to_vec()
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()[7]
    };
    (0..len).map(|_| byte()).collect()
}

#[test]
fn the_examples_of_the_manual_are_understood() {
    let sent =
        b"\x22\0\0\0\x32\0\0\x78\x9c\xd3\x63\x60\x60\x60\x2e\x4e\xcd\x49\x4d\x2e\x51\x50\x32\x30\
        \x34\x32\x36\x31\x35\x33\xb7\xb0\xc4\xcd\x52\x02\0\x0c\xd1\x0a\x6c";
    let plain = read(&mut Codec::new(Algorithm::Zlib), sent, &[], 100).unwrap();
    assert_eq!(plain, b"\x2e\0\0\0\x03select \"012345678901234567890123456789012345\"");
    let stored = b"\x0d\0\0\0\0\0\0\x09\0\0\0\x03SELECT 1";
    let plain = read(&mut Codec::new(Algorithm::Zlib), stored, &[], 100).unwrap();
    assert_eq!(plain, b"\x09\0\0\0\x03SELECT 1");
}

#[test]
fn what_is_written_is_what_the_libraries_read() {
    let plain = text(10_000);
    for algorithm in ALGORITHMS {
        let sent = write(algorithm, &plain);
        let header = Header::decode(*sent.first_chunk().unwrap());
        let whole = Header { len: sent.len() - HEADER_LEN, sequence: 0, plain_len: plain.len() };
        assert_eq!(header, whole);
        assert!(sent.len() < plain.len() / 3, "{algorithm:?}: {}", sent.len());
        let mut read = Vec::new();
        match algorithm {
            Algorithm::Zlib => {
                flate2::read::ZlibDecoder::new(&sent[HEADER_LEN..]).read_to_end(&mut read).unwrap();
            }
            Algorithm::Zstd { .. } => read = zstd::decode_all(&sent[HEADER_LEN..]).unwrap(),
        }
        assert_eq!(read, plain);
    }
}

#[test]
fn what_would_not_get_shorter_is_stored() {
    for algorithm in ALGORITHMS {
        for plain in [vec![b'a'; COMPRESSED_MIN - 1], noise(500), noise(1)] {
            assert_eq!(write(algorithm, &plain), packet(0, 0, &plain));
        }
        assert!(write(algorithm, &[b'a'; COMPRESSED_MIN]).len() < COMPRESSED_MIN);
        assert!(write(algorithm, b"").is_empty());
    }
}

#[test]
fn packets_come_back_whichever_way_they_are_cut() {
    for algorithm in ALGORITHMS {
        let plain = [text(300), noise(60), text(20)];
        let (mut engines, mut codec, mut sent) =
            (Engines::default(), Codec::new(algorithm), Vec::new());
        for piece in &plain {
            codec.compress(&mut engines, piece, &mut sent);
        }
        let plain = plain.concat();
        for cut in 0..=sent.len() {
            let read = read(&mut Codec::new(algorithm), &sent, &[cut], 64).unwrap();
            assert_eq!(read, plain, "{algorithm:?} cut at {cut}");
        }
        let every: Vec<usize> = (0..sent.len()).collect();
        for room in [1, 7, 299, 300, 301, 10_000] {
            assert_eq!(read(&mut Codec::new(algorithm), &sent, &every, room).unwrap(), plain);
            assert_eq!(read(&mut Codec::new(algorithm), &sent, &[], room).unwrap(), plain);
        }
    }
}

#[test]
fn any_stream_comes_back() {
    let (text, noise) = (text(70_000), noise(70_000));
    let mut state = 88_172_645_463_325_252_u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % limit as u64).unwrap()
    };
    for round in 0..200 {
        let algorithm = ALGORITHMS[round % 2];
        let (mut engines, mut codec) = (Engines::default(), Codec::new(algorithm));
        let (mut plain, mut sent) = (Vec::new(), Vec::new());
        for _ in 0..=below(5) {
            let source = if below(3) == 0 { &noise } else { &text };
            let len = [60, 5_000, 70_000][below(3)];
            let piece = &source[..below(len)];
            plain.extend_from_slice(piece);
            codec.compress(&mut engines, piece, &mut sent);
        }
        let mut cuts: Vec<usize> = (0..below(4)).map(|_| below(sent.len() + 1)).collect();
        cuts.sort_unstable();
        let room = 1 + below(40_000);
        let back = read(&mut Codec::new(algorithm), &sent, &cuts, room).unwrap();
        assert!(back == plain, "{algorithm:?}, cut at {cuts:?}, {room} bytes of room");
    }
}

#[test]
fn the_longest_piece_and_one_byte_more() {
    for algorithm in ALGORITHMS {
        for (more, packets) in [(0, 1), (1, 2)] {
            let plain = text(PAYLOAD_MAX + more);
            let sent = write(algorithm, &plain);
            let mut codec = Codec::new(algorithm);
            assert!(read(&mut codec, &sent, &[100, 10_000], 32 << 10).unwrap() == plain);
            assert_eq!(codec.sequence(), packets);
        }
    }
}

#[test]
fn what_is_written_in_parts_is_one_packet() {
    for (plain, len) in [(text(200_000), 50_000), (noise(200_000), 201_000), (text(10), 30)] {
        let (mut engines, mut codec, mut out) =
            (Engines::default(), Codec::new(Algorithm::Zlib), vec![7; 3]);
        for part in plain.chunks(30_000) {
            codec.compress_part(&mut engines, part, &mut out);
            assert!(codec.is_open());
        }
        codec.end_part(&mut engines, &mut out);
        assert!(!codec.is_open() && out.len() < len, "{}", out.len());
        assert_eq!(codec.sequence(), 1);
        assert!(read(&mut Codec::new(Algorithm::Zlib), &out[3..], &[], 32_768).unwrap() == plain);

        // What is written whole ends it too.
        out.clear();
        let mut codec = Codec::new(Algorithm::Zlib);
        codec.compress_part(&mut engines, &plain, &mut out);
        codec.compress(&mut engines, &plain, &mut out);
        assert_eq!((codec.sequence(), codec.is_open()), (1, false));
        let back = read(&mut Codec::new(Algorithm::Zlib), &out, &[], 32_768).unwrap();
        assert!(back == plain.repeat(2));
    }
}

/// The longest packet of the protocol is cut once.
#[test]
fn parts_that_do_not_fit_into_a_packet_go_into_the_next() {
    for plain in [text(PAYLOAD_MAX + 4), noise(PAYLOAD_MAX + 4)] {
        let (mut engines, mut codec, mut out) =
            (Engines::default(), Codec::new(Algorithm::Zlib), Vec::new());
        for part in plain.chunks(1 << 20) {
            codec.compress_part(&mut engines, part, &mut out);
        }
        codec.end_part(&mut engines, &mut out);
        assert_eq!(codec.sequence(), 2);
        let back = read(&mut Codec::new(Algorithm::Zlib), &out, &[], 1 << 20).unwrap();
        assert!(back == plain);
    }
}

#[test]
fn zstd_writes_each_part_as_a_packet() {
    let (mut engines, mut out) = (Engines::default(), Vec::new());
    let mut codec = Codec::new(Algorithm::Zstd { level: 1 });
    for part in text(10_000).chunks(4000) {
        codec.compress_part(&mut engines, part, &mut out);
        assert!(!codec.is_open());
    }
    assert_eq!(codec.sequence(), 3);
}

#[test]
fn numbers_go_on_in_the_reply_and_start_again_with_a_command() {
    let (mut engines, mut codec) = (Engines::default(), Codec::new(Algorithm::Zlib));
    let mut output = [0; 100];
    let mut next = |codec: &mut Codec, sequence| {
        codec.decompress(&mut engines, &packet(sequence, 0, b"x"), &mut output)
    };
    let one = Ok(Progress { taken: HEADER_LEN + 1, given: 1 });
    assert_eq!(next(&mut codec, 0), one);
    assert_eq!(next(&mut codec, 1), one);
    let mut reply = Vec::new();
    codec.compress(&mut Engines::default(), b"y", &mut reply);
    assert_eq!((reply[3], codec.sequence()), (2, 3));
    assert_eq!(next(&mut codec, 0), one);
    assert_eq!(codec.sequence(), 1);
    assert_eq!(next(&mut codec, 3), Err(Violation::OutOfOrder { expected: 1, got: 3 }));
}

#[test]
fn numbers_go_from_255_to_0() {
    let sent: Vec<u8> = (0..=u8::MAX).chain([0, 1]).flat_map(|n| packet(n, 0, b"x")).collect();
    let mut codec = Codec::new(Algorithm::Zlib);
    assert_eq!(read(&mut codec, &sent, &[], 10).unwrap().len(), 258);
    assert_eq!(codec.sequence(), 2);
}

/// What the second command does must not be told as a part of the first.
#[test]
fn no_more_than_the_packet_at_hand_is_read_at_a_time() {
    for algorithm in ALGORITHMS {
        let sent = [write(algorithm, &text(80)), write(algorithm, &text(90))].concat();
        let (mut engines, mut codec) = (Engines::default(), Codec::new(algorithm));
        let mut output = [0; 1000];
        let first = codec.decompress(&mut engines, &sent, &mut output).unwrap();
        assert_eq!((first.given, codec.sequence()), (80, 1));
        let rest = &sent[first.taken..];
        assert_eq!(codec.decompress(&mut engines, rest, &mut output).unwrap().given, 90);
    }
}

#[test]
fn empty_packets_are_passed_over() {
    let sent = [packet(0, 0, b""), packet(1, 0, b""), packet(2, 0, b"x")].concat();
    assert_eq!(read(&mut Codec::new(Algorithm::Zlib), &sent, &[], 10).unwrap(), b"x");
}

#[test]
fn lengths_that_are_not_true_are_refused() {
    let plain = text(1000);
    for algorithm in ALGORITHMS {
        let packed = packed(algorithm, &plain);
        let whole = packed.len();
        let refused = |sent: &[u8]| {
            for room in [10, 999, 1000, 1001, 5000] {
                let read = read(&mut Codec::new(algorithm), sent, &[], room);
                assert_eq!(read, Err(MALFORMED), "{algorithm:?} {room}");
            }
        };
        for wrong in [1, 2, 500, 999, 1001, 2000, PAYLOAD_MAX] {
            refused(&packet(0, wrong, &packed));
        }
        for cut in [0, 1, 2, whole / 2, whole - 4, whole - 1] {
            refused(&packet(0, 1000, &packed[..cut]));
        }
        refused(&packet(0, 1000, &[&packed[..], b"x"].concat()));
        refused(&packet(0, 1000, &plain));
    }
}

#[test]
fn another_algorithm_than_the_agreed_one_is_refused() {
    let plain = text(1000);
    let [zlib, zstd] = ALGORITHMS;
    for (says, sends) in [(zlib, zstd), (zstd, zlib)] {
        let read = read(&mut Codec::new(says), &write(sends, &plain), &[], 5000);
        assert_eq!(read, Err(MALFORMED));
    }
}

fn packed(algorithm: Algorithm, plain: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Zlib => zlib(plain),
        Algorithm::Zstd { level } => zstd::bulk::compress(plain, level.into()).unwrap(),
    }
}

/// 16 MiB in 16 KiB: what is asked for is given, a little at a time, and not a byte more.
#[test]
fn a_bomb_gives_no_more_than_it_declares() {
    let zeros = vec![0; PAYLOAD_MAX];
    for algorithm in ALGORITHMS {
        let (mut engines, mut output) = (Engines::default(), vec![0; 4096]);
        let packed = packed(algorithm, &zeros);
        let bomb = packet(0, PAYLOAD_MAX, &packed);
        assert!(bomb.len() < 20_000);
        let (mut codec, mut taken, mut given) = (Codec::new(algorithm), 0, 0);
        while given < PAYLOAD_MAX {
            let progress = codec.decompress(&mut engines, &bomb[taken..], &mut output).unwrap();
            assert!(progress.given > 0);
            (taken, given) = (taken + progress.taken, given + progress.given);
        }
        assert!(codec.incoming.is_none());
        let sent = packet(0, 100, &packed);
        assert_eq!(read(&mut Codec::new(algorithm), &sent, &[], 4096), Err(MALFORMED));
    }
}

/// As an encoder writes it that does not know how much will come.
#[test]
fn frames_of_zstd_need_not_tell_their_length() {
    let plain = text(300_000);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    plain.chunks(1000).for_each(|chunk| encoder.write_all(chunk).unwrap());
    let sent = packet(0, plain.len(), &encoder.finish().unwrap());
    let algorithm = Algorithm::Zstd { level: 3 };
    for room in [1000, 32_768, 1 << 20] {
        let back = read(&mut Codec::new(algorithm), &sent, &[10, 1000], room).unwrap();
        assert!(back == plain);
    }
    // A window of 2 GiB in nine bytes.
    let huge = packet(0, 1000, b"\x28\xb5\x2f\xfd\x00\xa8\x29\0\0hello");
    assert_eq!(read(&mut Codec::new(algorithm), &huge, &[], 1000), Err(MALFORMED));
}

#[test]
fn a_client_that_can_do_both_means_zlib() {
    let (zlib, zstd) = (Capabilities::COMPRESS, Capabilities::ZSTD_COMPRESSION);
    assert_eq!(Algorithm::agreed(Capabilities::PROTOCOL_41, 3), None);
    assert_eq!(Algorithm::agreed(zlib | zstd, 3), Some(Algorithm::Zlib));
    for (asked, level) in [(0, 1), (1, 1), (3, 3), (9, 9), (22, 9), (255, 9)] {
        assert_eq!(Algorithm::agreed(zstd, asked), Some(Algorithm::Zstd { level }));
    }
}
