//! Compressed connections: every client that can, and some that should not.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tidegate_tests::clients::{Login, mariadb, node, python};
use tidegate_tests::raw::{PackedClient, Packing, RawClient};
use tidegate_tests::{MariaDbPair, Scratch, Setup, Tap, Tidegate};

use crate::support::{assert_unharmed, run, try_connect, value};

const QUERY: u8 = 3;
const PING: u8 = 14;
const PACKINGS: [Packing; 2] = [Packing::Zlib, Packing::Zstd(3)];
/// The longest payload of a frame.
const FRAME_MAX: usize = 0xff_ffff;
/// 20 MB of rows that are much like each other.
const LARGE: &str = "select repeat('x', 1000) from app.seq_1_to_20000";
const LARGE_LEN: u64 = 20_000_000;

/// One server, TLS for whoever wants it.
fn tidegate() -> Tidegate {
    Tidegate::start(Setup::single(&MariaDbPair::shared().primary).client_tls("prefer"))
}

/// Both with TLS and without.
fn logins<'a>(tap: &Tap, database: &'a str) -> [Login<'a>; 2] {
    let login = Login::app(tap.port(), database).with_compression();
    [login, login.with_tls()]
}

#[test]
fn the_command_line_sends_and_receives_megabytes() {
    let tidegate = tidegate();
    let tap = Tap::before(tidegate.port());
    let folder = Scratch::new();
    let script = folder.path().join("long.sql");
    let long = "x".repeat(20 << 20);
    std::fs::write(&script, format!("select length('{long}') as length;\n")).unwrap();
    for login in logins(&tap, "app") {
        let result = mariadb(login, LARGE);
        assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
        assert_eq!(result.stdout.len() as u64, LARGE_LEN + 20_000);
        assert!(tap.carried().1 < LARGE_LEN / 20, "the result was compressed");

        let result = mariadb(login, &format!("source {}", script.display()));
        let text = String::from_utf8_lossy(&result.stdout);
        assert_eq!(text.trim(), (20 << 20).to_string(), "{result:?}");
        assert!(tap.carried().0 < 1 << 20, "the statement was compressed");

        let several = mariadb(login, "select 1; do sleep(0.1); select 2; select * from missing");
        assert_eq!(String::from_utf8_lossy(&several.stdout), "1\n2\n");
        let message = String::from_utf8_lossy(&several.stderr);
        assert!(message.contains("ERROR 1146 (42S02)"), "{message}");
    }
}

/// It insists on every number that servers give.
#[tokio::test]
async fn mysql_async_takes_results_one_by_one() {
    let tidegate = tidegate();
    let tap = Tap::before(tidegate.port());
    let database = MariaDbPair::shared().database("compression_mysql_async");
    for login in logins(&tap, database) {
        let mut connection = try_connect(login).await.unwrap();
        run(&mut connection, "create or replace table t (a int primary key, b longtext)").await;
        many_results(&mut connection).await;
        let text = "tidegate ".repeat(100_000);
        connection.exec_drop("insert into t values (?, ?)", (1, &text)).await.unwrap();
        let back: Option<String> =
            connection.exec_first("select b from t where a = ?", (1,)).await.unwrap();
        assert!(back == Some(text));
        assert_eq!(value::<u64>(&mut connection, "select count(*) from t").await, 1);
        tap.carried();
        let rows: Vec<String> = connection.query(LARGE).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.len() as u64).sum::<u64>(), LARGE_LEN);
        assert!(tap.carried().1 < LARGE_LEN / 20);
        connection.ping().await.unwrap();
        connection.disconnect().await.unwrap();
    }
}

/// Results that come together, and results that keep their client waiting.
async fn many_results(connection: &mut Conn) {
    for wait in ["", "do sleep(0.05); "] {
        let statement = format!("select 1; {wait}select 2 union select 3; {wait}select 4");
        let mut result = connection.query_iter(statement).await.unwrap();
        let mut seen: Vec<Vec<u8>> = Vec::new();
        while !result.is_empty() {
            let columns = result.columns_ref().len();
            let rows = result.collect::<u8>().await.unwrap();
            if columns > 0 {
                seen.push(rows);
            }
        }
        assert_eq!(seen, [vec![1], vec![2, 3], vec![4]]);
    }
}

