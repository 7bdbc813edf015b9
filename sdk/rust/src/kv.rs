//! Small values of the plugin's own, with expiry and compare-and-swap. Needs
//! the grant `kv`. Values are JSON unless the calls for bytes are used.

use crate::{Result, host};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// A value with its version, which increases with every write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// The value.
    pub value: T,
    /// For [`compare_and_swap`].
    pub version: u64,
}

/// The value of `key`.
///
/// # Errors
/// The host's, and 500 when the value is not such JSON.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    Ok(entry(key)?.map(|entry| entry.value))
}

/// The value of `key`, with its version.
///
/// # Errors
/// As [`get`].
pub fn entry<T: DeserializeOwned>(key: &str) -> Result<Option<Entry<T>>> {
    let Some(Entry { value, version }) = get_bytes(key)? else {
        return Ok(None);
    };
    Ok(Some(Entry {
        value: serde_json::from_slice(&value)?,
        version,
    }))
}

/// Writes a value, for good or for a while. Answers its version.
///
/// # Errors
/// The host's: `kv_key_invalid`, `kv_value_too_large`.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T, ttl: Option<Duration>) -> Result<u64> {
    set_bytes(key, &serde_json::to_vec(value)?, ttl)
}

/// Writes a value only if the key has this version; without a version only if
/// there is no such key. Answers the new version, or `None` when the
/// condition did not hold.
///
/// # Errors
/// As [`set`].
pub fn compare_and_swap<T: Serialize + ?Sized>(
    key: &str,
    version: Option<u64>,
    value: &T,
    ttl: Option<Duration>,
) -> Result<Option<u64>> {
    Ok(host::kv_compare_and_swap(
        key,
        version,
        &serde_json::to_vec(value)?,
        ttl.map(milliseconds),
    )?)
}

/// The bytes of `key`, with their version.
///
/// # Errors
/// The host's.
pub fn get_bytes(key: &str) -> Result<Option<Entry<Vec<u8>>>> {
    Ok(host::kv_get(key)?)
}

/// Writes bytes, for good or for a while. Answers their version.
///
/// # Errors
/// As [`set`].
pub fn set_bytes(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<u64> {
    Ok(host::kv_set(key, value, ttl.map(milliseconds))?)
}

/// Removes `key`; whether it was there.
///
/// # Errors
/// The host's.
pub fn delete(key: &str) -> Result<bool> {
    Ok(host::kv_delete(key)?)
}

/// Keys that start with `prefix`, in byte order, after `after`.
///
/// # Errors
/// The host's.
pub fn list(prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>> {
    Ok(host::kv_list(prefix, after, limit)?)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
