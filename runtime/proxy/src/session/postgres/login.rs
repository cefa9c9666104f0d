//! Letting a client in: who is it, may it come in, and is there a server for it.

mod prove;
mod welcome;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use thiserror::Error;
use tidegate_config::PostgresAuth;
use tidegate_hook::{Hooked, Protocol, SessionContext, SessionState, Target};
use tidegate_postgres_wire::auth::{md5, scram};
use tidegate_postgres_wire::cancel_key::CancelKey;
use tidegate_postgres_wire::downstream::{
    self, Accepted, ClientTls, ExpectStartup, Identified, Login, MESSAGE_MAX, Offer, Reason,
    Refusal, Step,
};
use tidegate_postgres_wire::frame::{Message, next_message, next_packet};
use tidegate_postgres_wire::message::{
    Authentication, ErrorResponse, ReadyForQuery, Severity, TransactionStatus,
};
use tidegate_postgres_wire::sqlstate::TOO_MANY_CONNECTIONS;
use tidegate_postgres_wire::startup::{PACKET_MAX, TLS_RECORD};
use tidegate_telemetry::{LoginResult, SessionFailure};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{debug, info, warn};
use zeroize::Zeroize as _;

use self::prove::{Proven, prove};
use self::welcome::welcome;
use super::leases::Leases;
use super::pins::{Pin, Pins};
use super::{Listener, Session, farewell, reply};
use crate::conn::Conn;
use crate::pool::postgres::{Identity, Leased, Postgres, Settings, Shown, cancel};
use crate::route::Bonds;
use crate::sessions::Sessions;
use crate::stop::Stop;

/// The setting that is said on a connection instead of with its login, as it differs most.
const APPLICATION_NAME: &str = "application_name";
/// The parameter of a login that asks for the protocol of replication.
const REPLICATION: &str = "replication";

/// Why nobody came in.
#[derive(Debug, Error)]
enum LoginFailure {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{error}")]
    Told { error: Box<ErrorResponse>, result: LoginResult },
    #[error("the connection was lost: {0}")]
    Lost(#[from] io::Error),
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("not logged in within {0:?}")]
    TimedOut(Duration),
}

impl LoginFailure {
    fn result(&self) -> LoginResult {
        match self {
            Self::Refused(refusal) => match refusal.reason {
                Reason::Violation(_) | Reason::UnsupportedVersion => LoginResult::Violation,
                Reason::TlsRequired | Reason::TlsNeeded => LoginResult::Tls,
                Reason::AccessDenied | Reason::ChannelBinding => LoginResult::Denied,
            },
            Self::Told { result, .. } => *result,
            Self::Lost(_) => LoginResult::ClientGone,
            Self::Tls(_) => LoginResult::Tls,
            Self::TimedOut(_) => LoginResult::TimedOut,
        }
    }

    /// Writes what the client is told; `false` if it is told nothing.
    fn write(&self, out: &mut BytesMut) -> bool {
        match self {
            Self::Refused(refusal) => refusal.write(out),
            Self::Told { error, .. } => error.encode(out),
            Self::Lost(_) | Self::Tls(_) | Self::TimedOut(_) => return false,
        }
        true
    }
}

/// What a client has come for.
enum Came {
    In(Box<Entered>),
    /// To end what another session does, which is done.
    ToCancel,
}

/// Takes a client through its login. `None`: it was told why not, or wanted something else, and the
/// connection is closed.
pub(super) async fn login(
    listener: &Arc<Listener>,
    socket: TcpStream,
    stop: &Arc<Stop>,
) -> Option<Session> {
    let peer = socket.peer_addr().ok();
    let mut client = Conn::new(socket);
    let limit = listener.config().login_timeout;
    let outcome = timeout(limit, enter(listener, &mut client, stop))
        .await
        .unwrap_or(Err(LoginFailure::TimedOut(limit)));
    let failure = match outcome {
        Ok(Came::In(entered)) => {
            listener.metrics().login(LoginResult::Ok);
            return Some(entered.into_session(listener, client));
        }
        Ok(Came::ToCancel) => {
            drop(timeout(farewell::LIMIT, client.shut_down()).await);
            return None;
        }
        // Who opens a connection and closes it again only wants to know whether somebody is there.
        Err(LoginFailure::Lost(error)) if error.kind() == io::ErrorKind::NotConnected => {
            return None;
        }
        Err(failure) => failure,
    };
    listener.metrics().login(failure.result());
    listener.metrics().session_failed(SessionFailure::Login);
    info!(
        listener = listener.name(),
        peer = peer.map(tracing::field::display),
        "login failed: {failure}"
    );
    let mut out = BytesMut::new();
    if failure.write(&mut out) {
        // Whether it arrives changes nothing any more.
        drop(client.send(&out).await);
    }
    None
}

