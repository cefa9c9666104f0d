//! The exports of a component, on top of the traits that authors implement.
//!
//! [`export!`](crate::export) names an [`Adapter`] of the author's type as the implementation of each
//! generated `Guest` trait; everything it does is here, once, and not in the macro.

mod connection;
mod sql;
mod ticker;

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::thread::LocalKey;
use std::time::Duration;

use tidegate_sql::Dialect;

use crate::bindings::lifecycle::exports::tidegate::plugin::lifecycle;
use crate::host::types::{self, Client, Protocol, SessionState};
use crate::session::State;
use crate::{Rejection, Session, Target, host};

/// Holds the plugin of this instance, once `init` has made it. It lives as long as the instance.
pub type Slot<T> = LocalKey<Cell<Option<&'static T>>>;

/// A plugin as [`export!`](crate::export) describes it.
pub trait Hosted {
    type Plugin: 'static;

    fn slot() -> &'static Slot<Self::Plugin>;
    fn init(config: &str) -> Result<Self::Plugin, String>;
}

/// Implements the generated traits for a plugin that has the hooks.
pub struct Adapter<H>(PhantomData<H>);

impl<H: Hosted> Adapter<H> {
    fn plugin() -> &'static H::Plugin {
        H::slot().get().expect("the host calls init before any hook")
    }
}

impl<H: Hosted> lifecycle::Guest for Adapter<H> {
    fn init(config: String) -> Result<(), String> {
        let plugin = H::init(&config)?;
        H::slot().set(Some(Box::leak(Box::new(plugin))));
        Ok(())
    }
}

fn session(client: &Client) -> Session {
    let has = |flag| client.state.contains(flag);
    let state = State {
        tls: has(SessionState::TLS),
        in_transaction: has(SessionState::IN_TRANSACTION),
        transaction_failed: has(SessionState::TRANSACTION_FAILED),
        read_only: has(SessionState::READ_ONLY),
        wrote: has(SessionState::WROTE),
        dialect: dialect(client.protocol),
    };
    Session::new(client.id, client.mark, state)
}

fn dialect(protocol: Protocol) -> Dialect {
    match protocol {
        Protocol::Postgres => Dialect::Postgres,
        // The other protocols are not spoken yet; each brings its own dialect, if any.
        Protocol::Mysql | Protocol::Http | Protocol::Iproto => Dialect::Mysql,
    }
}

/// A plugin that makes its targets' names up from data shall not fill the memory with them.
const CACHED_TARGETS: usize = 64;

thread_local! {
    static TARGETS: RefCell<Vec<(Target, u32)>> = const { RefCell::new(Vec::new()) };
}

/// The number of a target; each name is looked up once in the life of an instance.
///
/// A name that the configuration does not have is a mistake of the plugin's, so it traps, and the
/// sidecar's `on_failure` says what becomes of the statement.
fn number(target: &Target) -> u32 {
    if let Some(number) = target.resolved() {
        return number;
    }
    TARGETS.with_borrow_mut(|known| {
        if let Some((_, number)) = known.iter().find(|(other, _)| other == target) {
            return *number;
        }
        let number = match host::targets::resolve(target.name()) {
            Ok(number) => number,
            Err(why) => panic!("{why}"),
        };
        if known.len() < CACHED_TARGETS {
            known.push((target.clone(), number));
        }
        number
    })
}

fn reject(why: Rejection) {
    host::answer::reject(&types::Rejection {
        code: why.code,
        sqlstate: why.sqlstate,
        message: why.message,
    });
}

/// In milliseconds, where 0 means "none": so what is shorter than one becomes one.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).max(1)
}
