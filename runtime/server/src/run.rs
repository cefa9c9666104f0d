//! The process from its start to its end: log, plugins, data plane, admin interface, signals.

use std::sync::Arc;

use tidegate_config::{Config, LogFormat};
use tidegate_hook::{Hooks, ListenerId, NoHooks, Targets};
use tidegate_plugin_host::{ListenerPlugins, PluginHost, Settings};
use tidegate_proxy::Proxy;
use tidegate_telemetry::{Telemetry, init_logging};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::admin::{self, AdminState, Format};
use crate::exit::Exit;

/// Serves until it is told to stop.
pub(crate) fn run(config: &Config) -> Result<(), Exit> {
    let json = config.log.format == LogFormat::Json;
    init_logging(&config.log.level, json).map_err(|error| Exit::config(&error))?;
    let telemetry = Arc::new(Telemetry::new().map_err(|error| Exit::system(&error))?);
    let targets = Arc::new(Proxy::targets(config));
    let plugins = plugins(config, &targets, &telemetry)?;
    let hooks: Arc<dyn Hooks> = match &plugins {
        Some(host) => Arc::clone(host) as Arc<dyn Hooks>,
        None => Arc::new(NoHooks),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::system(&error))?;
    let mut proxy = Proxy::new(config, hooks, targets, &telemetry)
        .map_err(|error| Exit::unavailable(&error))?;
    runtime.block_on(async {
        proxy.watch_servers();
        proxy.know_servers().await;
    });
    proxy.serve().map_err(|error| Exit::unavailable(&error))?;
    let proxy = Arc::new(proxy);
    runtime.block_on(serve(config, &proxy, plugins.as_ref(), &telemetry))?;
    // The admin interface and the probes hold the proxy; they end with their runtime.
    drop(runtime);
    if let Some(proxy) = Arc::into_inner(proxy) {
        proxy.shut_down();
    }
    if let Some(host) = plugins {
        host.shutdown();
    }
    info!("stopped");
    Ok(())
}

fn plugins(
    config: &Config,
    targets: &Arc<Targets>,
    telemetry: &Telemetry,
) -> Result<Option<Arc<PluginHost>>, Exit> {
    let Some(plugins) = &config.plugins else {
        return Ok(None);
    };
    let listeners = (0_u16..).zip(&config.listeners).map(|(id, listener)| ListenerPlugins {
        id: ListenerId(id),
        name: listener.name.clone(),
        plugins: listener.plugins.clone(),
    });
    let host = PluginHost::start(Settings {
        dir: plugins.dir.clone(),
        workers: config.runtime.workers,
        targets: Arc::clone(targets),
        listeners: listeners.collect(),
        registry: telemetry.registry.clone(),
    });
    host.map(Some).map_err(|error| Exit::unavailable(&error))
}

/// Everything that is no session: the admin interface, and waiting for signals.
async fn serve(
    config: &Config,
    proxy: &Arc<Proxy>,
    plugins: Option<&Arc<PluginHost>>,
    telemetry: &Arc<Telemetry>,
) -> Result<(), Exit> {
    if let Some(admin) = &config.admin {
        let socket = TcpListener::bind(admin.bind).await;
        let socket =
            socket.map_err(|error| Exit::unavailable(&format!("admin {}: {error}", admin.bind)))?;
        let state = Arc::new(state(proxy, plugins, telemetry));
        tokio::spawn(admin::serve(socket, state, std::future::pending()));
        info!(address = %admin.bind, "admin interface");
    }
    for listener in &config.listeners {
        info!(listener = %listener.name, address = %listener.bind, "listening");
    }
    wait(proxy).await
}

/// Waits for the signal to stop.
async fn wait(proxy: &Proxy) -> Result<(), Exit> {
    let on = |kind| signal(kind).map_err(|error| Exit::system(&error));
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut hang_up = on(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => {
                info!("opening the query logs anew");
                proxy.reopen_logs();
            }
        }
    }
}

/// What the admin interface shows. By the time it answers, everything has started.
fn state(
    proxy: &Arc<Proxy>,
    plugins: Option<&Arc<PluginHost>>,
    telemetry: &Arc<Telemetry>,
) -> AdminState {
    let (proxy, plugins) = (Arc::clone(proxy), plugins.cloned());
    let telemetry = Arc::clone(telemetry);
    AdminState {
        metrics: Box::new(move |format| match format {
            Format::Prometheus => telemetry.render(),
            Format::OpenMetrics => telemetry.render_open(),
        }),
        started: Box::new(|| Ok(())),
        ready: Box::new(move || proxy.ready()),
        plugins: Box::new(move || {
            let status = plugins.as_ref().map(|host| host.status()).unwrap_or_default();
            serde_json::to_value(status).unwrap_or_default()
        }),
    }
}
