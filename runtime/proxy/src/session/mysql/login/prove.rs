//! Checking a client's password, by whatever packets its method needs.

use std::time::Duration;

use bytes::BytesMut;
use tidegate_mysql_wire::downstream::{Accepted, Auth, Identified, Refusal, Unchecked};
use tidegate_mysql_wire::error_code::ER_UNKNOWN;
use tidegate_mysql_wire::packet::ErrPacket;
use tidegate_mysql_wire::upstream::LoginError::Refused;
use tidegate_telemetry::LoginResult;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::super::Listener;
use super::{COLLATION, LoginFailure, Reader, SHAPING};
use crate::auth::aside::aside_with;
use crate::auth::mysql::{Found, NotTaken, Unavailable};
use crate::pool::mysql::{DialError, Identity, LoginError};
use crate::rsa::SharedKey;

/// A refusal comes so long after the proof that nobody learns from its time what was compared.
const REFUSAL: Duration = Duration::from_millis(50);

/// A client that is who it says.
pub(super) struct Proven {
    pub(super) accepted: Accepted,
    /// Equal for logins that are as good as this one.
    pub(super) stamp: u64,
}

/// The client, and what is known of it.
struct Proof<'a> {
    listener: &'a Listener,
    user: String,
    found: Found,
    /// What is known was not read again yet.
    may_reread: bool,
    /// When the last packet of the client came.
    received: Instant,
}

/// Takes the client through its method.
pub(super) async fn prove(
    listener: &Listener,
    reader: &mut Reader<'_>,
    identified: Identified,
) -> Result<Proven, LoginFailure> {
    let received = Instant::now();
    let user = identified.login().user.clone();
    let found = listener.verifiers().find(&user, reader.client.peer()).await;
    let found = found.map_err(|why| unavailable(listener, &why, 2))?;
    let mut proof = Proof { listener, user, found, may_reread: true, received };
    let mut out = BytesMut::new();
    let verifier = proof.found.verifier.clone();
    let mut auth = match identified.is_slow() {
        false => identified.verify(verifier, &mut out),
        true => aside_with(&mut out, move |out| identified.verify(verifier, out)).await?,
    };
    loop {
        auth = match auth {
            Ok(Auth::Continue(next)) => {
                reader.client.send(&out).await?;
                out.clear();
                let packet = reader.packet(4).await?;
                proof.received = Instant::now();
                match next.is_slow() {
                    false => next.on_packet(packet, &mut out),
                    true => aside_with(&mut out, move |out| next.on_packet(packet, out)).await?,
                }
            }
            Ok(Auth::Decrypt(next)) => {
                let key = listener.verifiers().key().cloned();
                let decrypt = move |out: &mut BytesMut| {
                    let key = key.as_ref().and_then(SharedKey::get);
                    let plaintext = key.and_then(|key| key.decrypt(next.ciphertext()));
                    Ok(next.decrypted(plaintext, out))
                };
                aside_with(&mut out, decrypt).await?
            }
            Ok(Auth::Mismatch(mismatch)) => match proof.reread(reader).await {
                Some(found) => {
                    let verifier = found.verifier.clone();
                    proof.found = found;
                    aside_with(&mut out, move |out| Ok(mismatch.retry(verifier, out))).await?
                }
                None => Err(mismatch.refuse()),
            },
            Ok(Auth::Check(unchecked)) => proof.check(unchecked).await?.map(Auth::Accepted),
            Ok(Auth::Denied(refusal)) => Err(refusal),
            Ok(Auth::Accepted(accepted)) => return proof.accept(reader, accepted, &out).await,
            Err(refusal) => {
                sleep_until(proof.received + REFUSAL).await;
                return Err(refusal.into());
            }
        };
    }
}

impl Proof<'_> {
    /// What is known now, if that is something else: the account may have been changed.
    async fn reread(&mut self, reader: &Reader<'_>) -> Option<Found> {
        if !std::mem::take(&mut self.may_reread) {
            return None;
        }
        let verifiers = self.listener.verifiers();
        let found = verifiers.find_again(&self.user, reader.client.peer(), &self.found).await;
        // What was known is good enough to refuse.
        found.unwrap_or_else(|why| {
            warn!(listener = self.listener.name(), "cannot read a user again: {why}");
            None
        })
    }

    /// Logs in to a server with a password that nothing here can check.
    async fn check(&self, unchecked: Unchecked) -> Result<Result<Accepted, Refusal>, LoginFailure> {
        let identity = Identity {
            user: self.user.as_str().into(),
            database: None,
            collation: COLLATION,
            capabilities: SHAPING,
            stamp: 0,
        };
        let checked = self.listener.verifiers().check(&identity, unchecked.credential()).await;
        match checked {
            Ok(()) => Ok(Ok(unchecked.accept())),
            Err(NotTaken::Denied) => Ok(Err(unchecked.deny())),
            Err(NotTaken::Failed(DialError::Login(LoginError::Wire(Refused(error))))) => {
                Err(told(error, unchecked.sequence(), LoginResult::Denied))
            }
            Err(NotTaken::Failed(error)) => {
                warn!(listener = self.listener.name(), "cannot check a password: {error}");
                let error = ErrPacket::new(ER_UNKNOWN, format!("tidegate: {error}"));
                Err(told(error, unchecked.sequence(), LoginResult::ProxyError))
            }
            Err(NotTaken::NoServer) => {
                let why = Unavailable::NoServer;
                Err(unavailable(self.listener, &why, unchecked.sequence()))
            }
        }
    }

    /// The password is right; the account may demand more.
    async fn accept(
        mut self,
        reader: &mut Reader<'_>,
        accepted: Accepted,
        out: &[u8],
    ) -> Result<Proven, LoginFailure> {
        // A method may end with a word of its own before the OK.
        reader.client.send(out).await?;
        let verifiers = self.listener.verifiers();
        if self.check_rules(reader).is_err()
            && let Some(found) = self.reread(reader).await
            && verifiers.is_same_password(&found, &self.found)
        {
            self.found = found;
        }
        self.check_rules(reader)
            .map_err(|error| told(error, accepted.sequence, LoginResult::Denied))?;
        let stamp = verifiers.accepted(&self.user, &self.found, &accepted.credential);
        Ok(Proven { accepted, stamp })
    }

    fn check_rules(&self, reader: &Reader<'_>) -> Result<(), ErrPacket> {
        let host = reader.client.peer().map(|peer| peer.ip().to_string()).unwrap_or_default();
        self.found.rules.check(&self.user, &host, reader.client.stream())
    }
}

fn told(error: ErrPacket, sequence: u8, result: LoginResult) -> LoginFailure {
    LoginFailure::Told { error, sequence, result }
}

fn unavailable(listener: &Listener, why: &Unavailable, sequence: u8) -> LoginFailure {
    warn!(listener = listener.name(), "cannot check users: {why}");
    let error = ErrPacket::new(ER_UNKNOWN, "tidegate cannot check users at the moment");
    told(error, sequence, LoginResult::ProxyError)
}
