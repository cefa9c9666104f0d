//! The relay as the benchmark starts it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

/// More than all socket buffers on the way hold.
const BYTES: usize = 32 << 20;

struct Relay {
    process: Child,
    address: SocketAddr,
}

impl Relay {
    fn start(upstream: SocketAddr) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tidegate-bench-relay"))
            .args(["127.0.0.1:0", &upstream.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the relay starts");
        let output = process.stdout.take().expect("its output is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().parse().expect("an address");
        Self { process, address }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Takes one client and sends it back what it sends, until it leaves.
fn echo(listener: &TcpListener) {
    let (mut client, _) = listener.accept().expect("a client");
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        client.write_all(&buffer[..count]).expect("the client reads");
    }
}

#[test]
fn bytes_arrive_both_ways_though_the_reader_is_slower() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay::start(upstream.local_addr().unwrap());
    let server = thread::spawn(move || echo(&upstream));

    let sent: Vec<u8> = (0u8..251).cycle().take(BYTES).collect();
    let mut client = TcpStream::connect(relay.address).unwrap();
    let mut writer = client.try_clone().unwrap();
    let expected = sent.clone();
    let writing = thread::spawn(move || writer.write_all(&sent).unwrap());
    let mut received = vec![0; BYTES];
    client.read_exact(&mut received).unwrap();
    assert!(received == expected, "what came back differs");

    writing.join().unwrap();
    client.shutdown(Shutdown::Both).unwrap();
    server.join().expect("the server sees that the client left");
}

#[test]
fn a_client_whose_server_is_gone_is_let_go_and_the_next_one_served() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    drop(upstream);
    let relay = Relay::start(address);
    let mut refused = TcpStream::connect(relay.address).unwrap();
    // Closed or reset: either way nothing comes.
    assert!(!matches!(refused.read(&mut [0]), Ok(1..)));

    let upstream = TcpListener::bind(address).unwrap();
    let server = thread::spawn(move || echo(&upstream));
    let mut client = TcpStream::connect(relay.address).unwrap();
    client.write_all(b"hello").unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
    drop(client);
    server.join().unwrap();
}
