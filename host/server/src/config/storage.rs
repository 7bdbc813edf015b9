//! The object store. Its keys come from the usual AWS variables.

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// The object store.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StorageConfig {
    /// `fs:<folder>` or `s3://bucket?endpoint=…&region=…`; a folder in the
    /// data folder unless set.
    pub(crate) url: Option<String>,
}

impl StorageConfig {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        if let Some(url) = &self.url
            && !url.starts_with("fs:")
            && !url.starts_with("s3://")
        {
            bail!("ATLASHUB_STORAGE_URL must start with fs: or s3://");
        }
        Ok(())
    }
}
