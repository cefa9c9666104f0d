//! The data plane: accepts clients, lets them in, carries their statements to servers and the
//! replies back.
//!
//! It asks [`tidegate_hook::Hooks`] for every decision that belongs to the user and knows nothing
//! of WebAssembly. `session` uses `conn`, `pool`, `route` and `auth`; nothing uses `session` but
//! the accept loop. `route`, `pool::policy` and `pool::health` are pure.

mod assemble;
mod auth;
mod conn;
mod listen;
mod listener;
mod managed;
mod pool;
mod protocol;
mod proxy;
mod route;
mod rsa;
mod session;
mod sessions;
mod stop;
mod tls;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use auth::UsersError;
pub use proxy::{Proxy, StartError};
pub use rsa::RsaError;
pub use tls::TlsError;

/// Locks; what these locks guard is never left half done by a panic of another holder.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
