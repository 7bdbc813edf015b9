//! The plugin's configuration.

use atlashub_sdk::prelude::*;

/// As the admin set it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) allow_plain_http: bool,
    #[serde(default)]
    pub(crate) redirect_urls: Vec<String>,
    pub(crate) gdrive_client_id: Option<String>,
    pub(crate) gdrive_base_url: Option<String>,
    pub(crate) onedrive_client_id: Option<String>,
    pub(crate) onedrive_base_url: Option<String>,
    pub(crate) dropbox_client_id: Option<String>,
    pub(crate) dropbox_base_url: Option<String>,
    #[serde(default = "usual_part")]
    pub(crate) s3_part_bytes: u64,
}

/// 512 MiB.
const fn usual_part() -> u64 {
    512 * 1024 * 1024
}
