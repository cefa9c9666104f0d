//! The hooks of a session: `connection-hooks` and `connection-observer`.

use crate::bindings::connection::exports::tidegate::plugin::connection_hooks::{
    Action, Decision, Guest,
};
use crate::bindings::connection_observer::exports::tidegate::plugin::connection_observer;
use crate::connection::{Admission, ConnectionObserver, ConnectionPlugin, Traffic};
use crate::host::types::Client;

use super::{Adapter, Hosted, number, reject, session};

impl<H: Hosted> Guest for Adapter<H>
where
    H::Plugin: ConnectionPlugin,
{
    fn on_authenticated(client: Client) -> Decision {
        match Self::plugin().on_authenticated(&session(&client)) {
            Admission::Next => Decision { action: Action::Next, target: 0 },
            Admission::Route(target) => Decision { action: Action::Route, target: number(&target) },
            Admission::Reject(why) => {
                reject(why);
                Decision { action: Action::Reject, target: 0 }
            }
        }
    }
}

impl<H: Hosted> connection_observer::Guest for Adapter<H>
where
    H::Plugin: ConnectionObserver,
{
    fn on_closed(client: Client, bytes_in: u64, bytes_out: u64) {
        Self::plugin().on_closed(&session(&client), &Traffic { bytes_in, bytes_out });
    }
}
