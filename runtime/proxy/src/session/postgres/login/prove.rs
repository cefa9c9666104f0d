//! Checking a client's password, by whatever messages its method needs.

use std::time::Duration;

use bytes::BytesMut;
use tidegate_postgres_wire::downstream::{Accepted, Auth, Identified};
use tokio::time::{Instant, sleep_until};

use super::super::Listener;
use super::{LoginFailure, Reader};

/// A refusal comes so long after the proof that nobody learns from its time what was compared.
const REFUSAL: Duration = Duration::from_millis(50);

/// A client that is who it says.
pub(super) struct Proven {
    pub(super) accepted: Accepted,
    /// Equal for logins that are as good as this one.
    pub(super) stamp: u64,
}

/// Takes the client through its method.
pub(super) async fn prove(
    listener: &Listener,
    reader: &mut Reader<'_>,
    identified: Identified,
) -> Result<Proven, LoginFailure> {
    let mut received = Instant::now();
    let user = identified.login().user.clone();
    let found = listener.verifiers().find(&user);
    let mut out = BytesMut::new();
    let mut auth = Ok(identified.verify(found.verifier.clone(), &mut out));
    loop {
        auth = match auth {
            Ok(Auth::Continue(next)) => {
                reader.client.send(&out).await?;
                out.clear();
                let message = reader.message().await?;
                received = Instant::now();
                next.on_message(message, &mut out)
            }
            Ok(Auth::Mismatch(mismatch)) => Err(mismatch.refuse()),
            Ok(Auth::Check(unchecked)) => Err(unchecked.deny()),
            Ok(Auth::Denied(refusal)) => Err(refusal),
            Ok(Auth::Accepted(accepted)) => {
                // A method may end with a word of its own.
                reader.client.send(&out).await?;
                let stamp = listener.verifiers().stamp(&found);
                return Ok(Proven { accepted, stamp });
            }
            Err(refusal) => {
                sleep_until(received + REFUSAL).await;
                return Err(refusal.into());
            }
        };
    }
}
