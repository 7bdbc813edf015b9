//! `wasi:config/store`: the installation's configuration, and what the
//! platform tells by keys of its own. Those are answered by name alone: what
//! a plugin reads as a whole is what its schema allows.

use crate::{bindings::config::store, state::State};

impl store::Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, store::Error>> {
        let plugin = self.plugin();
        let value = plugin
            .told
            .iter()
            .chain(&plugin.config)
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.clone());
        Ok(Ok(value))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, store::Error>> {
        Ok(Ok(self.plugin().config.clone()))
    }
}
