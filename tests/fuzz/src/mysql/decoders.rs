//! Laws of the decoders: what was understood, written again, is understood the same.
//!
//! Each function tells whether it has understood the data.

use std::fmt::Debug;

use bytes::BytesMut;
use tidegate_mysql_wire::auth::Verifier;
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::gtid::GtidSet;
use tidegate_mysql_wire::lenenc as length;
use tidegate_mysql_wire::packet::{
    ATTRIBUTES_MAX, AuthMoreData, AuthSwitchRequest, BulkExecute, Cell, ChangeUser,
    ColumnDefinition, EofPacket, ErrPacket, Execute, Greeting, HandshakeResponse, OkPacket,
    PrepareOk, Prepared, QueryAttributes, SessionChange, SessionChanges, SslRequest, TextRow,
};
use tidegate_wire::{Reader, Violation};

pub fn lenenc(data: &[u8]) -> bool {
    if let Ok(bytes) = length::read_bytes(&mut Reader::new(data, "a string")) {
        let mut out = Vec::new();
        length::write_bytes(&mut out, bytes);
        assert_eq!(length::read_bytes(&mut Reader::new(&out, "a string")), Ok(bytes));
    }
    let mut reader = Reader::new(data, "an integer");
    let Ok(value) = length::read_int(&mut reader) else { return false };
    let mut out = Vec::new();
    length::write_int(&mut out, value);
    assert!(out.len() <= data.len() - reader.remaining(), "the shortest form");
    assert_eq!(length::read_int(&mut Reader::new(&out, "an integer")), Ok(value));
    true
}

pub fn greeting(data: &[u8]) -> bool {
    again(Greeting::decode, Greeting::encode, data)
}

pub fn ssl_request(data: &[u8]) -> bool {
    let understood = again(SslRequest::decode, SslRequest::encode, data);
    assert!(!understood || data.len() == SslRequest::LEN);
    understood
}

pub fn handshake_response(data: &[u8]) -> bool {
    let Ok(mut response) = HandshakeResponse::decode(data) else { return false };
    assert!(response.attributes.len() <= ATTRIBUTES_MAX);
    assert_ne!(response.database.as_deref(), Some(""));
    // What replaces bytes that are not UTF-8 takes more of them, and can pass the limit.
    response.attributes.retain(|(key, value)| key.len() <= 256 && value.len() <= 256);
    let mut out = BytesMut::new();
    response.encode(&mut out);
    assert_eq!(HandshakeResponse::decode(&out), Ok(response));
    true
}

pub fn auth_switch_request(data: &[u8]) -> bool {
    again(AuthSwitchRequest::decode, AuthSwitchRequest::encode, data)
}

pub fn auth_more_data(data: &[u8]) -> bool {
    let Ok(message) = AuthMoreData::decode(data) else { return false };
    let mut out = BytesMut::new();
    message.encode(&mut out);
    assert_eq!(out, data);
    true
}

pub fn ok(data: &[u8]) -> bool {
    [Capabilities::PROTOCOL_41, Capabilities::SESSION_TRACK].into_iter().all(|capabilities| {
        let Ok(ok) = OkPacket::decode(data, capabilities) else { return false };
        let mut out = BytesMut::new();
        ok.encode(&mut out, capabilities);
        assert_eq!(OkPacket::decode(&out, capabilities), Ok(ok));
        out.clear();
        ok.encode_end_of_rows(&mut out, capabilities);
        assert_eq!(OkPacket::decode(&out, capabilities), Ok(ok));
        true
    })
}

pub fn eof(data: &[u8]) -> bool {
    again(EofPacket::decode, EofPacket::encode, data)
}

pub fn err(data: &[u8]) -> bool {
    let encode = |err: &ErrPacket, out: &mut BytesMut| err.encode(out, Capabilities::PROTOCOL_41);
    again(ErrPacket::decode, encode, data)
}

pub fn column_definition(data: &[u8]) -> bool {
    let understood = |capabilities| {
        again(
            |bytes| ColumnDefinition::decode(bytes, capabilities),
            |column, out| column.encode(out, capabilities),
            data,
        )
    };
    understood(Capabilities::empty()) | understood(Capabilities::EXTENDED_METADATA)
}

pub fn text_row(data: &[u8]) -> bool {
    let cells = |bytes: &[u8]| -> Result<Vec<Cell>, Violation> {
        TextRow::new(bytes).map(|cell| Ok(cell?.map(<[u8]>::to_vec))).collect()
    };
    again(cells, |cells, out| TextRow::encode(cells, out), data)
}

pub fn prepare_ok(data: &[u8]) -> bool {
    again(PrepareOk::decode, PrepareOk::encode, data)
}

pub fn session_changes(data: &[u8]) -> bool {
    let all = |bytes| -> Result<Vec<SessionChange<'_>>, Violation> {
        SessionChanges::new(bytes).collect()
    };
    let Ok(changes) = all(data) else { return false };
    let mut out = BytesMut::new();
    changes.iter().for_each(|change| change.encode(&mut out));
    assert_eq!(all(&out), Ok(changes));
    true
}

