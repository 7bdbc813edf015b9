//! `atlashub:kv/store`: small values of the plugin's own.

use super::not_granted;
use crate::{
    bindings::kv::store::{Entry, Error, Host},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{Grant, Result, capability::kv::KvCondition};
use std::{sync::Arc, time::Duration};

type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

fn answer<T>(result: Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| {
        let (code, message) = for_guest(&error);
        Error { code, message }
    }))
}

impl PluginShared {
    fn check_kv(&self) -> Result<()> {
        if self.grants.contains(&Grant::Kv) {
            Ok(())
        } else {
            Err(not_granted("kv"))
        }
    }

    async fn kv_set(
        &self,
        key: &str,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
        condition: KvCondition,
    ) -> Result<Option<u64>> {
        self.check_kv()?;
        let ttl = ttl_ms.map(Duration::from_millis);
        self.services
            .kv
            .set(&self.scope, key, value, ttl, condition)
            .await
    }
}

impl Host for State {
    async fn get(&mut self, key: String) -> Answer<Option<Entry>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let found = match plugin.check_kv() {
            Ok(()) => plugin.services.kv.get(&plugin.scope, &key).await,
            Err(error) => Err(error),
        };
        answer(found.map(|entry| {
            entry.map(|entry| Entry {
                value: entry.value,
                version: entry.version,
            })
        }))
    }

    async fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Answer<u64> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let set = plugin
            .kv_set(&key, value, ttl_ms, KvCondition::Always)
            .await;
        answer(set.map(Option::unwrap_or_default))
    }

    async fn compare_and_swap(
        &mut self,
        key: String,
        version: Option<u64>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Answer<Option<u64>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let condition = version.map_or(KvCondition::Absent, KvCondition::Version);
        answer(plugin.kv_set(&key, value, ttl_ms, condition).await)
    }

    async fn delete(&mut self, key: String) -> Answer<bool> {
        let plugin = Arc::clone(&self.hooks.plugin);
        answer(match plugin.check_kv() {
            Ok(()) => plugin.services.kv.delete(&plugin.scope, &key).await,
            Err(error) => Err(error),
        })
    }

    async fn list(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<Vec<String>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let limit = (limit as usize).min(atlashub_core::capability::kv::MAX_LIST);
        answer(match plugin.check_kv() {
            Ok(()) => {
                plugin
                    .services
                    .kv
                    .list(&plugin.scope, &prefix, after.as_deref(), limit)
                    .await
            }
            Err(error) => Err(error),
        })
    }
}
