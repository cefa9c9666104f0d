//! Accepting clients on one worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tracing::warn;

use crate::listener::Listener;
use crate::session::Serve;
use crate::stop::Stop;

/// Clients that the kernel keeps for us while we are busy.
const BACKLOG: i32 = 1024;
/// When nothing can be accepted (no file descriptors), trying at once again would only burn time.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes sure that nobody else listens there: the sockets of the workers share their address, and
/// would share it with another process as well.
pub(crate) fn check_free(address: SocketAddr) -> io::Result<()> {
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    socket.listen(1)
}

/// A worker's own socket on an address that all workers share.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Accepts clients until it is dropped; each gets a task of its own.
pub(crate) async fn accept<P: Serve>(
    socket: TcpListener,
    listener: Arc<Listener<P>>,
    stop: Arc<Stop>,
) {
    loop {
        let client = match socket.accept().await {
            Ok((client, _)) => client,
            Err(error) => {
                warn!(listener = listener.name(), "cannot accept a client: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        if let Err(error) = client.set_nodelay(true) {
            warn!(listener = listener.name(), "a client was gone at once: {error}");
            continue;
        }
        let counted = listener.count();
        tokio::spawn(P::serve(Arc::clone(&listener), client, Arc::clone(&stop), counted));
    }
}