/// A client that is in, before it is a session.
struct Entered {
    context: Box<SessionContext>,
    listed: super::Listed,
    identity: Arc<Identity>,
    accepted: Accepted,
    default: Target,
    initial: Settings,
    told: Shown,
    /// The connection that a client keeps that replicates.
    own: Option<Leased>,
}

impl Entered {
    fn into_session(self, listener: &Arc<Listener>, client: Conn) -> Session {
        let mut session = Session {
            listener: Arc::clone(listener),
            client,
            context: self.context,
            listed: self.listed,
            identity: self.identity,
            credential: self.accepted.credential,
            default: self.default,
            leases: Leases::default(),
            bonds: Bonds::default(),
            active: None,
            pipe: super::Pipe::default(),
            owed: super::Owed::default(),
            opaque: false,
            settings: self.initial.clone(),
            initial: self.initial,
            before: None,
            told: self.told,
            prepared: super::Prepared::default(),
            pins: Pins::default(),
            status: TransactionStatus::Idle,
            written: None,
            portals: Vec::new(),
            pinned: Vec::new(),
            unpinned: Vec::new(),
            client_left: None,
        };
        if !session.told.has_standard_strings() {
            // Texts cannot be read here that escape by backslashes.
            session.opaque = true;
        }
        if let Some(own) = self.own {
            let place = session.hold(own);
            session.opaque = true;
            session.pin(place, &Pin::Replication);
        }
        session
    }
}

async fn enter(
    listener: &Arc<Listener>,
    client: &mut Conn,
    stop: &Arc<Stop>,
) -> Result<Came, LoginFailure> {
    if listener.is_full() {
        let message =
            format!("tidegate: listener {} has as many sessions as it may", listener.name());
        let error = ErrorResponse::new(Severity::Fatal, TOO_MANY_CONNECTIONS, message);
        return Err(told(error, LoginResult::ProxyError));
    }
    let mut pending = BytesMut::new();
    let mut reader = Reader { client, pending: &mut pending };
    let Some(identified) = identify(listener, &mut reader).await? else {
        return Ok(Came::ToCancel);
    };
    let login = identified.login().clone();
    let proven = prove(listener, &mut reader, identified).await?;
    let id = listener.next_session();
    let context = context(listener, reader.client, id, &login);
    let entered = come_in(listener, reader.client, context, &login, proven, stop).await?;
    Ok(Came::In(Box::new(entered)))
}

/// A client is who it says: may it come in, and does a server take it? Then it is told so.
async fn come_in(
    listener: &Arc<Listener>,
    client: &mut Conn,
    mut context: Box<SessionContext>,
    login: &Login,
    Proven { accepted, stamp }: Proven,
    stop: &Arc<Stop>,
) -> Result<Entered, LoginFailure> {
    let default = admit(listener, &mut context)?;
    let is_replication = login.parameters.iter().any(|(name, value)| {
        name == REPLICATION && !matches!(value.as_str(), "false" | "off" | "no" | "0")
    });
    let (identity, initial) = identity(login, stamp, is_replication);
    let identity = Arc::new(identity);
    let (own, told) =
        welcome(listener, default, &identity, &accepted, &initial, is_replication).await?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let key = CancelKey::generate(login.version, Sessions::<Postgres>::id(context.id), &random);
    let mut out = BytesMut::new();
    Authentication::Ok.encode(&mut out);
    for status in told.iter() {
        status.encode(&mut out);
    }
    key.encode(&mut out);
    ReadyForQuery(TransactionStatus::Idle).encode(&mut out);
    let user = Arc::clone(&context.user);
    let listed = listener.open_sessions().add(context.id, user, key, Arc::clone(stop));
    client.send(&out).await?;
    debug!(session = context.id, user = %context.user, "logged in");
    Ok(Entered { context, listed, identity, accepted, default, initial, told, own })
}

