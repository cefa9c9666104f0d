//! Sessions, one folder a protocol. A session is one task that reads top to bottom.

pub(crate) mod mysql;
pub(crate) mod postgres;

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::listener::{Counted, Listener};
use crate::pool::mysql::Mysql;
use crate::pool::postgres::Postgres;
use crate::protocol::Protocol;
use crate::stop::Stop;

/// A protocol whose clients can be served.
pub(crate) trait Serve: Protocol {
    /// Serves one client from its first byte to its last; `counted` is dropped then.
    fn serve(
        listener: Arc<Listener<Self>>,
        socket: TcpStream,
        stop: Arc<Stop>,
        counted: Counted<Self>,
    ) -> impl Future<Output = ()> + Send;
}

impl Serve for Mysql {
    async fn serve(
        listener: Arc<Listener<Self>>,
        socket: TcpStream,
        stop: Arc<Stop>,
        counted: Counted<Self>,
    ) {
        mysql::serve(listener, socket, stop, counted).await;
    }
}

impl Serve for Postgres {
    async fn serve(
        listener: Arc<Listener<Self>>,
        socket: TcpStream,
        stop: Arc<Stop>,
        counted: Counted<Self>,
    ) {
        postgres::serve(listener, socket, stop, counted).await;
    }
}
