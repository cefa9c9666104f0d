//! Laws of the machines: bytes may be cut anywhere, and a peer that says anything gets nothing.
//!
//! The first byte of the data chooses the setting, the rest is what the peer sends. Each function
//! tells whether the peer has come to an end that is in order.

use bytes::BytesMut;
use tidegate_mysql_wire::auth::{Credential, Flow, Method, Verifier};
use tidegate_mysql_wire::capabilities::{Capabilities, SUPPORTED_BY_CLIENT_SIDE};
use tidegate_mysql_wire::compression::{Algorithm, Codec, Engines};
use tidegate_mysql_wire::downstream::{self, Auth, ClientTls, DecoyKey, Offer};
use tidegate_mysql_wire::frame::{self, Packet, Packets};
use tidegate_mysql_wire::relay::{
    Expect, Reached, Scan, Scanner, Side, Summary, Translator, Upload,
};
use tidegate_mysql_wire::status::StatusFlags;
use tidegate_mysql_wire::upstream::{self, Dial, LoginError, ServerTls};
use tidegate_wire::Violation;

use crate::target::{contains, split_first};

/// No packet of the fuzzers is longer than this.
const PACKET_MAX: usize = 4096;

const SECRET: &[u8] = b"a secret that is never sent in clear";

/// Of passwords that are not in the data.
const ED25519: &[u8] = b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";
const NATIVE: &[u8] = b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";

pub fn packets(data: &[u8]) -> bool {
    let (at, stream) = split_first(data);
    let whole = cut(stream, stream.len());
    assert_eq!(cut(stream, usize::from(at).min(stream.len())), whole);
    let (list, violation) = whole;
    let mut again = BytesMut::new();
    for packet in &list {
        assert!(packet.payload.len() <= PACKET_MAX);
        frame::write(&mut again, &mut packet.sequence.clone(), &packet.payload);
    }
    assert!(stream.starts_with(&again), "what was cut is what came");
    violation.is_none()
}

/// Packets and how it ended, with the bytes arriving in two pieces.
fn cut(stream: &[u8], at: usize) -> (Vec<Packet>, Option<Violation>) {
    let (mut packets, mut buf, mut list) = (Packets::new(PACKET_MAX), BytesMut::new(), Vec::new());
    for piece in [&stream[..at], &stream[at..]] {
        buf.extend_from_slice(piece);
        loop {
            match packets.next(&mut buf) {
                Ok(Some(packet)) => list.push(packet),
                Ok(None) => break,
                Err(violation) => return (list, Some(violation)),
            }
        }
    }
    (list, None)
}

/// A compressed stream becomes the same however it arrives, and packed again it comes back.
pub fn compression(data: &[u8]) -> bool {
    let (setting, stream) = split_first(data);
    let (at, stream) = split_first(stream);
    let algorithm = match setting & 1 {
        0 => Algorithm::Zlib,
        _ => Algorithm::Zstd { level: 1 },
    };
    let whole = decompress(algorithm, stream, stream.len(), PACKET_MAX);
    let at = usize::from(at).min(stream.len());
    assert_eq!(decompress(algorithm, stream, at, 1 + usize::from(setting >> 1)), whole);
    let Ok(plain) = whole else { return false };
    let mut packed = Vec::new();
    Codec::new(algorithm).compress(&mut Engines::default(), &plain, &mut packed);
    assert_eq!(decompress(algorithm, &packed, packed.len(), PACKET_MAX).as_ref(), Ok(&plain));
    !plain.is_empty()
}

/// Bytes that arrive in two pieces, read through an output of `room` bytes.
fn decompress(
    algorithm: Algorithm,
    stream: &[u8],
    at: usize,
    room: usize,
) -> Result<Vec<u8>, Violation> {
    let (mut codec, mut engines) = (Codec::new(algorithm), Engines::default());
    let (mut taken, mut plain, mut output) = (0, Vec::new(), vec![0; room]);
    for end in [at, stream.len()] {
        loop {
            let progress = codec.decompress(&mut engines, &stream[taken..end], &mut output)?;
            taken += progress.taken;
            plain.extend_from_slice(&output[..progress.given]);
            if progress.given == 0 {
                break;
            }
        }
    }
    Ok(plain)
}

