//! Letting a client in: who is it, may it come in, and is there a server for it.

mod change_user;
mod prove;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use thiserror::Error;
use tidegate_config::Compression;
use tidegate_hook::{Hooked, SessionContext, SessionState, Target};
use tidegate_mysql_wire::auth::ed25519;
use tidegate_mysql_wire::capabilities::{
    Capabilities, SUPPORTED_BY_CLIENT_SIDE, SUPPORTED_WITH_MARIADB,
};
use tidegate_mysql_wire::downstream::{
    self, Accepted, ClientTls, Identified, Login, Offer, PACKET_MAX, Refusal, Step,
};
use tidegate_mysql_wire::error_code::{ER_CON_COUNT, ER_MUST_CHANGE_PASSWORD_LOGIN};
use tidegate_mysql_wire::frame::{HEADER_LEN, Packet, Packets};
use tidegate_mysql_wire::packet::{ErrPacket, NONCE_LEN};
use tidegate_mysql_wire::status::StatusFlags;
use tidegate_mysql_wire::upstream::is_mariadb;
use tidegate_telemetry::{LoginResult, SessionFailure};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{debug, info, warn};
use zeroize::Zeroize as _;

use self::prove::{Proven, prove};
use super::state::LASTING;
use super::{Listener, Session, farewell, reply};
use crate::auth::mysql::{is_denial, method};
use crate::conn::{Conn, Stream};
use crate::pool::mysql::{Borrower, DialError, Identity, LeaseError, Leased, Mysql};
use crate::route::Bonds;
use crate::rsa::{PasswordKey, SharedKey};
use crate::sessions::Sessions;
use crate::stop::Stop;

/// A request for TLS is so long; what follows it belongs to TLS and must stay in the socket.
const TLS_REQUEST_LEN: usize = HEADER_LEN + 32;
/// What clients are told before any server has said its version; most clients know this one.
const SERVER_VERSION: &str = "8.0.36";
/// The collation utf8mb4_general_ci.
const COLLATION: u8 = 45;
/// Client capabilities that shape what a server answers, and so must be the server's too.
const SHAPING: Capabilities = Capabilities::FOUND_ROWS
    .union(Capabilities::IGNORE_SPACE)
    .union(Capabilities::INTERACTIVE)
    .union(Capabilities::LOCAL_FILES)
    .union(Capabilities::MULTI_STATEMENTS)
    .union(Capabilities::MULTI_RESULTS)
    .union(Capabilities::PS_MULTI_RESULTS)
    .union(Capabilities::DEPRECATE_EOF)
    .union(Capabilities::QUERY_ATTRIBUTES)
    .union(Capabilities::PROGRESS)
    .union(Capabilities::STMT_BULK_OPERATIONS)
    .union(Capabilities::EXTENDED_METADATA)
    .union(Capabilities::CONNECT_ATTRS);