pub fn query_attributes(data: &[u8]) -> bool {
    let Ok((attributes, at)) = QueryAttributes::split(data) else { return false };
    let attributes: Vec<_> = attributes.collect();
    attributes.iter().for_each(|attribute| drop(attribute.text()));
    let mut out = BytesMut::new();
    QueryAttributes::encode(&attributes, &mut out);
    assert!(out.len() <= at, "the shortest form");
    let (again, end) = QueryAttributes::split(&out).expect("what was written is understood");
    assert_eq!((again.collect::<Vec<_>>(), end), (attributes, out.len()));
    true
}

/// The first byte says how many parameters the statement has, and what was agreed.
pub fn execute(data: &[u8]) -> bool {
    let Some((&setting, argument)) = data.split_first() else { return false };
    let prepared = Prepared {
        parameters: usize::from(setting & 7),
        types: if setting & 8 == 8 { &[8, 0, 253, 0, 3, 0] } else { &[] },
        long_data: if setting & 16 == 16 { &[0] } else { &[] },
    };
    let (plain, named) = (Capabilities::empty(), Capabilities::QUERY_ATTRIBUTES);
    let agreed = if setting & 32 == 32 { named } else { plain };
    let Ok(execute) = Execute::decode(argument, &prepared, agreed) else { return false };
    let attributes: Vec<_> = execute.attributes().collect();
    for capabilities in [plain, named] {
        let mut out = BytesMut::new();
        execute.encode(&mut out, capabilities, false);
        let again = Execute::decode(&out, &prepared, capabilities);
        let again = again.expect("what was written is understood");
        let kept = if capabilities == named { attributes.as_slice() } else { &[] };
        assert_eq!(again.attributes().collect::<Vec<_>>(), kept);
        let mut twice = BytesMut::new();
        again.encode(&mut twice, capabilities, false);
        assert_eq!(twice, out);
    }
    true
}

/// The first byte says how many parameters the statement has.
pub fn bulk_execute(data: &[u8]) -> bool {
    let Some((&setting, argument)) = data.split_first() else { return false };
    let parameters = usize::from(setting & 7);
    let Ok(bulk) = BulkExecute::decode(argument, parameters) else { return false };
    let mut out = BytesMut::new();
    bulk.encode(&mut out);
    let again = BulkExecute::decode(&out, parameters).expect("what was written is understood");
    assert_eq!((again.types, again.rows), (bulk.types, bulk.rows));
    true
}

pub fn change_user(data: &[u8]) -> bool {
    let agreed = Capabilities::PLUGIN_AUTH | Capabilities::CONNECT_ATTRS;
    let Ok(mut change) = ChangeUser::decode(data, agreed) else { return false };
    // What replaces bytes that are not UTF-8 takes more of them, and can pass the limit.
    change.attributes.retain(|(key, value)| key.len() <= 256 && value.len() <= 256);
    let mut out = BytesMut::new();
    change.encode(&mut out, agreed);
    assert_eq!(ChangeUser::decode(&out, agreed), Ok(change));
    true
}

/// What is stored about users comes from servers and files, and is not shown.
pub fn verifier(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let verifiers = [
        Verifier::parse_stored("mysql_native_password", data),
        Verifier::parse_stored("caching_sha2_password", data),
        Verifier::parse_stored(&text, data),
        Verifier::parse_sha2_digest2(&text),
        Verifier::parse_unlabelled(&text),
    ];
    let verifiers = verifiers.into_iter().flatten();
    // Of a method that is not known, nothing is kept.
    let verifiers = verifiers.filter(|verifier| !matches!(verifier, Verifier::Server));
    let shown: String = verifiers.map(|verifier| format!("{verifier:?}")).collect();
    assert!(data.len() < 20 || !shown.contains(&*text));
    !shown.is_empty()
}

/// Two sets, with a semicolon between them; the data stands for its text.
pub fn gtid_set(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let (one, other) = text.split_once(';').unwrap_or((&text, ""));
    let (Ok(one), Ok(other)) = (GtidSet::parse(one), GtidSet::parse(other)) else { return false };
    assert_eq!(GtidSet::parse(&one.to_string()).as_ref(), Ok(&one));
    let (mut both, mut rest) = (other.clone(), one.clone());
    both.merge(one.clone());
    assert!(both.contains(&one));
    rest.remove(&other);
    assert!(one.contains(&rest) && rest.len() <= one.len() + other.len());
    assert_eq!(rest.is_empty(), other.contains(&one));
    true
}

fn again<T: Debug + PartialEq>(
    decode: impl Fn(&[u8]) -> Result<T, Violation>,
    encode: impl Fn(&T, &mut BytesMut),
    data: &[u8],
) -> bool {
    let Ok(decoded) = decode(data) else { return false };
    let mut out = BytesMut::new();
    encode(&decoded, &mut out);
    assert_eq!(decode(&out), Ok(decoded));
    true
}
