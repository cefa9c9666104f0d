//! `kv`: the plugin's own store.

use crate::bindings::tidegate::plugin::kv;
use crate::kv::KvError;
use crate::state::State;

impl kv::Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.plugin.kv.get(&key, self.plugin.pulse.now_ms()))
    }

    fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl_ms: Option<u32>,
    ) -> wasmtime::Result<Result<(), kv::Error>> {
        let now = self.plugin.pulse.now_ms();
        Ok(self.plugin.kv.set(&key, value, ttl_ms, now).map_err(Into::into))
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<bool> {
        Ok(self.plugin.kv.delete(&key, self.plugin.pulse.now_ms()))
    }

    fn increment(
        &mut self,
        key: String,
        delta: i64,
        ttl_ms: Option<u32>,
    ) -> wasmtime::Result<Result<i64, kv::Error>> {
        let now = self.plugin.pulse.now_ms();
        Ok(self.plugin.kv.increment(&key, delta, ttl_ms, now).map_err(Into::into))
    }

    fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, kv::Error>> {
        let now = self.plugin.pulse.now_ms();
        let swapped = self.plugin.kv.compare_and_swap(&key, expected.as_deref(), value, now);
        Ok(swapped.map_err(Into::into))
    }
}

impl From<KvError> for kv::Error {
    fn from(error: KvError) -> Self {
        match error {
            KvError::TooLarge => Self::TooLarge,
            KvError::QuotaExceeded => Self::QuotaExceeded,
            KvError::Unfit(why) => Self::Other(why.to_owned()),
        }
    }
}
