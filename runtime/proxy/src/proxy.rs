//! The data plane as a whole: its listeners, its upstreams, its workers.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use thiserror::Error;
use tidegate_config::{self as config, Config};
use tidegate_hook::{Hooks, Targets, set_current_worker};
use tidegate_telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{error, info};

use crate::assemble::{Assembled, assemble};
use crate::auth::UsersError;
use crate::listen::{bind, check_free};
use crate::managed::{Front, Group};
use crate::rsa::{RsaError, SharedKey};
use crate::stop::Stop;
use crate::tls::TlsError;

/// How often a worker that drains looks whether its last session has ended.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// How often the start looks whether the servers are known.
const PROBE_LOOK: Duration = Duration::from_millis(5);

/// Why the data plane cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("upstream {upstream:?}: tls: {source}")]
    UpstreamTls { upstream: String, source: TlsError },
    #[error("listener {listener:?}: tls: {source}")]
    ListenerTls { listener: String, source: TlsError },
    #[error("upstream {upstream:?}: rsa.keys: {source}")]
    UpstreamKeys { upstream: String, source: RsaError },
    #[error("listener {listener:?}: rsa_key: {source}")]
    ListenerKey { listener: String, source: RsaError },
    #[error("listener {listener:?}: auth.file {}: {source}", .path.display())]
    Users { listener: String, path: PathBuf, source: UsersError },
    #[error("listener {listener:?}: there is no upstream {upstream:?}")]
    NoUpstream { listener: String, upstream: String },
    #[error("listener {listener:?}: cannot listen on {address}: {source}")]
    Bind { listener: String, address: SocketAddr, source: io::Error },
    #[error("listener {listener:?}: query_log {}: {source}", .path.display())]
    QueryLog { listener: String, path: PathBuf, source: io::Error },
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
}

/// The running data plane.
pub struct Proxy {
    listeners: Vec<Arc<dyn Front>>,
    upstreams: Vec<Arc<dyn Group>>,
    runtime: config::Runtime,
    /// Being made while everything else starts.
    password_key: Option<SharedKey>,
    workers: Vec<Worker>,
}

struct Worker {
    thread: JoinHandle<()>,
    stop: Arc<Stop>,
}

impl Proxy {
    /// Every place that a plugin can name, as the configuration has them.
    #[must_use]
    pub fn targets(config: &Config) -> Targets {
        Targets::new(config.upstreams.iter().map(|upstream| {
            let servers = upstream.servers.iter().map(|server| server.address.clone());
            (upstream.name.as_str(), servers.collect())
        }))
    }

    /// Puts everything together. Nobody is served before [`Self::serve`].
    ///
    /// # Errors
    /// [`StartError`], for what the configuration promises and the machine does not have.
    pub fn new(
        config: &Config,
        hooks: Arc<dyn Hooks>,
        targets: Arc<Targets>,
        telemetry: &Telemetry,
    ) -> Result<Self, StartError> {
        let Assembled { listeners, upstreams, password_key } =
            assemble(config, &hooks, &targets, telemetry)?;
        for listener in &config.listeners {
            check_free(listener.bind).map_err(bind_error(listener))?;
        }
        Ok(Self {
            listeners,
            upstreams,
            runtime: config.runtime.clone(),
            password_key,
            workers: Vec::new(),
        })
    }

    /// Starts watching the servers, on the runtime of the caller.
    pub fn watch_servers(&self) {
        for upstream in &self.upstreams {
            Arc::clone(upstream).watch();
        }
    }

    /// Waits until it is known what each server is, or that it does not answer, so that the first
    /// session is not sent to a replica that nobody has recognised yet.
    pub async fn know_servers(&self) {
        for upstream in &self.upstreams {
            let limit = Instant::now() + upstream.patience();
            while !upstream.is_known() && Instant::now() < limit {
                sleep(PROBE_LOOK).await;
            }
        }
    }

    /// Starts the workers, which accept clients from now on.
    ///
    /// # Errors
    /// [`StartError::Bind`] or [`StartError::Worker`].
    pub fn serve(&mut self) -> Result<(), StartError> {
        if let Some(key) = &self.password_key {
            key.wait();
        }
        for number in 0..self.runtime.workers {
            let worker = Worker::start(number, &self.listeners, self.runtime.shutdown)?;
            self.workers.push(worker);
        }
        Ok(())
    }

    /// Whether clients can be served: every upstream has a server that is up.
    ///
    /// # Errors
    /// Says which has none.
    pub fn ready(&self) -> Result<(), String> {
        match self.upstreams.iter().find(|upstream| !upstream.is_up()) {
            Some(upstream) => Err(format!("upstream {}: no server is up", upstream.name())),
            None => Ok(()),
        }
    }

    /// Sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.listeners.iter().map(|listener| listener.sessions()).sum()
    }

    /// Opens the query logs anew, after they were moved away.
    pub fn reopen_logs(&self) {
        for listener in &self.listeners {
            listener.reopen_log();
        }
    }

    /// Stops accepting, ends idle sessions, and lets the others finish what they do, for as long
    /// as the configuration allows. Blocks until that is done.
    pub fn shut_down(self) {
        info!(sessions = self.sessions(), "shutting down");
        for worker in &self.workers {
            worker.stop.stop();
        }
        for worker in self.workers {
            if worker.thread.join().is_err() {
                error!("a worker has panicked");
            }
        }
    }
}

impl Worker {
    fn start(
        number: usize,
        listeners: &[Arc<dyn Front>],
        shutdown: Duration,
    ) -> Result<Self, StartError> {
        let stop = Arc::new(Stop::default());
        let mut sockets = Vec::new();
        for listener in listeners {
            let socket = bind(listener.config().bind).map_err(bind_error(listener.config()))?;
            sockets.push((socket, Arc::clone(listener)));
        }
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(StartError::Worker)?;
        let worker = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                set_current_worker(number);
                work(&runtime, sockets, &worker, shutdown);
            })
            .map_err(StartError::Worker)?;
        Ok(Self { thread, stop })
    }
}

/// A worker's life: accept, and when told to stop, wait for its sessions.
fn work(
    runtime: &Runtime,
    sockets: Vec<(std::net::TcpListener, Arc<dyn Front>)>,
    stop: &Arc<Stop>,
    shutdown: Duration,
) {
    runtime.block_on(async {
        let mut accepting = JoinSet::new();
        let mut listeners = Vec::new();
        for (socket, listener) in sockets {
            listeners.push(Arc::clone(&listener));
            match TcpListener::from_std(socket) {
                Ok(socket) => {
                    accepting.spawn(listener.accept(socket, Arc::clone(stop)));
                }
                Err(why) => error!(listener = listener.config().name, "cannot listen: {why}"),
            }
        }
        stop.stopped().await;
        accepting.shutdown().await;
        let deadline = Instant::now() + shutdown;
        let open = || listeners.iter().map(|listener| listener.sessions()).sum::<usize>();
        while open() > 0 && Instant::now() < deadline {
            sleep(DRAIN_LOOK).await;
        }
    });
}

fn bind_error(listener: &config::Listener) -> impl Fn(io::Error) -> StartError + '_ {
    |source| StartError::Bind { listener: listener.name.clone(), address: listener.bind, source }
}
