use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

/// A server on a port that the system chose.
struct Server {
    address: SocketAddr,
    ready: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::start_within(LIMITS).await
    }

    async fn start_within(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ready = Arc::new(AtomicBool::new(false));
        let is_ready = Arc::clone(&ready);
        let state = AdminState {
            metrics: Box::new(|format| match format {
                Format::Prometheus => "tidegate_sessions 1\n".to_owned(),
                Format::OpenMetrics => "tidegate_sessions 1\n# EOF\n".to_owned(),
            }),
            started: Box::new(|| Ok(())),
            ready: Box::new(move || match is_ready.load(Ordering::Relaxed) {
                true => Ok(()),
                false => Err("orders: no server is up".to_owned()),
            }),
            plugins: Box::new(|| json!([{ "name": "read-write-split" }])),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve_within(limits, listener, Arc::new(state), async {
            let _ = stopped.await;
        }));
        Self { address, ready, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Status, head and body of what is answered to `method path`.
    async fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        self.ask_with(method, path, "").await
    }

    /// The same with more lines in the head.
    async fn ask_with(&self, method: &str, path: &str, head: &str) -> (u16, String, String) {
        let mut stream = self.connect().await;
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }
}

#[tokio::test]
async fn metrics_are_in_prometheus_format() {
    let (status, head, body) = Server::start().await.ask("GET", "/metrics").await;
    assert_eq!((status, body.as_str()), (200, "tidegate_sessions 1\n"));
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
}

#[tokio::test]
async fn whoever_wants_open_metrics_gets_them() {
    let server = Server::start().await;
    let accept = "accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3\r\n";
    let (status, head, body) = server.ask_with("GET", "/metrics", accept).await;
    assert_eq!((status, body.as_str()), (200, "tidegate_sessions 1\n# EOF\n"));
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let (_, _, body) = server.ask_with("GET", "/metrics", "accept: text/plain\r\n").await;
    assert_eq!(body, "tidegate_sessions 1\n");
}

#[tokio::test]
async fn health_says_why_not() {
    let server = Server::start().await;
    let ask = async |path| {
        let (status, _, body) = server.ask("GET", path).await;
        (status, body)
    };
    assert_eq!(ask("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(ask("/startupz").await, (200, "ok\n".to_owned()));
    assert_eq!(ask("/readyz").await, (503, "orders: no server is up\n".to_owned()));
    server.ready.store(true, Ordering::Relaxed);
    assert_eq!(ask("/readyz?verbose").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn plugins_are_json() {
    let (status, head, body) = Server::start().await.ask("GET", "/plugins").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, body), (200, json!([{ "name": "read-write-split" }])));
    assert!(head.contains("content-type: application/json"), "{head}");
}

#[tokio::test]
async fn the_root_lists_what_there_is() {
    let server = Server::start().await;
    let (status, _, body) = server.ask("GET", "/").await;
    assert_eq!(status, 200);
    for path in body.lines() {
        assert_ne!(server.ask("GET", path).await.0, 404, "{path}");
    }
    assert_eq!(body.lines().count(), 5);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_allowed() {
    let server = Server::start().await;
    assert_eq!(server.ask("GET", "/metric").await.0, 404);
    assert_eq!(server.ask("POST", "/metric").await.0, 404);
    let (status, head, _) = server.ask("POST", "/metrics").await;
    assert_eq!(status, 405);
    assert!(head.contains("allow: get, head"), "{head}");
}

#[tokio::test]
async fn a_head_request_gets_the_head_only() {
    let (status, head, body) = Server::start().await.ask("HEAD", "/metrics").await;
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(head.contains("content-length: 20"), "{head}");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let request = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(HEAD_MAX));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // What the server did not read may reset the connection behind its answer.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_cut_off() {
    let head = Duration::from_millis(50);
    let server = Server::start_within(Limits { head, ..LIMITS }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    let mut answer = Vec::new();
    let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(end.is_ok(), "still open");
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let head = Duration::from_millis(50);
    let server = Server::start_within(Limits { head, ..LIMITS }).await;
    let mut stream = server.connect().await;
    stream.write_all(LIVEZ).await.unwrap();
    let mut answer = Vec::new();
    let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(end.is_ok(), "still open");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let server = Server::start_within(Limits { connections: 2, ..LIMITS }).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    assert_alive(&mut first).await;
    assert_alive(&mut second).await;
    let mut late = server.connect().await;
    late.write_all(LIVEZ).await.unwrap();
    assert_alive(&mut first).await;
    let nothing = late.try_read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    drop(second);
    assert!(late.read_u8().await.is_ok());
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_the_port() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    assert_alive(&mut idle).await;
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    assert!(TcpStream::connect(server.address).await.is_err());
}

const LIVEZ: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

/// Asks and reads the whole answer.
async fn assert_alive(stream: &mut TcpStream) {
    stream.write_all(LIVEZ).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
}
