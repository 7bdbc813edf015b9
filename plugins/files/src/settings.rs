//! What an admin can set.

use atlashub_sdk::prelude::*;

/// The plugin's configuration.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    /// Largest file, bytes.
    #[serde(default)]
    pub(crate) max_file_bytes: Option<u64>,
    /// MIME types that are not taken.
    #[serde(default)]
    refused_types: Option<Vec<String>>,
    /// What a user may store, bytes, with all versions and the trash, where
    /// nothing is set for the project.
    #[serde(default = "default_user_quota")]
    user_quota_bytes: u64,
    /// How many files and folders a user may have.
    #[serde(default = "default_user_entries")]
    pub(crate) user_max_entries: u64,
    /// How many versions before the present one are kept.
    #[serde(default = "default_versions")]
    pub(crate) versions_keep: u32,
    /// For how many days they are.
    #[serde(default = "default_days")]
    pub(crate) versions_days: u32,
    /// For how many days something stays in the trash.
    #[serde(default = "default_days")]
    pub(crate) trash_days: u32,
    /// Plugins whose jobs work with everybody's files.
    #[serde(default = "default_workers")]
    pub(crate) workers: Vec<String>,
}

fn default_workers() -> Vec<String> {
    vec!["transfer".to_owned()]
}

const fn default_user_quota() -> u64 {
    100 * 1024 * 1024
}

const fn default_user_entries() -> u64 {
    200_000
}

const fn default_versions() -> u32 {
    10
}

const fn default_days() -> u32 {
    30
}

/// The moment so many days ago, in milliseconds since 1970.
pub(crate) fn days_ago(now: i64, days: u32) -> i64 {
    now.saturating_sub(i64::from(days).saturating_mul(24 * 60 * 60 * 1000))
}

impl Settings {
    /// What a user may store, bytes: the project's limit, whether it is more
    /// or less than the plugin's.
    pub(crate) fn user_quota(&self) -> Result<u64> {
        Ok(config::user_storage_bytes()?.unwrap_or(self.user_quota_bytes))
    }

    /// Refuses a file that is larger than one may be.
    pub(crate) fn check_size(&self, size: u64) -> Result<()> {
        match self.max_file_bytes.filter(|most| size > *most) {
            Some(most) => Err(Error::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "object_too_large",
                format!("files have {most} bytes at most here"),
            )
            .with_field("limit_bytes", most)
            .with_field("requested_bytes", size)),
            None => Ok(()),
        }
    }

    /// Refuses a type that is not taken here.
    pub(crate) fn check_type(&self, mime_type: &str) -> Result<()> {
        if atlashub_file_types::is_refused(mime_type, self.refused_types.as_deref()) {
            return Err(Error::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "type_refused",
                format!("files of type {mime_type} are not taken here"),
            ));
        }
        Ok(())
    }
}