/// What the connections of this client have in common, and what is said on each of them.
fn identity(login: &Login, stamp: u64, is_replication: bool) -> (Identity, Settings) {
    let mut initial = Settings::default();
    let mut parameters = Vec::new();
    for (name, value) in &login.parameters {
        if name == APPLICATION_NAME && !is_replication {
            let statement = format!("SET {APPLICATION_NAME} = '{}'", value.replace('\'', "''"));
            // A login is not as long as settings may be.
            let _ = initial.set(APPLICATION_NAME, &statement);
        } else {
            parameters.push((name.clone(), value.clone()));
        }
    }
    parameters.sort();
    let identity = Identity {
        user: login.user.as_str().into(),
        database: login.database.as_str().into(),
        parameters: parameters.into(),
        stamp,
    };
    (identity, initial)
}

/// Reads the packets of a login.
struct Reader<'a> {
    client: &'a mut Conn,
    pending: &'a mut BytesMut,
}

impl Reader<'_> {
    async fn fill(&mut self, most: usize) -> Result<(), LoginFailure> {
        if self.client.fill_at_most(most).await? == 0 {
            let kind = match self.client.traffic() {
                (0, _) => io::ErrorKind::NotConnected,
                _ => io::ErrorKind::UnexpectedEof,
            };
            return Err(io::Error::from(kind).into());
        }
        self.pending.extend_from_slice(self.client.inbox.as_slice());
        // The password may be in it, and the buffer is used again.
        self.client.inbox.as_mut_slice().zeroize();
        self.client.inbox.clear();
        Ok(())
    }

    /// The next of the packets that come before anything else. What follows it stays in the socket: it
    /// may belong to TLS.
    async fn packet(&mut self) -> Result<BytesMut, LoginFailure> {
        loop {
            let cut = next_packet(self.pending, PACKET_MAX);
            if let Some(packet) = cut.map_err(Refusal::violation)? {
                return Ok(packet);
            }
            let wanted = match self.pending.first_chunk::<4>() {
                None => 4,
                Some(length) => usize::try_from(u32::from_be_bytes(*length)).unwrap_or(PACKET_MAX),
            };
            self.fill(wanted.saturating_sub(self.pending.len()).max(1)).await?;
        }
    }

    async fn message(&mut self) -> Result<Message, LoginFailure> {
        loop {
            let cut = next_message(self.pending, MESSAGE_MAX);
            if let Some(message) = cut.map_err(Refusal::violation)? {
                return Ok(message);
            }
            self.fill(usize::MAX).await?;
        }
    }
}

/// Who the client says it is. `None`: it wanted to end what another session does.
async fn identify(
    listener: &Arc<Listener>,
    reader: &mut Reader<'_>,
) -> Result<Option<Identified>, LoginFailure> {
    let mut state = start(listener, reader).await?;
    let mut out = BytesMut::new();
    loop {
        let packet = reader.packet().await?;
        state = match state.on_packet(&packet, reader.pending, &mut out)? {
            Step::Identified(identified) => {
                reader.client.send(&out).await?;
                return Ok(Some(identified));
            }
            Step::Cancel(key) => {
                end_another(listener, &key).await;
                return Ok(None);
            }
            Step::Continue(next) => {
                reader.client.send(&out).await?;
                next
            }
            Step::UpgradeTls(next) => {
                reader.client.send(&out).await?;
                upgrade(listener, reader.client).await?;
                next
            }
        };
        out.clear();
    }
}

