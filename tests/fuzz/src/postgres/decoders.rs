//! Laws of the decoders: what was understood, written again, is the same.
//!
//! Each function tells whether it has understood the data.

use bytes::BytesMut;
use tidegate_postgres_wire::auth::{DecoyKey, Flow, Stored, Verifier, userlist as list};
use tidegate_postgres_wire::cancel_key::CancelKey;
use tidegate_postgres_wire::frame;
use tidegate_postgres_wire::message::tag::{backend, frontend};
use tidegate_postgres_wire::message::{
    Authentication, Bind, CommandComplete, DataRow, ErrorResponse, Execute,
    NegotiateProtocolVersion, NotificationResponse, ParameterStatus, Parse, ReadyForQuery,
    SaslInitialResponse, Target, query, read_query,
};
use tidegate_postgres_wire::startup::{self, PACKET_MAX, StartupPacket};
use tidegate_wire::Violation;

use crate::target::split_first;

pub fn startup_packet(data: &[u8]) -> bool {
    let mut out = BytesMut::new();
    match StartupPacket::decode(data) {
        Ok(StartupPacket::Startup(startup)) => {
            assert!(!startup.user.is_empty() && !startup.database.is_empty());
            startup.encode(&mut out);
            let again = frame::next_packet(&mut out, 2 * PACKET_MAX);
            let again = again.ok().flatten().map(|packet| StartupPacket::decode(&packet));
            assert_eq!(again, Some(Ok(StartupPacket::Startup(startup))));
            true
        }
        Ok(StartupPacket::Cancel(key)) => {
            startup::request_cancel(&key, &mut out);
            assert_eq!(&out[4..], data);
            true
        }
        Ok(StartupPacket::SslRequest | StartupPacket::GssEncRequest) => data.len() == 4,
        Ok(StartupPacket::Unsupported(version)) => version.major != 3,
        Err(_) => false,
    }
}

/// A message of a client; its tag is the first byte.
pub fn client_message(data: &[u8]) -> bool {
    let (tag, payload) = split_first(data);
    match tag {
        frontend::QUERY => again(read_query, |text, out| query(out, text), payload),
        frontend::PARSE => again(Parse::decode, Parse::encode, payload),
        frontend::BIND => {
            let encode = |bind: &Bind<'_>, out: &mut BytesMut| {
                let rest = &payload[bind.head_len()..];
                bind.encode_head(rest.len(), out);
                out.extend_from_slice(rest);
            };
            again(Bind::decode_head, encode, payload)
        }
        frontend::DESCRIBE => again(Target::decode, Target::describe, payload),
        frontend::CLOSE => again(Target::decode, Target::close, payload),
        frontend::EXECUTE => again(Execute::decode, Execute::encode, payload),
        frontend::PASSWORD => {
            again(SaslInitialResponse::decode, SaslInitialResponse::encode, payload)
        }
        _ => false,
    }
}

/// A message of a server; its tag is the first byte.
pub fn server_message(data: &[u8]) -> bool {
    let (tag, payload) = split_first(data);
    match tag {
        backend::AUTHENTICATION => {
            let other =
                |request: &Authentication<'_>| matches!(request, Authentication::Other { .. });
            // What is not known is not kept.
            Authentication::decode(payload).is_ok_and(|request| other(&request))
                || again(Authentication::decode, Authentication::encode, payload)
        }
        backend::PARAMETER_STATUS => {
            again(ParameterStatus::decode, ParameterStatus::encode, payload)
        }
        backend::BACKEND_KEY_DATA => again(CancelKey::decode, CancelKey::encode, payload),
        backend::READY_FOR_QUERY => again(ReadyForQuery::decode, ReadyForQuery::encode, payload),
        backend::NEGOTIATE_PROTOCOL_VERSION => {
            again(NegotiateProtocolVersion::decode, NegotiateProtocolVersion::encode, payload)
        }
        backend::ERROR_RESPONSE => {
            let Ok(error) = ErrorResponse::decode(payload) else { return false };
            assert!(!error.to_string().is_empty());
            again(ErrorResponse::decode, ErrorResponse::encode, payload)
        }
        backend::NOTIFICATION_RESPONSE => {
            again(NotificationResponse::decode, NotificationResponse::encode, payload)
        }
        backend::COMMAND_COMPLETE => {
            again(CommandComplete::decode, CommandComplete::encode, payload)
        }
        backend::DATA_ROW => row(payload),
        _ => false,
    }
}

fn row(payload: &[u8]) -> bool {
    let cells = |bytes| -> Result<Vec<_>, Violation> { DataRow::new(bytes)?.collect() };
    let Ok(row) = cells(payload) else { return false };
    let mut out = BytesMut::new();
    DataRow::encode(&row, &mut out);
    assert!(payload.starts_with(&out[frame::HEADER_LEN..]));
    true
}

pub fn verifier(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(verifier) = Verifier::parse_stored(text) else { return false };
    let flow = match Stored::parse(text) {
        Ok(stored) => stored.flow(),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(verifier.flow(), Some(flow));
    assert!(verifier.stamp(b"key").is_some());
    true
}

pub fn userlist(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(entries) = list::parse(text) else { return false };
    let mut written = String::new();
    for entry in &entries {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        written += &format!("{} {}\n", quoted(&entry.user), quoted(&entry.secret));
        let key = DecoyKey([7; 32]);
        let verifier = Verifier::parse_unlabelled(&entry.secret, &entry.user, Flow::Md5, &key);
        assert!(verifier.flow().is_some());
    }
    assert_eq!(list::parse(&written), Ok(entries));
    true
}

/// What was understood has been all of it.
fn again<'a, T>(
    decode: impl Fn(&'a [u8]) -> Result<T, Violation>,
    encode: impl Fn(&T, &mut BytesMut),
    payload: &'a [u8],
) -> bool {
    let Ok(decoded) = decode(payload) else { return false };
    let mut out = BytesMut::new();
    encode(&decoded, &mut out);
    let message = frame::next_message(&mut out, usize::MAX);
    let written = message.ok().flatten().map(|message| message.payload);
    assert_eq!(written.as_deref(), Some(payload));
    assert!(out.is_empty());
    true
}
