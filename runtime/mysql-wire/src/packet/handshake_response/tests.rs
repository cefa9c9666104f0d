use super::super::cuts;
use super::*;

/// The `mariadb` program, version 10.11, to its own server.
const CAPTURED: &[u8] = b"\x8c\xa2\xbf\0\0\0\0\x10\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \x1d\0\0\0app\0\x14\x03\xf5(\x15\xc1\xe9\xd1\x84\xd7\x03\x0bW\x9c\xdc\xcd\x1f-\x83D\xecapp\0\
    mysql_native_password\0~\x03_os\x05Linux\x0c_client_name\nlibmariadb\x04_pid\x041110\
    \x0f_client_version\x063.3.20\t_platform\x06x86_64\x0cprogram_name\x05mysql\x0c_server_host\
    \t127.0.0.1";

fn response() -> HandshakeResponse {
    HandshakeResponse::decode(CAPTURED).unwrap()
}

fn encoded(response: &HandshakeResponse) -> BytesMut {
    let mut out = BytesMut::new();
    response.encode(&mut out);
    out
}

#[test]
fn comes_back_as_it_was() {
    let response = response();
    assert_eq!((response.user.as_str(), response.database.as_deref()), ("app", Some("app")));
    assert_eq!(response.method.as_deref(), Some("mysql_native_password"));
    assert_eq!((response.proof.len(), response.collation, response.max_packet), (20, 33, 1 << 28));
    assert_eq!(response.attributes.len(), 7);
    let program = ("program_name".to_owned(), "mysql".to_owned());
    assert!(response.attributes.contains(&program));
    assert!(response.capabilities.contains(Capabilities::CACHE_METADATA));
    assert_eq!(encoded(&response), CAPTURED);
}

#[test]
fn each_field_has_its_flag() {
    let all = response();
    for (flag, check) in [
        (
            Capabilities::CONNECT_WITH_DB,
            (|r| r.database.is_none()) as fn(&HandshakeResponse) -> bool,
        ),
        (Capabilities::PLUGIN_AUTH, |r| r.method.is_none()),
        (Capabilities::CONNECT_ATTRS, |r| r.attributes.is_empty()),
        (Capabilities::PLUGIN_AUTH_LENENC, |r| r.proof.len() == 20),
    ] {
        let mut less = all.clone();
        less.capabilities.remove(flag);
        let decoded = HandshakeResponse::decode(&encoded(&less)).unwrap();
        assert!(check(&decoded), "{flag:?}: {decoded:?}");
        assert_eq!((&decoded.user, &decoded.proof), (&all.user, &all.proof));
    }
}

#[test]
fn cut_responses_are_refused() {
    // The NUL behind the method, and the method, are forgotten by some; the attributes are not.
    cuts::are_refused(CAPTURED, HandshakeResponse::decode);
}

#[test]
fn the_level_of_a_compression_stands_last() {
    let mut zstd = response();
    zstd.capabilities.insert(Capabilities::ZSTD_COMPRESSION);
    zstd.zstd_level = 7;
    let bytes = encoded(&zstd);
    assert_eq!(HandshakeResponse::decode(&bytes), Ok(zstd.clone()));
    // MariaDB's library sends it in four bytes, and others forget it.
    let longer = [&bytes[..], &[0; 3]].concat();
    assert_eq!(HandshakeResponse::decode(&longer), Ok(zstd.clone()));
    let forgotten = HandshakeResponse { zstd_level: 0, ..zstd };
    assert_eq!(HandshakeResponse::decode(&bytes[..bytes.len() - 1]), Ok(forgotten));
}

#[test]
fn a_method_may_lack_its_nul() {
    let mut response = response();
    response.capabilities.remove(Capabilities::CONNECT_ATTRS);
    response.attributes.clear();
    let bytes = encoded(&response);
    let without_nul = HandshakeResponse::decode(&bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(without_nul, response);
}

#[test]
fn no_database_and_an_empty_one_are_the_same() {
    let none = HandshakeResponse { database: None, ..response() };
    assert_eq!(HandshakeResponse::decode(&encoded(&none)), Ok(none));
}

#[test]
fn what_a_client_says_about_itself_is_bounded() {
    let pair = |n: usize| (format!("k{n}"), "v".to_owned());
    let mut attributes: Vec<_> = (0..100).map(pair).collect();
    attributes.insert(0, ("long".to_owned(), "x".repeat(1000)));
    let decoded =
        HandshakeResponse::decode(&encoded(&HandshakeResponse { attributes, ..response() }));
    let expected: Vec<_> = (0..ATTRIBUTES_MAX).map(pair).collect();
    assert_eq!(decoded.unwrap().attributes, expected);
}

#[test]
fn names_are_bounded_and_are_utf8() {
    let named = |user: &str| HandshakeResponse { user: user.to_owned(), ..response() };
    let longest = named(&"u".repeat(NAME_LEN_MAX));
    assert_eq!(HandshakeResponse::decode(&encoded(&longest)), Ok(longest));
    let longer = named(&"u".repeat(NAME_LEN_MAX + 1));
    assert!(matches!(
        HandshakeResponse::decode(&encoded(&longer)),
        Err(Violation::TooLong { what: "a user name", .. })
    ));
    let mut latin1 = encoded(&named("caf?"));
    let at = SslRequest::LEN + 3;
    latin1[at] = 0xe9;
    assert_eq!(
        HandshakeResponse::decode(&latin1),
        Err(Violation::Malformed { what: "a user name" })
    );
}

#[test]
fn clients_from_before_4_1_are_refused() {
    let old = b"\x85\x24\0\0\0root\0\x47\x44\x53";
    let error = HandshakeResponse::decode(old).unwrap_err();
    assert_eq!(error, Violation::Unexpected { what: "client without protocol 4.1" });
}

#[test]
fn debug_shows_no_proof() {
    let shown = format!("{:?}", HandshakeResponse { proof: vec![77; 3], ..response() });
    assert!(shown.contains("app") && !shown.contains("77"), "{shown}");
}