/// Why nobody came in.
#[derive(Debug, Error)]
enum LoginFailure {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{error}")]
    Told { error: ErrPacket, sequence: u8, result: LoginResult },
    #[error("the connection was lost: {0}")]
    Lost(#[from] std::io::Error),
    #[error("TLS: {0}")]
    Tls(std::io::Error),
    #[error("not logged in within {0:?}")]
    TimedOut(Duration),
}

impl LoginFailure {
    fn result(&self) -> LoginResult {
        match self {
            Self::Refused(refusal) => match refusal.reason {
                downstream::Reason::Violation(_) => LoginResult::Violation,
                downstream::Reason::TlsRequired => LoginResult::Tls,
                _ => LoginResult::Denied,
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
            Self::Told { error, sequence, .. } => {
                reply::error(out, *sequence, Capabilities::PROTOCOL_41, error);
            }
            Self::Lost(_) | Self::Tls(_) | Self::TimedOut(_) => return false,
        }
        true
    }
}

/// Takes a client through its login. `None`: it was told why not, and the connection is closed.
pub(super) async fn login(
    listener: &Arc<Listener>,
    socket: TcpStream,
    stop: &Arc<Stop>,
) -> Option<Session> {
    let peer = socket.peer_addr().ok();
    let mut client = Conn::new(socket);
    let limit = listener.config().login_timeout;
    let outcome = timeout(limit, enter(listener, &mut client))
        .await
        .unwrap_or(Err(LoginFailure::TimedOut(limit)));
    let failure = match outcome {
        Ok(entered) => {
            listener.metrics().login(LoginResult::Ok);
            return Some(entered.into_session(listener, client, stop));
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
    capabilities: Capabilities,
    identity: Arc<Identity>,
    accepted: Accepted,
    default: Target,
    status: StatusFlags,
    nonce: [u8; NONCE_LEN],
}

impl Entered {
    fn into_session(self, listener: &Arc<Listener>, client: Conn, stop: &Arc<Stop>) -> Session {
        let (id, user) = (self.context.id, Arc::clone(&self.context.user));
        Session {
            listener: Arc::clone(listener),
            listed: listener.open_sessions().add(id, user, (), Arc::clone(stop)),
            client,
            context: self.context,
            capabilities: self.capabilities,
            identity: self.identity,
            credential: self.accepted.credential,
            default: self.default,
            leases: super::Leases::default(),
            bonds: Bonds::default(),
            last: None,
            last_change: None,
            opaque: false,
            settings: super::Settings::default(),
            prepared: super::Prepared::default(),
            pins: super::Pins::default(),
            fresh_status: self.status,
            status: self.status,
            next_transaction: false,
            diagnostics: None,
            insert_id: super::InsertId::default(),
            counts: super::Counts::default(),
            written: super::AllWritten::new(),
            nonce: self.nonce,
            refused: 0,
            reply_sequence: 1,
        }
    }
}

async fn enter(listener: &Arc<Listener>, client: &mut Conn) -> Result<Entered, LoginFailure> {
    let mut packets = Packets::new(PACKET_MAX);
    let mut pending = BytesMut::new();
    if listener.is_full() {
        let message =
            format!("tidegate: listener {} has as many sessions as it may", listener.name());
        let error = ErrPacket::new(ER_CON_COUNT, message);
        return Err(LoginFailure::Told { error, sequence: 0, result: LoginResult::ProxyError });
    }
    let session = listener.next_session();
    let mut reader = Reader { client, packets: &mut packets, pending: &mut pending };
    let offer = offer(listener, reader.client, session).await?;
    let nonce = offer.nonce;
    let identified = identify(listener, &mut reader, offer).await?;
    let login = identified.login().clone();
    let proven = prove(listener, &mut reader, identified).await?;
    let context = context(listener, reader.client, session, &login);
    let entered = come_in(listener, reader.client, context, &login, proven, nonce).await?;
    if let Some(algorithm) = login.compression {
        reader.client.compress(algorithm);
    }
    Ok(entered)
}

/// A client is who it says: may it come in, and does a server take it? Then it is told so.
async fn come_in(
    listener: &Listener,
    client: &mut Conn,
    mut context: Box<SessionContext>,
    login: &Login,
    Proven { accepted, stamp }: Proven,
    nonce: [u8; NONCE_LEN],
) -> Result<Entered, LoginFailure> {
    let default = admit(listener, &mut context, accepted.sequence)?;
    let identity = Identity {
        user: Arc::clone(&context.user),
        database: context.database.clone(),
        collation: login.collation,
        capabilities: login.capabilities & SHAPING,
        stamp,
    };
    let (identity, status) =
        welcome(listener, default, identity, &accepted, login.capabilities).await?;
    let mut out = BytesMut::new();
    reply::ok(&mut out, accepted.sequence, login.capabilities, status);
    client.send(&out).await?;
    debug!(session = context.id, user = %context.user, "logged in");
    Ok(Entered {
        context,
        capabilities: login.capabilities,
        identity,
        accepted,
        default,
        status,
        nonce,
    })
}

/// Reads the packets of a login.
struct Reader<'a> {
    client: &'a mut Conn,
    packets: &'a mut Packets,
    pending: &'a mut BytesMut,
}

impl Reader<'_> {
    async fn packet(&mut self, sequence: u8) -> Result<Packet, LoginFailure> {
        loop {
            let cut = self.packets.next(self.pending);
            if let Some(packet) =
                cut.map_err(|violation| Refusal::violation(violation, sequence))?
            {
                return Ok(packet);
            }
            let most = match self.client.stream() {
                Stream::Plain(_) => TLS_REQUEST_LEN.saturating_sub(self.pending.len()),
                _ => usize::MAX,
            };
            let most = if most == 0 { usize::MAX } else { most };
            if self.client.fill_at_most(most).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            self.pending.extend_from_slice(self.client.inbox.as_slice());
            // The password may be in it, and the buffer is used again.
            self.client.inbox.as_mut_slice().zeroize();
            self.client.inbox.clear();
        }
    }
}

async fn identify(
    listener: &Listener,
    reader: &mut Reader<'_>,
    offer: Offer,
) -> Result<Identified, LoginFailure> {
    let mut out = BytesMut::new();
    let mut state = downstream::start(offer, &mut out);
    reader.client.send(&out).await?;
    loop {
        let packet = reader.packet(1).await?;
        match state.on_packet(packet)? {
            Step::Identified(identified) => return Ok(identified),
            Step::UpgradeTls(next) => {
                let acceptor = listener.acceptor().ok_or_else(|| {
                    LoginFailure::Tls(std::io::Error::other("there is no certificate"))
                })?;
                if !reader.pending.is_empty() {
                    let early = std::io::Error::other("bytes before the TLS handshake");
                    return Err(LoginFailure::Tls(early));
                }
                let upgrade = reader.client.upgrade(|socket| acceptor.accept(socket));
                upgrade.await.map_err(LoginFailure::Tls)?;
                state = next;
            }
        }
    }
}

async fn offer(listener: &Listener, client: &Conn, session: u64) -> Result<Offer, LoginFailure> {
    let config = listener.config();
    let host = client.peer().map(|peer| peer.ip().to_string());
    let version = version(listener).await;
    let capabilities = match is_mariadb(&version) {
        true => SUPPORTED_WITH_MARIADB,
        false => SUPPORTED_BY_CLIENT_SIDE,
    };
    Ok(Offer {
        server_version: listener.own().server_version.clone().unwrap_or(version),
        connection_id: Sessions::<Mysql>::id(session),
        nonce: nonce::<NONCE_LEN>()?,
        long_nonce: nonce::<{ ed25519::NONCE_LEN }>()?,
        capabilities: capabilities | compression(&listener.own().compression),
        method: method(listener.own().default_auth),
        tls: match config.tls.as_ref().map(|tls| tls.mode) {
            None => ClientTls::Off,
            Some(tidegate_config::ClientTlsMode::Prefer) => ClientTls::Prefer,
            Some(tidegate_config::ClientTlsMode::Require) => ClientTls::Require,
        },
        collation: COLLATION,
        status: StatusFlags::AUTOCOMMIT,
        client_host: host.unwrap_or_else(|| "unknown".to_owned()),
        public_key: listener.verifiers().key().and_then(SharedKey::get).map(PasswordKey::public),
        decoy_key: listener.verifiers().decoy_key(),
    })
}

/// What the servers say of their version.
async fn version(listener: &Listener) -> String {
    let version = match listener.upstreams().get(listener.default_target().upstream) {
        Some(upstream) => upstream.version().await,
        None => None,
    };
    version.as_deref().unwrap_or(SERVER_VERSION).to_owned()
}

fn compression(allowed: &[Compression]) -> Capabilities {
    let capability = |algorithm: &Compression| match algorithm {
        Compression::Zstd => Capabilities::ZSTD_COMPRESSION,
        Compression::Zlib => Capabilities::COMPRESS,
    };
    allowed.iter().map(capability).collect()
}

/// Random bytes among the printable ones: some clients stop reading at a NUL.
fn nonce<const N: usize>() -> Result<[u8; N], LoginFailure> {
    let mut nonce = [0; N];
    getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
    Ok(nonce.map(|byte| 33 + byte % 94))
}

fn context(listener: &Listener, client: &Conn, id: u64, login: &Login) -> Box<SessionContext> {
    let mut context = Box::new(SessionContext::default());
    context.id = id;
    context.listener = listener.id();
    context.listener_name = Arc::clone(listener.shared_name());
    context.user = login.user.as_str().into();
    context.database = login.database.as_deref().map(Into::into);
    context.peer = client.peer();
    context.local_port = client.local_port().unwrap_or_default();
    context.tls_subject = client.stream().peer_subject().map(Into::into);
    let said = login.attributes.iter().map(|(name, value)| (name, value));
    context.connection_attributes = said.collect();
    context.state.set(SessionState::TLS, login.tls);
    context.refresh_identity();
    context
}

/// Asks the plugins where this client's statements should go, if it may come in at all.
fn admit(
    listener: &Listener,
    context: &mut Box<SessionContext>,
    sequence: u8,
) -> Result<Target, LoginFailure> {
    let wanted = listener.hooks().wanted(listener.id());
    if !wanted.contains(Hooked::CONNECTION) {
        return Ok(listener.default_target());
    }
    let admission = listener.hooks().on_authenticated(context);
    if let Some(rejection) = &admission.reject {
        let error = reply::rejection(rejection);
        return Err(LoginFailure::Told { error, sequence, result: LoginResult::Rejected });
    }
    let target = admission.target.and_then(|id| listener.targets().get(id));
    Ok(target.unwrap_or_else(|| listener.default_target()))
}

/// Makes sure that a server takes this user and database, while the client still expects to hear
/// of it, and learns the flags of a session that is new there. The connection is free again at once:
/// an idle session holds none.
///
/// A client that can handle an expired password is let in with one, to change it.
async fn welcome(
    listener: &Listener,
    target: Target,
    identity: Identity,
    accepted: &Accepted,
    capabilities: Capabilities,
) -> Result<(Arc<Identity>, StatusFlags), LoginFailure> {
    const EXPIRED: Capabilities = Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS;
    let mut identity = Arc::new(identity);
    let mut leased = lease(listener, target, &identity, accepted).await;
    if capabilities.contains(EXPIRED)
        && let Err(error) = &leased
        && refused(error).is_some_and(|err| err.code == ER_MUST_CHANGE_PASSWORD_LOGIN.code)
    {
        Arc::make_mut(&mut identity).capabilities |= EXPIRED;
        leased = lease(listener, target, &identity, accepted).await;
    }
    match leased {
        Ok(mut leased) => {
            let status = leased.connection().session.status & LASTING;
            leased.give_back();
            Ok((identity, status))
        }
        Err(error) => {
            warn!(listener = listener.name(), user = %identity.user, "no server for a login: {error}");
            if refused(&error).is_some_and(is_denial) {
                listener.verifiers().forget(&identity.user);
            }
            Err(LoginFailure::Told {
                error: farewell::lease(&error),
                sequence: accepted.sequence,
                result: LoginResult::ProxyError,
            })
        }
    }
}

async fn lease(
    listener: &Listener,
    target: Target,
    identity: &Arc<Identity>,
    accepted: &Accepted,
) -> Result<Leased, LeaseError> {
    match listener.upstreams().get(target.upstream) {
        Some(upstream) => {
            let credential = &accepted.credential;
            let borrower = Borrower { identity, credential, state: 0 };
            upstream.lease_for_login(target.member, borrower).await
        }
        None => Err(LeaseError::NoServer { target: String::new() }),
    }
}

/// What a server has said to a login that it refused.
fn refused(error: &LeaseError) -> Option<&ErrPacket> {
    match error {
        LeaseError::Dial { source: DialError::Login(error), .. } => error.refused(),
        _ => None,
    }
}
