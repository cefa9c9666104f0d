//! What takes milliseconds is done where nobody else has to wait for it, and not too much of it at
//! once: who asks for it has not proved anything yet.

use std::io;

use bytes::BytesMut;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// So many passwords are hashed at a time.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Does slow work on a thread that is no worker.
///
/// # Errors
/// The process ends, or the work has panicked.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let _turn = TURNS.acquire().await.map_err(io::Error::other)?;
    spawn_blocking(work).await.map_err(io::Error::other)
}

/// As [`aside`], for work that leaves in `out` what must be sent.
pub(crate) async fn aside_with<T: Send + 'static>(
    out: &mut BytesMut,
    work: impl FnOnce(&mut BytesMut) -> T + Send + 'static,
) -> io::Result<T> {
    let mut taken = std::mem::take(out);
    let done = aside(move || {
        let result = work(&mut taken);
        (result, taken)
    });
    let (result, taken) = done.await?;
    *out = taken;
    Ok(result)
}
