//! Listeners and upstreams as the process manages them, whatever they speak.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tidegate_config as config;
use tokio::net::TcpListener;

use crate::listen::accept;
use crate::listener::Listener;
use crate::pool::{Upstream, probe_forever};
use crate::protocol::Protocol;
use crate::session::Serve;
use crate::stop::Stop;

/// A listener.
pub(crate) trait Front: Send + Sync {
    fn config(&self) -> &config::Listener;

    /// Sessions that are open.
    fn sessions(&self) -> usize;

    /// Opens the query log anew, after it was moved away.
    fn reopen_log(&self);

    /// Accepts clients until it is dropped.
    fn accept(
        self: Arc<Self>,
        socket: TcpListener,
        stop: Arc<Stop>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<P: Serve> Front for Listener<P> {
    fn config(&self) -> &config::Listener {
        self.config()
    }

    fn sessions(&self) -> usize {
        self.sessions()
    }

    fn reopen_log(&self) {
        self.reopen_log();
    }

    fn accept(
        self: Arc<Self>,
        socket: TcpListener,
        stop: Arc<Stop>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(accept(socket, self, stop))
    }
}

/// An upstream.
pub(crate) trait Group: Send + Sync {
    fn name(&self) -> &str;

    /// Starts watching the servers, on the runtime of the caller.
    fn watch(self: Arc<Self>);

    /// How long it may take until something is known of each server.
    fn patience(&self) -> Duration;

    /// Of each server it is known what it is, or that it does not answer.
    fn is_known(&self) -> bool;

    /// A server is up.
    fn is_up(&self) -> bool;
}

impl<P: Protocol> Group for Upstream<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn watch(self: Arc<Self>) {
        for server in &self.servers {
            tokio::spawn(probe_forever(Arc::clone(&self), Arc::clone(server)));
        }
    }

    fn patience(&self) -> Duration {
        self.probe.timeout
    }

    fn is_known(&self) -> bool {
        self.servers.iter().all(|server| server.is_known())
    }

    fn is_up(&self) -> bool {
        self.servers.iter().any(|server| server.is_up())
    }
}
