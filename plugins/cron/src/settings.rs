//! What an admin can set.

use atlashub_sdk::prelude::*;

const KEEP_RUNS: u32 = 1_000;
const KEEP_DAYS: u32 = 30;
const RESPONSE_BYTES: usize = 256 * 1024;
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;

/// The plugin's configuration.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) allowed_targets: Vec<String>,
    #[serde(default)]
    pub(crate) allowed_plugins: Vec<String>,
    pub(crate) keep_runs: Option<u32>,
    pub(crate) keep_days: Option<u32>,
    pub(crate) response_bytes: Option<usize>,
    #[serde(default)]
    pub(crate) notify_user_ids: Vec<String>,
}

impl Settings {
    /// Runs that are kept of a job.
    pub(crate) fn keep_runs(&self) -> u32 {
        self.keep_runs.unwrap_or(KEEP_RUNS)
    }

    /// How long runs are kept, milliseconds.
    pub(crate) fn keep_ms(&self) -> i64 {
        i64::from(self.keep_days.unwrap_or(KEEP_DAYS)) * 24 * 3_600_000
    }

    /// Bytes of an answer that are kept.
    pub(crate) fn response_bytes(&self) -> usize {
        self.response_bytes
            .unwrap_or(RESPONSE_BYTES)
            .min(MAX_RESPONSE_BYTES)
    }
}