/// Where frames and compressed packets are cut at different places, their numbers differ too.
#[tokio::test]
async fn statements_around_the_length_of_a_frame() {
    let tidegate = tidegate();
    let login = Login::app(tidegate.port(), "app").with_compression();
    let mut connection = try_connect(login).await.unwrap();
    let around = "select length('')".len() + 1;
    for payload in FRAME_MAX - 5..=FRAME_MAX + 1 {
        let text = "x".repeat(payload - around);
        let length = value::<usize>(&mut connection, &format!("select length('{text}')")).await;
        assert_eq!(length, text.len());
        assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
    }
}

#[test]
fn mysql2_takes_its_tour() {
    let tidegate = tidegate();
    let tap = Tap::before(tidegate.port());
    let database = MariaDbPair::shared().database("compression_mysql2");
    for login in logins(&tap, database) {
        assert_eq!(node("mysql2_tour.mjs", login).trim(), "done");
        assert!(tap.carried().0 < 2 << 20, "its 40 MB were compressed");
    }
}

#[test]
fn connector_python_takes_its_tour() {
    let tidegate = tidegate();
    let tap = Tap::before(tidegate.port());
    let database = MariaDbPair::shared().database("compression_connector");
    for login in logins(&tap, database) {
        assert_eq!(python("connector_tour.py", login).trim(), "done");
        tap.carried();
        assert_eq!(python("connector_large.py", login).trim(), "done");
        let (up, down) = tap.carried();
        assert!(up < 4 << 20 && down < 4 << 20, "{up} and {down} of 80 MB each");
    }
}

/// The rows of a result, which a client without compression must get in the same frames.
fn rows(mut read: impl FnMut() -> Vec<u8>) -> Vec<Vec<u8>> {
    let (mut frames, mut ends) = (Vec::new(), 0);
    while ends < 2 {
        let frame = read();
        ends += usize::from(frame.first() == Some(&0xfe) && frame.len() == 5);
        frames.push(frame);
    }
    frames
}

#[test]
fn the_same_bytes_come_whatever_they_are_packed_with() {
    let tidegate = tidegate();
    let statement = b"select seq, repeat('ab', seq) from app.seq_1_to_3000";
    let mut plain = RawClient::login(tidegate.port(), "nopw").unwrap();
    plain.command(QUERY, statement).unwrap();
    let expected = rows(|| plain.read().unwrap().payload);
    assert_eq!(expected.len(), 1 + 2 + 1 + 3000 + 1);
    for packing in [Packing::Zlib, Packing::Zstd(1), Packing::Zstd(9), Packing::Zstd(22)] {
        let mut client = PackedClient::login(tidegate.port(), "nopw", packing).unwrap();
        for _ in 0..3 {
            let first = client.ask(QUERY, statement).unwrap().payload;
            let mut first = Some(first);
            let got = rows(|| first.take().unwrap_or_else(|| client.read().unwrap().payload));
            assert!(got == expected, "{packing:?}");
            assert!(client.ask(PING, &[]).unwrap().is_ok());
        }
    }
}

#[test]
fn a_command_may_come_in_many_packets_and_many_commands_in_one() {
    let tidegate = tidegate();
    for packing in PACKINGS {
        let mut client = PackedClient::login(tidegate.port(), "nopw", packing).unwrap();
        let text = format!("select length('{}')", "y".repeat(100_000));
        let [a, b, c, ..] = (text.len() + 1).to_le_bytes();
        let command = [&[a, b, c, 0, QUERY], text.as_bytes()].concat();
        client.begin();
        for piece in command.chunks(777) {
            client.send_packed(piece).unwrap();
        }
        let count = u8::try_from(command.len().div_ceil(777)).unwrap();
        let first = client.read().unwrap();
        assert_eq!((first.sequence, &first.payload[..]), (count, &[1][..]));
        let rest: Vec<_> = (0..4).map(|_| client.read().unwrap()).collect();
        assert_eq!(rest[2].payload, b"\x06100000");

        // Closing a statement has no reply, so that what follows it need not wait.
        let close = b"\x05\0\0\0\x19\x01\0\0\0";
        client.begin();
        client.send_packed(&[&close[..], &close[..], b"\x01\0\0\0\x0e"].concat()).unwrap();
        assert!(client.read().unwrap().is_ok());
        client.begin();
        client.send_packed(close).unwrap();
        assert!(client.ask(PING, &[]).unwrap().is_ok());
    }
}

