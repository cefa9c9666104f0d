//! Cursors of prepared statements: rows stay at the server until they are fetched.

use tidegate_tests::raw::{Frame, RawClient, capability, login_packet};
use tidegate_tests::server::{Pair, Programs, users};
use tidegate_tests::{MariaDbPair, Setup, Tidegate};

const QUERY: u8 = 0x03;
const PING: u8 = 0x0e;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const RESET: u8 = 0x1a;
const FETCH: u8 = 0x1c;

const CURSOR_EXISTS: u16 = 0x40;
const LAST_ROW_SENT: u16 = 0x80;

/// A client that takes rows by cursors.
struct Client {
    raw: RawClient,
    /// Results end with OK packets, and columns with nothing at all.
    deprecates_eof: bool,
}

impl Client {
    fn login(port: u16, deprecates_eof: bool) -> Self {
        let mut raw = RawClient::connect(port).unwrap();
        let mut packet = login_packet(users::NO_PASSWORD.0, &[]);
        if deprecates_eof {
            let capabilities = capability::COMMON | capability::DEPRECATE_EOF;
            packet[..4].copy_from_slice(&capabilities.to_le_bytes());
        }
        raw.send(1, &packet).unwrap();
        let answer = raw.read().unwrap();
        assert!(answer.is_ok(), "{}", answer.text());
        Self { raw, deprecates_eof }
    }

    fn read(&mut self) -> Frame {
        let frame = self.raw.read().unwrap();
        assert_eq!(frame.error_code(), None, "{}", frame.text());
        frame
    }

    /// Prepares a statement with one column and no parameters.
    fn prepare(&mut self, text: &str) -> [u8; 4] {
        let answer = self.raw.ask(PREPARE, text.as_bytes()).unwrap();
        assert!(answer.is_ok(), "{}", answer.text());
        for _ in 0..if self.deprecates_eof { 1 } else { 2 } {
            self.read();
        }
        answer.payload[1..5].try_into().unwrap()
    }

    /// Opens a cursor; the rows stay where they are.
    fn execute(&mut self, id: [u8; 4]) {
        let read_only_cursor_once = [1, 1, 0, 0, 0];
        self.raw.command(EXECUTE, &[&id[..], &read_only_cursor_once].concat()).unwrap();
        assert_eq!(self.read().payload, [1], "columns");
        self.read();
        let end = self.read();
        assert_eq!(self.status(&end) & CURSOR_EXISTS, CURSOR_EXISTS, "{end:?}");
    }

    /// The next rows, and the flags that came after them.
    fn fetch(&mut self, id: [u8; 4], count: u32) -> (Vec<String>, u16) {
        self.raw.command(FETCH, &[id, count.to_le_bytes()].concat()).unwrap();
        let mut rows = Vec::new();
        loop {
            let frame = self.read();
            if frame.payload[0] == 0xfe {
                return (rows, self.status(&frame));
            }
            // A header, a map of NULLs, the length of the text.
            rows.push(String::from_utf8_lossy(&frame.payload[3..]).into_owned());
        }
    }

    fn status(&self, end: &Frame) -> u16 {
        assert_eq!(end.payload[0], 0xfe, "{end:?}");
        // Before the flags are two numbers of one byte, or the count of warnings.
        u16::from_le_bytes(end.payload[3..5].try_into().unwrap())
    }
}

pub(crate) fn rows_wait_at_the_server<P: Programs>(pair: &Pair<P>, setup: Setup) {
    let database = pair.database("cursors");
    pair.primary.execute(&format!(
        "create table {database}.letters (id int primary key, letter text);
         insert into {database}.letters values (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e')"
    ));
    let tidegate = Tidegate::start(setup);
    for deprecates_eof in [false, true] {
        let mut client = Client::login(tidegate.port(), deprecates_eof);
        let select = |order| format!("select letter from {database}.letters order by id {order}");
        let up = client.prepare(&select("asc"));
        let down = client.prepare(&select("desc"));
        client.execute(up);
        client.execute(down);
        assert_eq!(client.fetch(up, 2).0, ["a", "b"]);
        assert_eq!(client.fetch(down, 1).0, ["e"]);
        // Other commands come between, and the cursors stay where they are.
        assert!(client.raw.ask(PING, &[]).unwrap().is_ok());
        assert!(client.raw.ask(QUERY, b"do 1").unwrap().is_ok());
        let (rows, status) = client.fetch(up, 10);
        assert_eq!(rows, ["c", "d", "e"]);
        assert_eq!(status & LAST_ROW_SENT, LAST_ROW_SENT);
        assert!(client.raw.ask(RESET, &down).unwrap().is_ok());
        let closed = client.raw.ask(FETCH, &[down, [1, 0, 0, 0]].concat()).unwrap();
        assert!(closed.error_code().is_some(), "{}", closed.text());
        client.execute(down);
        assert_eq!(client.fetch(down, 2).0, ["e", "d"]);
        assert!(client.raw.ask(PING, &[]).unwrap().is_ok(), "the session is out of step");
    }
}

#[test]
fn rows_wait_at_the_server_until_they_are_fetched() {
    let pair = MariaDbPair::shared();
    rows_wait_at_the_server(pair, Setup::single(&pair.primary));
}
