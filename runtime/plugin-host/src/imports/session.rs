//! `session`: what is known about the session in hand. Another one is refused.

use tracing::Level;

use crate::bindings::tidegate::plugin::session;
use crate::state::State;

impl session::Host for State {
    fn listener(&mut self, id: u64) -> wasmtime::Result<String> {
        Ok(self.session(id)?.listener_name.to_string())
    }

    fn local_port(&mut self, id: u64) -> wasmtime::Result<u16> {
        Ok(self.session(id)?.local_port)
    }

    fn user(&mut self, id: u64) -> wasmtime::Result<String> {
        Ok(self.session(id)?.user.to_string())
    }

    fn database(&mut self, id: u64) -> wasmtime::Result<Option<String>> {
        Ok(self.session(id)?.database.as_deref().map(str::to_owned))
    }

    fn peer(&mut self, id: u64) -> wasmtime::Result<String> {
        Ok(self.session(id)?.peer.map(|peer| peer.to_string()).unwrap_or_default())
    }

    fn tls_subject(&mut self, id: u64) -> wasmtime::Result<Option<String>> {
        Ok(self.session(id)?.tls_subject.as_deref().map(str::to_owned))
    }

    fn connection_attribute(&mut self, id: u64, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.session(id)?.connection_attributes.get(&key).map(str::to_owned))
    }

    fn attribute(&mut self, id: u64, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.session(id)?.attribute(&key).map(str::to_owned))
    }

    fn set_attribute(
        &mut self,
        id: u64,
        key: String,
        value: Option<String>,
    ) -> wasmtime::Result<()> {
        if self.session(id)?.set_attribute(&key, value.as_deref()).is_err() {
            self.plugin.log(Level::WARN, "a session attribute did not fit and was left out");
        }
        Ok(())
    }

    fn set_mark(&mut self, id: u64, mark: u64) -> wasmtime::Result<()> {
        let plugin = self.plugin.number;
        self.session(id)?.set_mark(plugin, mark);
        Ok(())
    }
}
