//! The admin interface: metrics, health and plugins over HTTP, for those who run tidegate.
//!
//! It only reads, knows no password, and knows nothing of the rest but a few functions to ask.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

const LIMITS: Limits = Limits { connections: 64, head: Duration::from_secs(10) };
/// No more of a request's head than this is read, in bytes.
const HEAD_MAX: usize = 16 << 10;
/// After this long a connection takes no further request.
const CONNECTION_TIME: Duration = Duration::from_secs(300);
/// How long the last answer of a connection may take.
const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// What tests set lower.
struct Limits {
    /// No more connections than this at once; the next ones wait to be accepted.
    connections: usize,
    /// How long a client may take to send a head, and may keep an idle connection.
    head: Duration,
}

/// Answers whether something holds, and if it does not, why.
pub(crate) type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Prometheus,
    /// With exemplars.
    OpenMetrics,
}

/// What the admin interface asks. The functions are called on its thread and must not block.
pub(crate) struct AdminState {
    /// Everything in Prometheus's text format, or in that of OpenMetrics.
    pub(crate) metrics: Box<dyn Fn(Format) -> String + Send + Sync>,
    /// Whether the process has done what it does once, at the start.
    pub(crate) started: Check,
    /// Whether clients should be sent here now.
    pub(crate) ready: Check,
    /// The plugins that are loaded, and those that are not and why.
    pub(crate) plugins: Box<dyn Fn() -> serde_json::Value + Send + Sync>,
}

/// Serves until `shutdown` is there; then lets running answers finish.
pub(crate) async fn serve(
    listener: TcpListener,
    state: Arc<AdminState>,
    shutdown: impl Future<Output = ()>,
) {
    serve_within(LIMITS, listener, state, shutdown).await;
}

async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    state: Arc<AdminState>,
    shutdown: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    // Each connection holds a receiver: it learns of the end, and `closed` waits for all of them.
    let (stop, stopping) = watch::channel(());
    let accepting = async {
        loop {
            match accept(&listener, &permits).await {
                Ok((stream, peer, permit)) => {
                    let (state, stopping) = (Arc::clone(&state), stopping.clone());
                    let connection = connection(stream, limits.head, state, stopping);
                    tokio::spawn(async move {
                        let _permit = permit;
                        if let Err(error) = connection.await {
                            debug!(%peer, %error, "admin connection failed");
                        }
                    });
                }
                Err(error) => {
                    // No file handles, most likely; it gets better when others close theirs.
                    warn!(%error, "the admin interface cannot accept");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    drop(stopping);
    stop.send_replace(());
    stop.closed().await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// Carries one connection to its end, which comes after a while in any case.
async fn connection(
    stream: TcpStream,
    head_time: Duration,
    state: Arc<AdminState>,
    mut stopping: watch::Receiver<()>,
) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let answer = answer(&state, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result,
        // An error says that the server is gone already, which is the same.
        _ = stopping.changed() => {}
        () = sleep(CONNECTION_TIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    timeout(FAREWELL_TIME, connection).await.unwrap_or(Ok(()))
}

fn answer(state: &AdminState, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let route: fn(&AdminState) -> Response<Full<Bytes>> = match path {
        "/" => |_| text(StatusCode::OK, INDEX.to_owned()),
        "/livez" => |_| text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => |state| health((state.ready)()),
        "/startupz" => |state| health((state.started)()),
        "/metrics" if wants_open_metrics(request) => open_metrics,
        "/metrics" => metrics,
        "/plugins" => plugins,
        _ => return text(StatusCode::NOT_FOUND, format!("no {path} here\n{INDEX}")),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    route(state)
}

const INDEX: &str = "/livez\n/metrics\n/plugins\n/readyz\n/startupz\n";

fn health(check: Result<(), String>) -> Response<Full<Bytes>> {
    match check {
        Ok(()) => text(StatusCode::OK, "ok\n".to_owned()),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

fn metrics(state: &AdminState) -> Response<Full<Bytes>> {
    let text = (state.metrics)(Format::Prometheus);
    response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
}

fn open_metrics(state: &AdminState) -> Response<Full<Bytes>> {
    let text = (state.metrics)(Format::OpenMetrics);
    response(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}

/// Prometheus names it first, with the others behind it.
fn wants_open_metrics(request: &Request<Incoming>) -> bool {
    let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.into_iter().any(|value| value.contains("application/openmetrics-text"))
}

fn plugins(state: &AdminState) -> Response<Full<Bytes>> {
    response(StatusCode::OK, "application/json", format!("{:#}\n", (state.plugins)()))
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", body)
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
