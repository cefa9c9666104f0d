//! The login: who is there, by `scram-sha-256`.

use anyhow::Context as _;
use tidegate_postgres_wire::auth::scram::ITERATIONS_DEFAULT;
use tidegate_postgres_wire::auth::{DecoyKey, Flow, Verifier};
use tidegate_postgres_wire::downstream::{
    self, Auth, ClientTls, Identified, Login, Offer, Refusal, Step,
};
use tidegate_postgres_wire::message::{ErrorResponse, Severity};
use tidegate_postgres_wire::sqlstate::INVALID_CATALOG_NAME;

use super::Sessions;
use super::connection::Connection;
use crate::{DATABASE, password};

const FLOW: Flow = Flow::Scram { iterations: ITERATIONS_DEFAULT };

/// Makes the same salts for the primary and its replicas. No secret: the passwords are none either.
const DECOY_KEY: DecoyKey = DecoyKey(*b"the demo's passwords are public.");

/// Carries out the login. `None` when the client left or was refused, or wanted no login.
pub(super) fn log_in(
    connection: &mut Connection,
    sessions: &Sessions,
) -> anyhow::Result<Option<Login>> {
    let Some(identified) = identify(connection, sessions)? else {
        return Ok(None);
    };
    let login = identified.login().clone();
    if !is_proved(connection, identified)? {
        return Ok(None);
    }
    if login.database != DATABASE {
        let message = format!("database \"{}\" does not exist", login.database);
        ErrorResponse::new(Severity::Fatal, INVALID_CATALOG_NAME, message).encode(connection.out());
        connection.flush()?;
        return Ok(None);
    }
    Ok(Some(login))
}

/// The packets that begin it.
fn identify(
    connection: &mut Connection,
    sessions: &Sessions,
) -> anyhow::Result<Option<Identified>> {
    let mut start = downstream::start(offer()?);
    while let Some(packet) = connection.read_packet()? {
        let (unread, out) = connection.unread_and_out();
        start = match start.on_packet(&packet, unread, out) {
            Ok(Step::Continue(next)) => next,
            Ok(Step::UpgradeTls(_)) => anyhow::bail!("TLS is not offered"),
            Ok(Step::Identified(identified)) => return Ok(Some(identified)),
            Ok(Step::Cancel(key)) => {
                sessions.cancel(&key);
                return Ok(None);
            }
            Err(refusal) => {
                refuse(connection, &refusal)?;
                return Ok(None);
            }
        };
        connection.flush()?;
    }
    Ok(None)
}

/// Whether the client knows the password of the user that it says it is.
fn is_proved(connection: &mut Connection, identified: Identified) -> anyhow::Result<bool> {
    let user = &identified.login().user;
    let verifier = password(user).map_or(Verifier::Unknown(FLOW), |password| {
        Verifier::password(password.as_bytes(), user, FLOW, &DECOY_KEY)
    });
    let mut auth = identified.verify(verifier, connection.out());
    loop {
        auth = match auth {
            Auth::Accepted(_) => return Ok(true),
            Auth::Continue(next) => {
                connection.flush()?;
                let Some(message) = connection.read()? else {
                    return Ok(false);
                };
                next.on_message(message, connection.out()).unwrap_or_else(Auth::Denied)
            }
            Auth::Mismatch(mismatch) => Auth::Denied(mismatch.refuse()),
            Auth::Check(unchecked) => Auth::Denied(unchecked.deny()),
            Auth::Denied(refusal) => {
                refuse(connection, &refusal)?;
                return Ok(false);
            }
        };
    }
}

fn offer() -> anyhow::Result<Offer> {
    let mut offer = Offer {
        tls: ClientTls::Off,
        end_point: None,
        nonce: [0; _],
        salt: [0; _],
        cleartext: false,
        decoy_key: DECOY_KEY,
    };
    for random in [offer.nonce.as_mut_slice(), offer.salt.as_mut_slice()] {
        getrandom::fill(random).context("the system gives no random bytes")?;
    }
    Ok(offer)
}

fn refuse(connection: &mut Connection, refusal: &Refusal) -> anyhow::Result<()> {
    refusal.write(connection.out());
    connection.flush()
}
