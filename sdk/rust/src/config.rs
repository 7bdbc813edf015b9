//! The plugin's configuration, as the admin set it.

use crate::{Error, Result, decode, host};
use serde::de::DeserializeOwned;

/// The whole configuration. Fields with `#[serde(default)]` may be missing.
///
/// # Errors
/// 500 when the values do not fit `T`; a schema in the manifest prevents
/// that.
pub fn load<T: DeserializeOwned>() -> Result<T> {
    let values = host::config_all()?;
    decode::pairs(&values, decode::Lists::Json)
        .map_err(|error| Error::internal(format_args!("configuration: {error}")))
}

/// The bytes that one user of the project may store, where an admin set that
/// for the project; a plugin that keeps users' files goes by it before any
/// setting of its own.
///
/// # Errors
/// 500 when the host cannot read the configuration.
pub fn user_storage_bytes() -> Result<Option<u64>> {
    get("atlashub.user_storage_bytes")?
        .map(|bytes| bytes.parse().map_err(Error::internal))
        .transpose()
}

/// One value as text; what is not a text is JSON.
///
/// # Errors
/// 500 when the host cannot read the configuration.
pub fn get(key: &str) -> Result<Option<String>> {
    Ok(host::config_get(key)?)
}