/// Nobody gets in: there is no such user, or one whose password is not in the data. The second byte
/// chooses more of the setting.
pub fn downstream(data: &[u8]) -> bool {
    let (setting, stream) = split_first(data);
    let (user, stream) = split_first(stream);
    let mut out = BytesMut::new();
    let mut expect = downstream::start(offer(setting), &mut out);
    let mut packets = cut(stream, stream.len()).0.into_iter();
    let auth = loop {
        let Some(packet) = packets.next() else { return false };
        let sequence = packet.sequence;
        match expect.on_packet(packet) {
            Ok(downstream::Step::UpgradeTls(next)) => expect = next,
            Ok(downstream::Step::Identified(identified)) => {
                break identified.verify(verifier(user), &mut out);
            }
            Err(refusal) => {
                assert_eq!(refusal.sequence, sequence.wrapping_add(1));
                refusal.write(&mut out);
                return false;
            }
        }
    };
    let mut newer = Some(verifier(user >> 4));
    let mut auth = auth;
    loop {
        auth = match auth {
            Ok(Auth::Continue(next)) => {
                let Some(packet) = packets.next() else { return false };
                next.on_packet(packet, &mut out)
            }
            // What the client has "encrypted" is taken as it is.
            Ok(Auth::Decrypt(next)) => {
                let plaintext = next.ciphertext().to_vec().into();
                Ok(next.decrypted(Some(plaintext), &mut out))
            }
            Ok(Auth::Mismatch(mismatch)) => match newer.take() {
                Some(verifier) => Ok(mismatch.retry(verifier, &mut out)),
                None => Err(mismatch.refuse()),
            },
            Ok(Auth::Check(unchecked)) => Err(unchecked.deny()),
            Ok(Auth::Denied(refusal)) => Err(refusal),
            Ok(Auth::Accepted(accepted)) => panic!("{accepted:?}"),
            Err(refusal) => {
                refusal.write(&mut out);
                return !matches!(refusal.reason, downstream::Reason::Violation(_));
            }
        }
    }
}

fn offer(setting: u8) -> Offer {
    Offer {
        server_version: "8.0.36".to_owned(),
        connection_id: 1,
        nonce: *b"abcdefghijklmnopqrst",
        long_nonce: [9; 32],
        capabilities: SUPPORTED_BY_CLIENT_SIDE,
        method: method(setting),
        tls: match setting >> 1 & 3 {
            0 => ClientTls::Off,
            1 => ClientTls::Require,
            _ => ClientTls::Prefer,
        },
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        client_host: "10.0.0.9".to_owned(),
        public_key: (setting & 8 == 8).then(|| "a key".into()),
        decoy_key: DecoyKey([7; 32]),
    }
}

fn method(setting: u8) -> Method {
    match setting & 1 {
        0 => Method::NativePassword,
        _ => Method::CachingSha2Password,
    }
}

fn verifier(user: u8) -> Verifier {
    let stored = |plugin, text: &[u8]| Verifier::parse_stored(plugin, text);
    let by = |method| Verifier::password_by(SECRET, Flow::Only(method));
    let unusable = Verifier::Unknown(Flow::Any);
    match user & 15 {
        0 => Verifier::Unknown(Flow::Only(Method::NativePassword)),
        1 => Verifier::Unknown(Flow::Only(Method::CachingSha2Password)),
        2 => Verifier::Unknown(Flow::Only(Method::Sha256Password)),
        3 => Verifier::Unknown(Flow::Only(Method::ClearPassword)),
        4 => by(Method::NativePassword),
        5 => by(Method::CachingSha2Password),
        6 => by(Method::Sha256Password),
        7 => by(Method::Ed25519),
        8 => by(Method::Parsec),
        9 => by(Method::Dialog),
        10 => Verifier::password(SECRET),
        11 => Verifier::Server,
        12 => stored("ed25519", ED25519).unwrap_or(unusable),
        13 => stored("mysql_native_password", NATIVE).unwrap_or(unusable),
        _ => unusable,
    }
}

/// The password never goes out in clear, and the exchange ends.
pub fn upstream(data: &[u8]) -> bool {
    let (setting, stream) = split_first(data);
    let mut packets = cut(stream, stream.len()).0.into_iter();
    let mut out = BytesMut::new();
    let Some(packet) = packets.next() else { return false };
    let dial = Dial {
        user: "app".to_owned(),
        database: (setting & 1 == 1).then(|| "shop".to_owned()),
        collation: 45,
        capabilities: SUPPORTED_BY_CLIENT_SIDE,
        credential: Credential::password(SECRET),
        tls: if setting & 2 == 2 { ServerTls::Prefer } else { ServerTls::Off },
        may_ask_for_key: setting & 4 == 4,
        nonce: [5; 32],
        attributes: Vec::new(),
    };
    let mut step = upstream::start(dial).on_packet(packet, &mut out);
    let mut tls = false;
    let mut exchanged = 0;
    loop {
        assert!(tls || !contains(&out, SECRET));
        let next = match step {
            Ok(upstream::Step::UpgradeTls(next)) => {
                tls = true;
                next.resume(b"", &mut out)
            }
            Ok(upstream::Step::Continue(next)) => Ok(next),
            Ok(upstream::Step::Encrypt(next)) => {
                assert!(!tls && !contains(next.plaintext(), SECRET));
                Ok(next.encrypted(b"ciphertext", &mut out))
            }
            Ok(upstream::Step::Ready(session)) => return session.tls == tls,
            Err(error) => return is_in_order(&error, tls),
        };
        let Some(packet) = packets.next() else { return false };
        exchanged += 1;
        assert!(exchanged < 50, "a server cannot keep us busy");
        step = next.and_then(|next| next.on_packet(packet, &mut out));
    }
}