/// A client may begin with TLS at once.
async fn start(
    listener: &Listener,
    reader: &mut Reader<'_>,
) -> Result<ExpectStartup, LoginFailure> {
    let offer = offer(listener)?;
    if listener.acceptor().is_some() && reader.client.peek().await? == Some(TLS_RECORD) {
        upgrade(listener, reader.client).await?;
        if reader.client.stream().chosen_protocol() != Some(tidegate_postgres_wire::startup::ALPN) {
            let error = "direct TLS needs the protocol \"postgresql\" by ALPN";
            return Err(LoginFailure::Tls(io::Error::other(error)));
        }
        return Ok(downstream::start_encrypted(offer));
    }
    Ok(downstream::start(offer))
}

async fn upgrade(listener: &Listener, client: &mut Conn) -> Result<(), LoginFailure> {
    let acceptor = listener.acceptor();
    let acceptor =
        acceptor.ok_or_else(|| LoginFailure::Tls(io::Error::other("there is no certificate")))?;
    client.upgrade(|socket| acceptor.accept(socket)).await.map_err(LoginFailure::Tls)
}

fn offer(listener: &Listener) -> Result<Offer, LoginFailure> {
    let (mut nonce, mut salt) = ([0; scram::NONCE_LEN], [0; md5::SALT_LEN]);
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    Ok(Offer {
        tls: match listener.config().tls.as_ref().map(|tls| tls.mode) {
            None => ClientTls::Off,
            Some(tidegate_config::ClientTlsMode::Prefer) => ClientTls::Prefer,
            Some(tidegate_config::ClientTlsMode::Require) => ClientTls::Require,
        },
        end_point: listener.acceptor().and_then(|acceptor| acceptor.end_point()),
        nonce,
        salt,
        cleartext: listener.own().default_auth == PostgresAuth::Cleartext,
        decoy_key: listener.verifiers().decoy_key(),
    })
}

/// Ends what the session of this key does, if there is one.
async fn end_another(listener: &Listener, key: &CancelKey) {
    let Some(session) = listener.open_sessions().get(key.process_id) else { return };
    if session.proof != *key {
        return;
    }
    let aim = session.aim();
    let Some((place, victim)) = aim.running() else { return };
    let upstream = listener.upstreams().get(place.upstream);
    let server = upstream.and_then(|upstream| upstream.servers.get(place.server));
    if let Some(server) = server
        && let Err(error) = cancel(server, &victim).await
    {
        warn!(server = %server.address, "cannot cancel a statement: {error}");
    }
}

fn context(listener: &Listener, client: &Conn, id: u64, login: &Login) -> Box<SessionContext> {
    let mut context = Box::new(SessionContext::default());
    context.id = id;
    context.protocol = Protocol::Postgres;
    context.listener = listener.id();
    context.listener_name = Arc::clone(listener.shared_name());
    context.user = login.user.as_str().into();
    context.database = Some(login.database.as_str().into());
    context.peer = client.peer();
    context.local_port = client.local_port().unwrap_or_default();
    context.tls_subject = client.stream().peer_subject().map(Into::into);
    let said = login.parameters.iter().map(|(name, value)| (name, value));
    context.connection_attributes = said.collect();
    context.state.set(SessionState::TLS, login.tls);
    context.refresh_identity();
    context
}

/// Asks the plugins where this client's statements should go, if it may come in at all.
fn admit(listener: &Listener, context: &mut Box<SessionContext>) -> Result<Target, LoginFailure> {
    let wanted = listener.hooks().wanted(listener.id());
    if !wanted.contains(Hooked::CONNECTION) {
        return Ok(listener.default_target());
    }
    let admission = listener.hooks().on_authenticated(context);
    if let Some(rejection) = &admission.reject {
        let error = reply::rejection(rejection, Severity::Fatal);
        return Err(told(error, LoginResult::Rejected));
    }
    let target = admission.target.and_then(|id| listener.targets().get(id));
    Ok(target.unwrap_or_else(|| listener.default_target()))
}

fn told(error: ErrorResponse, result: LoginResult) -> LoginFailure {
    LoginFailure::Told { error: Box::new(error), result }
}
