//! How this node works on the queue.

use anyhow::bail;
use atlashub_app::QueueSettings;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The queue.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QueueConfig {
    /// Items that this node works on at once; 0 leaves the work to others.
    pub(crate) workers: u32,
    /// Of those, at most this many of one project; 0 is half of them.
    pub(crate) workers_per_project: u32,
    /// How long a node that went silent keeps its items, seconds.
    pub(crate) lease_seconds: u32,
    /// Items that a project may have in the queue.
    pub(crate) backlog_items: u32,
    /// Bytes that they may carry together.
    pub(crate) backlog_bytes: u64,
    /// How long items that were done can be looked at, hours.
    pub(crate) keep_done_hours: u32,
    /// How long items that were given up or cancelled can be looked at and
    /// tried again, days.
    pub(crate) keep_failed_days: u32,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            workers: 32,
            workers_per_project: 0,
            lease_seconds: 30,
            backlog_items: 100_000,
            backlog_bytes: 256 * 1024 * 1024,
            keep_done_hours: 1,
            keep_failed_days: 30,
        }
    }
}

impl QueueConfig {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        if self.workers > 1_024 {
            bail!("ATLASHUB_QUEUE_WORKERS must lie between 0 and 1024");
        }
        if !(1..=3_600).contains(&self.lease_seconds) {
            bail!("ATLASHUB_QUEUE_LEASE_SECONDS must lie between 1 and 3600");
        }
        if !(1..=10_000_000).contains(&self.backlog_items) || self.backlog_bytes < 64 * 1024 {
            bail!(
                "ATLASHUB_QUEUE_BACKLOG_ITEMS must lie between 1 and 10000000, and queue.backlog_bytes must be at least 65536"
            );
        }
        Ok(())
    }

    /// What the use cases are told.
    pub(crate) fn settings(&self) -> QueueSettings {
        QueueSettings {
            workers: self.workers,
            workers_per_project: match self.workers_per_project {
                0 => self.workers.div_ceil(2),
                own => own,
            },
            lease: Duration::from_secs(self.lease_seconds.into()),
            backlog_items: self.backlog_items.into(),
            backlog_bytes: self.backlog_bytes,
            keep_done_hours: self.keep_done_hours,
            keep_failed_days: self.keep_failed_days,
        }
    }
}