fn is_in_order(error: &LoginError, tls: bool) -> bool {
    assert!(*error != LoginError::NeedsTls || !tls);
    assert_ne!(*error, LoginError::NeedsPassword);
    matches!(error, LoginError::Refused(_))
}

/// A reply is followed the same however its bytes arrive.
pub fn relay_scanner(data: &[u8]) -> bool {
    let (setting, stream) = split_first(data);
    let (at, stream) = split_first(stream);
    let scan = |at: usize| {
        let mut scanner = Scanner::new(expect(setting), server_side(setting));
        follow(stream, at, |bytes| scanner.scan(bytes))
            .map(|end| (end, scanner.summary(), scanner.take_changes()))
    };
    let whole = scan(stream.len());
    assert_eq!(scan(usize::from(at).min(stream.len())), whole);
    whole.is_ok_and(|(end, ..)| end.reached == Reached::End)
}

/// A translated reply is the same however its bytes arrive.
pub fn relay_translator(data: &[u8]) -> bool {
    let (setting, stream) = split_first(data);
    let (at, stream) = split_first(stream);
    let translate = |at: usize| -> Result<(Scan, Summary, Vec<u8>, BytesMut), Violation> {
        // Everything is the other way round for this client.
        let client = Side::new(Capabilities::all().difference(capabilities(setting)), 1);
        let client = client.compressed(setting & 64 == 64);
        let mut translator = Translator::new(expect(setting), client, server_side(setting));
        let mut out = BytesMut::new();
        let end = follow(stream, at, |bytes| translator.translate(bytes, &mut out))?;
        Ok((end, translator.summary(), translator.take_changes(), out))
    };
    let whole = translate(stream.len());
    assert_eq!(translate(usize::from(at).min(stream.len())), whole);
    whole.is_ok_and(|(end, ..)| end.reached == Reached::End)
}

/// A file is passed on the same however its bytes arrive.
pub fn relay_upload(data: &[u8]) -> bool {
    let (setting, stream) = split_first(data);
    let (at, stream) = split_first(stream);
    let upload = |at: usize| -> Result<(Scan, Vec<u8>), Violation> {
        let mut bytes = stream.to_vec();
        let mut upload = Upload::new(2, setting, setting & 1 == 1);
        let first = upload.scan(&mut bytes[..at])?;
        let second = upload.scan(&mut bytes[first.forward..])?;
        assert!(first.reached != Reached::End || second.forward == 0);
        let forward = first.forward + second.forward;
        bytes.truncate(forward);
        Ok((Scan { forward, ..second }, bytes))
    };
    let whole = upload(stream.len());
    assert_eq!(upload(usize::from(at).min(stream.len())), whole);
    whole.is_ok_and(|(end, _)| end.reached == Reached::End)
}

fn server_side(setting: u8) -> Side {
    Side::new(capabilities(setting), 1)
}

fn capabilities(setting: u8) -> Capabilities {
    let mut capabilities = Capabilities::LOCAL_FILES;
    capabilities.set(Capabilities::DEPRECATE_EOF, setting & 8 == 8);
    capabilities.set(Capabilities::SESSION_TRACK, setting & 16 == 16);
    let mariadb =
        Capabilities::PROGRESS | Capabilities::EXTENDED_METADATA | Capabilities::CACHE_METADATA;
    capabilities.set(mariadb, setting & 32 == 32);
    capabilities
}

fn expect(setting: u8) -> Expect {
    match setting & 7 {
        0 => Expect::Simple,
        1 => Expect::Prepared,
        2 => Expect::Rows,
        3 => Expect::Columns,
        4 => Expect::Text,
        _ => Expect::Results,
    }
}

/// Hands the bytes over in two pieces, what was not taken of the first again with the second. The
/// result counts from the start of the stream.
fn follow(
    stream: &[u8],
    at: usize,
    mut take: impl FnMut(&[u8]) -> Result<Scan, Violation>,
) -> Result<Scan, Violation> {
    let mut taken = 0;
    for end in [at, stream.len()] {
        loop {
            let scan = take(&stream[taken..end])?;
            taken += scan.forward;
            assert!(taken <= end);
            match scan.reached {
                Reached::NextResult => {}
                Reached::More => break,
                reached => return Ok(Scan { forward: taken, reached }),
            }
        }
    }
    Ok(Scan { forward: taken, reached: Reached::More })
}
