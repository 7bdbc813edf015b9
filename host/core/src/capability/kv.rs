//! Small values of a plugin's own, with expiry and compare-and-swap.

use super::PluginScope;
use crate::Result;
use async_trait::async_trait;
use std::time::Duration;

/// Longest key, bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// Largest value, bytes.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
/// Most keys that one `list` returns.
pub const MAX_LIST: usize = 1_000;

/// A value and its version, which changes with every write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvEntry {
    /// The value.
    pub value: Vec<u8>,
    /// Increases with every write of this key.
    pub version: u64,
}

/// Under which condition a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvCondition {
    /// Always.
    Always,
    /// Only when there is no such key.
    Absent,
    /// Only when the key has this version.
    Version(u64),
}

/// Key and value storage. Codes: `kv_key_invalid`, `kv_value_too_large`,
/// `kv_full`.
#[async_trait]
pub trait Kv: Send + Sync {
    /// The value of `key`, unless absent or expired.
    async fn get(&self, scope: &PluginScope, key: &str) -> Result<Option<KvEntry>>;

    /// Writes `value`, to expire after `ttl`. Answers the new version, or
    /// `None` when the condition did not hold.
    async fn set(
        &self,
        scope: &PluginScope,
        key: &str,
        value: Vec<u8>,
        ttl: Option<Duration>,
        condition: KvCondition,
    ) -> Result<Option<u64>>;

    /// Removes `key`; whether it was there.
    async fn delete(&self, scope: &PluginScope, key: &str) -> Result<bool>;

    /// Keys that start with `prefix`, in byte order, after `after`.
    async fn list(
        &self,
        scope: &PluginScope,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>>;
}
