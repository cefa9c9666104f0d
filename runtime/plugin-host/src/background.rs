//! The instance that runs `ticker`: it may take its time, and so runs on a runtime of its own.
//!
//! It is linked with `wasmtime-wasi`, which can wait, and yields to others of its kind each ten
//! milliseconds. It has no session in hand; what it finds out reaches the hot hooks through the
//! key-value store.

use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::Level;
use wasmtime::Store;
use wasmtime::component::{Instance, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::exports::tidegate::plugin::ticker;
use crate::component::LoadError;
use crate::failure::{Failure, FailureKind};
use crate::instance::{Blueprint, START_MAX};
use crate::plugin::Plugin;
use crate::printed::LineBuffer;
use crate::state::State;

/// Ticks between two yields of a busy instance.
const YIELD_TICKS: u64 = 10;
/// How long one tick may take.
const TICK_MAX: Duration = Duration::from_secs(10);
/// Ticks do not follow each other quicker than this.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The thread that runs all background instances. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct BackgroundRuntime {
    handle: Handle,
    /// Its end is what the thread waits for.
    _stop: oneshot::Sender<()>,
}

impl BackgroundRuntime {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name("plugin-ticker".to_owned()).spawn(move || {
            // An error means that the sender is gone, which is the signal.
            runtime.block_on(stopped).ok();
        })?;
        Ok(Self { handle, _stop: stop })
    }

    /// Makes the background instance of a plugin and waits for its `init`.
    pub(crate) fn instantiate(&self, blueprint: &Blueprint) -> Result<Background, LoadError> {
        let (started, result) = mpsc::channel();
        let live = Arc::new(Notify::new());
        let (may_tick, blueprint) = (Arc::clone(&live), blueprint.clone());
        let task = self.handle.spawn(async move {
            let ticking = Ticking::start(&blueprint).await;
            let outcome = ticking.as_ref().map(|_| ()).map_err(Clone::clone);
            // If nobody waits any more, nobody will let it go live either.
            if started.send(outcome).is_ok()
                && let Ok(ticking) = ticking
            {
                may_tick.notified().await;
                run(ticking, blueprint).await;
            }
        });
        let background = Background { live, task: task.abort_handle() };
        let stopped = || Failure::new(FailureKind::HostError, "the host is stopping");
        result.recv().unwrap_or_else(|_| Err(LoadError::Start(stopped())))?;
        Ok(background)
    }
}

/// The background instance of one plugin. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    live: Arc<Notify>,
    task: AbortHandle,
}

impl Background {
    /// Lets it tick.
    pub(crate) fn go_live(&self) {
        self.live.notify_one();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ticks for ever; an instance that failed is replaced, later each time.
async fn run(ticking: Ticking, blueprint: Blueprint) {
    let mut ticking = Some(ticking);
    let mut backoff = BACKOFF_MIN;
    loop {
        let pause = match tick(ticking.take(), &blueprint).await {
            Ok((instance, pause)) => {
                ticking = Some(instance);
                backoff = BACKOFF_MIN;
                pause.max(PAUSE_MIN)
            }
            Err(failure) => {
                let plugin = &blueprint.plugin;
                plugin.counters.failed(failure.kind);
                tracing::warn!(target: "plugin", plugin = &*plugin.name, hook = "tick", "{failure}");
                let pause = backoff;
                backoff = (backoff * 2).min(BACKOFF_MAX);
                pause
            }
        };
        sleep(pause).await;
    }
}

async fn tick(
    ticking: Option<Ticking>,
    blueprint: &Blueprint,
) -> Result<(Ticking, Duration), Failure> {
    let mut ticking = match ticking {
        Some(ticking) => ticking,
        None => Ticking::start(blueprint).await?,
    };
    blueprint.plugin.counters.ticks.fetch_add(1, Ordering::Relaxed);
    let pause = ticking.tick().await?;
    Ok((ticking, pause))
}

/// A background instance that has been initialised.
struct Ticking {
    store: Store<BackgroundState>,
    hook: ticker::Guest,
}

impl Ticking {
    async fn start(blueprint: &Blueprint) -> Result<Self, LoadError> {
        let mut store = new_store(blueprint);
        let start = timeout(START_MAX, start(&mut store, blueprint));
        let too_long = || Failure::new(FailureKind::Deadline, "its init ran past its deadline");
        let started = start.await.map_err(|_| LoadError::Start(too_long()))?;
        let denied = store.data().state.limit.was_denied();
        let (hook, init) =
            started.map_err(|error| LoadError::Start(Failure::of_call(&error, denied)))?;
        init.map_err(LoadError::Refused)?;
        Ok(Self { store, hook })
    }

    async fn tick(&mut self) -> Result<Duration, Failure> {
        self.store.data_mut().state.limit.clear();
        let hook = self.hook.func_tick();
        match timeout(TICK_MAX, hook.call_async(&mut self.store, ())).await {
            Ok(Ok((next_ms,))) => Ok(Duration::from_millis(next_ms.into())),
            Ok(Err(error)) => {
                let denied = self.store.data().state.limit.was_denied();
                Err(Failure::of_call(&error, denied))
            }
            Err(_) => Err(Failure::new(FailureKind::Deadline, "its tick ran past its deadline")),
        }
    }
}

fn new_store(blueprint: &Blueprint) -> Store<BackgroundState> {
    let engine = blueprint.compiled.background.engine();
    let mut store = Store::new(engine, BackgroundState::new(blueprint));
    store.limiter(|data| &mut data.state.limit);
    store.set_epoch_deadline(YIELD_TICKS);
    store.epoch_deadline_async_yield_and_update(YIELD_TICKS);
    store
}

async fn start(
    store: &mut Store<BackgroundState>,
    blueprint: &Blueprint,
) -> wasmtime::Result<(ticker::Guest, Result<(), String>)> {
    let compiled = &blueprint.compiled;
    let instance: Instance = compiled.background.instantiate_async(&mut *store).await?;
    let ticker = compiled.exports.ticker.as_ref();
    let ticker = ticker.ok_or_else(|| wasmtime::Error::msg("it has no ticker"))?;
    let hook = ticker.load(&mut *store, &instance)?;
    let Some(lifecycle) = &compiled.exports.lifecycle else {
        return Ok((hook, Ok(())));
    };
    let lifecycle = lifecycle.load(&mut *store, &instance)?;
    let config = blueprint.config.to_string();
    let (answer,) = lifecycle.func_init().call_async(store, (config.as_str(),)).await?;
    Ok((hook, answer))
}

/// The data of a background store: what hot instances have, and the WASI that can wait.
pub(crate) struct BackgroundState {
    state: State,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl BackgroundState {
    /// Nothing is granted: no file, no address, no variable.
    fn new(blueprint: &Blueprint) -> Self {
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Printed::new(&blueprint.plugin, Level::INFO));
        wasi.stderr(Printed::new(&blueprint.plugin, Level::WARN));
        Self { state: blueprint.state(), wasi: wasi.build(), table: ResourceTable::new() }
    }

    pub(crate) fn state(&mut self) -> &mut State {
        &mut self.state
    }
}

impl WasiView for BackgroundState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A stream whose lines are logged as the plugin's.
#[derive(Clone)]
struct Printed {
    plugin: Arc<Plugin>,
    level: Level,
    line: Arc<Mutex<LineBuffer>>,
}

impl Printed {
    fn new(plugin: &Arc<Plugin>, level: Level) -> Self {
        Self { plugin: Arc::clone(plugin), level, line: Arc::default() }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.push(bytes, |line| self.plugin.log(self.level, line));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
