//! `config`: the `[config]` table of the plugin's sidecar file.

use serde_json::Value;

use crate::bindings::tidegate::plugin::config;
use crate::state::State;

impl config::Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(find(&self.config, &key).map(Value::to_string))
    }
}

/// The value under a dotted key.
fn find<'a>(config: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(config, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_go_into_tables() {
        let config = serde_json::json!({ "sticky": "2s", "users": { "admin": ["a", "b"] } });
        let get = |key| find(&config, key).map(Value::to_string);
        assert_eq!(get("sticky").as_deref(), Some("\"2s\""));
        assert_eq!(get("users.admin").as_deref(), Some("[\"a\",\"b\"]"));
        assert_eq!(get("users.guest"), None);
        assert_eq!(get("sticky.more"), None);
    }
}
