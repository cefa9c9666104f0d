//! Checking a client's password, by whatever messages its method needs.

use std::time::Duration;

use bytes::BytesMut;
use tidegate_postgres_wire::downstream::{
    Accepted, Auth, Identified, Login, Mismatch, Refusal, Unchecked,
};
use tidegate_postgres_wire::message::{ErrorResponse, Severity};
use tidegate_postgres_wire::sqlstate::CANNOT_CONNECT_NOW;
use tidegate_postgres_wire::upstream::LoginError::Refused;
use tidegate_telemetry::LoginResult;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::super::Listener;
use super::{LoginFailure, Reader, told};
use crate::auth::aside::{aside, aside_with};
use crate::auth::postgres::{Found, NotTaken, Unavailable};
use crate::pool::postgres::{DialError, Identity};

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
    login: Login,
    found: Found,
    /// What is known was not read again yet.
    may_reread: bool,
    /// When the last message of the client came.
    received: Instant,
}

/// Takes the client through its method.
pub(super) async fn prove(
    listener: &Listener,
    reader: &mut Reader<'_>,
    identified: Identified,
) -> Result<Proven, LoginFailure> {
    let received = Instant::now();
    let login = identified.login().clone();
    let found = listener.verifiers().find(&login.user, reader.client.stream()).await;
    let found = found.map_err(|why| unavailable(listener, &why))?;
    let mut out = BytesMut::new();
    let mut auth = Ok(identified.verify(found.verifier.clone(), &mut out));
    let mut proof = Proof { listener, login, found, may_reread: true, received };
    loop {
        auth = match auth {
            Ok(Auth::Continue(next)) => {
                reader.client.send(&out).await?;
                out.clear();
                let message = reader.message().await?;
                proof.received = Instant::now();
                match next.is_slow() {
                    false => next.on_message(message, &mut out),
                    true => aside_with(&mut out, move |out| next.on_message(message, out)).await?,
                }
            }
            Ok(Auth::Mismatch(mismatch)) => proof.retry(mismatch).await?,
            Ok(Auth::Check(unchecked)) => proof.check(unchecked).await?.map(Auth::Accepted),
            Ok(Auth::Denied(refusal)) => Err(refusal),
            Ok(Auth::Accepted(accepted)) => {
                // A method may end with a word of its own.
                reader.client.send(&out).await?;
                return proof.accept(accepted);
            }
            Err(refusal) => {
                sleep_until(proof.received + REFUSAL).await;
                return Err(refusal.into());
            }
        };
    }
}

impl Proof<'_> {
    /// Judges again by what is known now, if that is something else: the password may have been
    /// changed.
    async fn retry(&mut self, mismatch: Mismatch) -> Result<Result<Auth, Refusal>, LoginFailure> {
        let verifiers = self.listener.verifiers();
        if !mismatch.can_be_retried() {
            verifiers.mismatched(&self.login.user);
            return Ok(Err(mismatch.refuse()));
        }
        if !std::mem::take(&mut self.may_reread) {
            return Ok(Err(mismatch.refuse()));
        }
        let found = verifiers.find_again(&self.login.user, &self.found).await;
        // What was known is good enough to refuse.
        let found = found.unwrap_or_else(|why| {
            warn!(listener = self.listener.name(), "cannot read a user again: {why}");
            None
        });
        let Some(found) = found else { return Ok(Err(mismatch.refuse())) };
        let verifier = found.verifier.clone();
        self.found = found;
        Ok(Ok(aside(move || mismatch.retry(&verifier)).await?))
    }

    /// Logs in to a server with a password that nothing here can check.
    async fn check(&self, unchecked: Unchecked) -> Result<Result<Accepted, Refusal>, LoginFailure> {
        let identity = Identity {
            user: self.login.user.as_str().into(),
            database: self.login.database.as_str().into(),
            parameters: [].into(),
            stamp: 0,
        };
        match self.listener.verifiers().check(&identity, unchecked.credential()).await {
            Ok(()) => Ok(Ok(unchecked.accept())),
            Err(NotTaken::Denied) => Ok(Err(unchecked.deny())),
            Err(NotTaken::Failed(DialError::Login(Refused(error)))) => {
                Err(told(error, LoginResult::Denied))
            }
            Err(NotTaken::Failed(error)) => {
                warn!(listener = self.listener.name(), "cannot check a password: {error}");
                let message = format!("tidegate: {error}");
                let error = ErrorResponse::new(Severity::Fatal, CANNOT_CONNECT_NOW, message);
                Err(told(error, LoginResult::ProxyError))
            }
            Err(NotTaken::NoServer) => Err(unavailable(self.listener, &Unavailable::NoServer)),
        }
    }

    /// The password is right; the user may still not be let in.
    fn accept(self, mut accepted: Accepted) -> Result<Proven, LoginFailure> {
        self.found.check(&self.login.user).map_err(|error| told(error, LoginResult::Denied))?;
        if let Some(credential) = self.found.credential.clone() {
            accepted.credential = credential;
        }
        let stamp = self.listener.verifiers().stamp(&self.found, &accepted.credential);
        Ok(Proven { accepted, stamp })
    }
}

fn unavailable(listener: &Listener, why: &Unavailable) -> LoginFailure {
    warn!(listener = listener.name(), "cannot check users: {why}");
    let message = "tidegate cannot check users at the moment";
    let error = ErrorResponse::new(Severity::Fatal, CANNOT_CONNECT_NOW, message);
    told(error, LoginResult::ProxyError)
}
