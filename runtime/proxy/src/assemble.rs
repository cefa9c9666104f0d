//! Listeners and upstreams, put together as the configuration says.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_config::{self as config, ClientTlsMode, Config, ListenerProtocol, UpstreamProtocol};
use tidegate_hook::{Hooks, ListenerId, Member, Target, Targets};
use tidegate_telemetry::{QueryLog, Telemetry};

use crate::auth::{UsersError, mysql, postgres};
use crate::listener::{Listener, Parts, Shared};
use crate::managed::{Front, Group};
use crate::pool::Upstream;
use crate::pool::mysql::{self as mysql_pool, Mysql};
use crate::pool::postgres as postgres_pool;
use crate::protocol::{Protocol, Upstreams};
use crate::proxy::StartError;
use crate::rsa::{ServerKeys, SharedKey};
use crate::session::Serve;
use crate::tls::Acceptor;

/// Everything that can serve, once there are workers.
pub(crate) struct Assembled {
    pub(crate) listeners: Vec<Arc<dyn Front>>,
    pub(crate) upstreams: Vec<Arc<dyn Group>>,
    /// Being made while everything else starts.
    pub(crate) password_key: Option<SharedKey>,
}

/// What all listeners are put together from.
struct Context<'a> {
    config: &'a Config,
    hooks: &'a Arc<dyn Hooks>,
    targets: &'a Arc<Targets>,
    telemetry: &'a Telemetry,
}

pub(crate) fn assemble(
    config: &Config,
    hooks: &Arc<dyn Hooks>,
    targets: &Arc<Targets>,
    telemetry: &Telemetry,
) -> Result<Assembled, StartError> {
    let context = Context { config, hooks, targets, telemetry };
    let mysql = context.shared(|upstream| match &upstream.protocol {
        UpstreamProtocol::Mysql { rsa } => Some(mysql_options(upstream, rsa)),
        UpstreamProtocol::Postgres(_) => None,
    })?;
    let postgres = context.shared(|upstream| match &upstream.protocol {
        UpstreamProtocol::Mysql { .. } => None,
        UpstreamProtocol::Postgres(own) => Some(Ok(postgres_pool::Options::new(own))),
    })?;
    let password_key = config.listeners.iter().any(needs_made_key).then(SharedKey::generate);
    let mut listeners: Vec<Arc<dyn Front>> = Vec::new();
    for (id, listener) in (0_u16..).zip(&config.listeners) {
        let id = ListenerId(id);
        listeners.push(match &listener.protocol {
            ListenerProtocol::Mysql(own) => {
                let key = chosen_key(listener, own, password_key.as_ref())?;
                context.listener(id, listener, own, &mysql, |upstream| {
                    Ok(mysql::Verifiers::new(listener, own, upstream, key))
                })?
            }
            ListenerProtocol::Postgres(own) => {
                context.listener(id, listener, own, &postgres, |upstream| {
                    postgres::Verifiers::new(listener, own, upstream)
                        .map_err(|source| bad_users(listener, source))
                })?
            }
        });
    }
    let upstreams = managed(&mysql.upstreams).chain(managed(&postgres.upstreams)).collect();
    Ok(Assembled { listeners, upstreams, password_key })
}

