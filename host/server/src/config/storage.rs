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
    /// Whether clients are given links to the store itself.
    pub(crate) presign: Presign,
}

/// Whether clients are given links to the store itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Presign {
    /// Where it signs links.
    #[default]
    On,
    /// Never: all bytes pass this host.
    Off,
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
