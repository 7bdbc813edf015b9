//! Backups: where archives go, and what seals them. Unless set they go to the
//! object store, below a prefix of their own, and are sealed with keys that
//! follow from the master key.

use anyhow::{Context as _, bail};
use atlashub_app::backups::ArchiveKeys;
use atlashub_data::platform::BackupPolicy;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Backups.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BackupsConfig {
    /// `fs:<folder>` or `s3://bucket?endpoint=…&region=…`; the object store
    /// unless set.
    pub(crate) url: Option<String>,
    /// The key of that store; that of the object store unless set.
    pub(crate) access_key_id: Option<String>,
    /// Its secret.
    pub(crate) secret_access_key: Option<String>,
    /// Seals archives: 32 bytes in base64, or several behind commas, of which
    /// the first seals and all open.
    pub(crate) key: Option<String>,
    /// When what has no policy of its own is backed up: a cron expression.
    pub(crate) schedule: Option<String>,
    /// The zone of its times; UTC unless set.
    pub(crate) timezone: Option<String>,
    /// The folder of Postgres's client programs; `PATH` unless set.
    pub(crate) pg_bin: Option<PathBuf>,
}

impl BackupsConfig {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        if let Some(url) = &self.url
            && !url.starts_with("fs:")
            && !url.starts_with("s3://")
        {
            bail!("ATLASHUB_BACKUP_URL must start with fs: or s3://");
        }
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            bail!(
                "ATLASHUB_BACKUP_ACCESS_KEY_ID and ATLASHUB_BACKUP_SECRET_ACCESS_KEY go together: \
                 set both or neither"
            );
        }
        if self.access_key_id.is_some() && self.url.is_none() {
            bail!("ATLASHUB_BACKUP_ACCESS_KEY_ID is of no use without ATLASHUB_BACKUP_URL");
        }
        if self.timezone.is_some() && self.schedule.is_none() {
            bail!("ATLASHUB_BACKUP_TIMEZONE is of no use without ATLASHUB_BACKUP_SCHEDULE");
        }
        if let Some(policy) = self.policy() {
            policy
                .timetable()
                .context("ATLASHUB_BACKUP_SCHEDULE or ATLASHUB_BACKUP_TIMEZONE cannot be read")?;
        }
        self.keys().map(drop)
    }

    /// The policy of what has none of its own.
    pub(crate) fn policy(&self) -> Option<BackupPolicy> {
        let schedule = self.schedule.clone()?;
        Some(BackupPolicy {
            enabled: true,
            schedule: Some(schedule),
            timezone: self.timezone.clone(),
            ..BackupPolicy::default()
        })
    }

    /// The keys that were set.
    pub(crate) fn keys(&self) -> anyhow::Result<Option<ArchiveKeys>> {
        self.key
            .as_deref()
            .map(ArchiveKeys::from_base64)
            .transpose()
            .context("ATLASHUB_BACKUP_KEY cannot be read")
    }
}
