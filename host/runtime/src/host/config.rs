//! `wasi:config/store`: the installation's configuration.

use crate::{bindings::config::store, state::State};

impl store::Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, store::Error>> {
        let config = &self.plugin().config;
        let value = config
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.clone());
        Ok(Ok(value))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, store::Error>> {
        Ok(Ok(self.plugin().config.clone()))
    }
}