/// MariaDB's library numbers every frame of a long statement 0, and servers do not look.
#[test]
fn frames_inside_compression_need_no_numbers() {
    let tidegate = tidegate();
    let mut client = PackedClient::login(tidegate.port(), "nopw", Packing::Zlib).unwrap();
    let mut text = b"\x03select length('".to_vec();
    text.resize(FRAME_MAX, b'x');
    client.begin();
    client.send_packed(b"\xff\xff\xff\0").unwrap();
    client.send_packed(&text).unwrap();
    client.send_packed(b"\x0a\0\0\0xxxxxxxx')").unwrap();
    let frames: Vec<_> = (0..5).map(|_| client.read().unwrap()).collect();
    assert_eq!(frames[0].sequence, 3);
    let length = (FRAME_MAX - b"\x03select length('".len() + 8).to_string();
    assert_eq!(frames[3].payload[1..], *length.as_bytes());
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_refused() {
    let setup = Setup::single(&MariaDbPair::shared().primary);
    let tidegate = Tidegate::start(setup.listener("max_packet = \"1MiB\""));
    let ping = b"\x01\0\0\0\x0e";
    type Say = fn(&mut PackedClient) -> std::io::Result<()>;
    let bad: [(&str, u16, Say); 6] = [
        ("no such algorithm", 1835, |client| client.send_claiming(100, &[7; 50])),
        ("nothing at all", 1835, |client| client.send_claiming(5, &[])),
        ("longer than it says", 1835, |client| {
            let zlib = b"\x78\x9c\x63\x64\x60\x60\x60\xe0\x03\x00\x00\x2a\x00\x10";
            client.send_claiming(2, zlib)
        }),
        ("out of order", 1156, |client| {
            client.send_packed(b"\x05\0")?;
            client.send_bytes(b"\x01\0\0\x07\0\0\0x")
        }),
        ("a frame out of order", 1156, |client| client.send_packed(b"\x01\0\0\x03\x0e")),
        ("a frame over the limit", 1153, |client| client.send_packed(b"\0\0\x20\0\x03")),
    ];
    for packing in PACKINGS {
        for (name, code, say) in bad {
            let mut client = PackedClient::login(tidegate.port(), "nopw", packing).unwrap();
            // The proxy may close before it has read everything.
            let _ = say(&mut client);
            let answer = client.read_to_close().unwrap();
            let told = answer.get(4..7).map(|error| u16::from_le_bytes([error[1], error[2]]));
            assert_eq!(told, Some(code), "{packing:?}, {name}: {answer:?}");
        }
        let mut client = PackedClient::login(tidegate.port(), "nopw", packing).unwrap();
        client.begin();
        client.send_packed(ping).unwrap();
        assert!(client.read().unwrap().is_ok());
    }
    assert_unharmed(&tidegate).await;
}

/// Some kilobytes that become 16 MiB, from many clients at once.
#[tokio::test]
async fn bombs_cost_little_memory() {
    let tidegate = tidegate();
    let mut bomb = b"\xff\xff\xff\0\x03".to_vec();
    bomb.resize(FRAME_MAX, 0);
    let before = tidegate.resident_kib();
    let packings = PACKINGS.into_iter().cycle().take(40);
    let mut clients: Vec<_> = packings
        .map(|packing| PackedClient::login(tidegate.port(), "nopw", packing).unwrap())
        .collect();
    for client in &mut clients {
        client.send_packed(&bomb).unwrap();
    }
    assert_unharmed(&tidegate).await;
    let grown = tidegate.resident_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB for 40 packets that are not read to their end");
}

#[test]
fn a_listener_may_offer_less_or_nothing() {
    let setup = Setup::single(&MariaDbPair::shared().primary);
    for (line, offered) in
        [("compression = [\"zlib\"]", [true, false]), ("compression = []", [false, false])]
    {
        let tidegate = Tidegate::start(setup.clone().listener(line));
        for (packing, offered) in PACKINGS.into_iter().zip(offered) {
            let client = PackedClient::login(tidegate.port(), "nopw", packing);
            assert_eq!(client.is_ok(), offered, "{line} {packing:?}");
        }
        let tap = Tap::before(tidegate.port());
        let result = mariadb(Login::app(tap.port(), "app").with_compression(), LARGE);
        assert!(result.status.success());
        assert_eq!(tap.carried().1 < LARGE_LEN / 20, offered[0], "{line}");
    }
}