impl Context<'_> {
    /// What the listeners of one protocol have in common. `options` are none for an upstream of
    /// another.
    fn shared<P: Protocol>(
        &self,
        options: impl Fn(&config::Upstream) -> Option<Result<P::Options, StartError>>,
    ) -> Result<Shared<P>, StartError> {
        let mut upstreams = Vec::new();
        for (position, upstream) in self.config.upstreams.iter().enumerate() {
            let Some(options) = options(upstream) else {
                upstreams.push(None);
                continue;
            };
            let made = Upstream::new(position, upstream, &options?, self.telemetry);
            let made = made.map_err(|source| StartError::UpstreamTls {
                upstream: upstream.name.clone(),
                source,
            })?;
            upstreams.push(Some(Arc::new(made)));
        }
        Ok(Shared {
            hooks: Arc::clone(self.hooks),
            targets: Arc::clone(self.targets),
            upstreams: Upstreams::new(upstreams.into_iter()),
            sessions: Arc::default(),
        })
    }

    fn listener<P: Serve>(
        &self,
        id: ListenerId,
        listener: &config::Listener,
        own: &P::Settings,
        shared: &Shared<P>,
        verifiers: impl FnOnce(&Arc<Upstream<P>>) -> Result<P::Verifiers, StartError>,
    ) -> Result<Arc<dyn Front>, StartError> {
        let name = || listener.name.clone();
        let position = |(position, upstream): (usize, &config::Upstream)| {
            (upstream.name == listener.upstream).then_some(position)
        };
        let position = self.config.upstreams.iter().enumerate().find_map(position);
        let found = position.and_then(|at| Some((at, shared.upstreams.get(at)?)));
        let (position, upstream) = found.ok_or_else(|| StartError::NoUpstream {
            listener: name(),
            upstream: listener.upstream.clone(),
        })?;
        let acceptor = listener.tls.as_ref().map(Acceptor::new::<P>).transpose();
        let acceptor =
            acceptor.map_err(|source| StartError::ListenerTls { listener: name(), source })?;
        let metrics = self.telemetry.listener(&listener.name);
        let query_log = listener.query_log.as_ref().map(|log| {
            let path = log.path.clone();
            QueryLog::open(&log.path, &metrics).map_err(|source| StartError::QueryLog {
                listener: name(),
                path,
                source,
            })
        });
        let query_log = query_log.transpose()?;
        Ok(Arc::new(Listener::new(Parts {
            id,
            config: listener.clone(),
            own: own.clone(),
            shared: shared.clone(),
            default: Target { upstream: position, member: Member::Any },
            verifiers: verifiers(upstream)?,
            acceptor,
            metrics,
            query_log,
        })))
    }
}

fn managed<P: Protocol>(upstreams: &Upstreams<P>) -> impl Iterator<Item = Arc<dyn Group>> {
    upstreams.iter().map(|upstream| Arc::clone(upstream) as Arc<dyn Group>)
}

fn mysql_options(
    upstream: &config::Upstream,
    rsa: &config::ServerRsa,
) -> Result<<Mysql as Protocol>::Options, StartError> {
    let keys = ServerKeys::new(rsa)
        .map_err(|source| StartError::UpstreamKeys { upstream: upstream.name.clone(), source })?;
    Ok(mysql_pool::Options::new(upstream, keys))
}

fn bad_users(listener: &config::Listener, source: UsersError) -> StartError {
    let path = match &listener.auth {
        config::Auth::File { path, .. } | config::Auth::UserList { path } => path.clone(),
        config::Auth::Server { .. } | config::Auth::Users(_) => PathBuf::new(),
    };
    StartError::Users { listener: listener.name.clone(), path, source }
}

/// Clients may come without TLS, and no key was given.
fn needs_made_key(listener: &config::Listener) -> bool {
    match &listener.protocol {
        ListenerProtocol::Mysql(own) => may_lack_tls(listener) && own.rsa_key.is_none(),
        ListenerProtocol::Postgres(_) => false,
    }
}

fn may_lack_tls(listener: &config::Listener) -> bool {
    listener.tls.as_ref().is_none_or(|tls| tls.mode != ClientTlsMode::Require)
}

fn chosen_key(
    listener: &config::Listener,
    own: &config::MysqlListener,
    made: Option<&SharedKey>,
) -> Result<Option<SharedKey>, StartError> {
    match &own.rsa_key {
        Some(path) => SharedKey::load(path)
            .map(Some)
            .map_err(|source| StartError::ListenerKey { listener: listener.name.clone(), source }),
        None => Ok(made.filter(|_| may_lack_tls(listener)).cloned()),
    }
}
