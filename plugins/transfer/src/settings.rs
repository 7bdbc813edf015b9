//! What an admin can set.

use atlashub_sdk::prelude::*;

/// How long results and uploads are kept when nothing is said.
const KEEP_HOURS: u32 = 72;
const HOUR_MS: i64 = 3_600_000;

/// The plugin's configuration.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Settings {
    #[serde(default)]
    keep_hours: Option<u32>,
}

impl Settings {
    /// When what comes to be now is deleted, milliseconds since 1970.
    pub(crate) fn expires(&self) -> i64 {
        let hours = i64::from(self.keep_hours.unwrap_or(KEEP_HOURS));
        moment::now_ms().saturating_add(hours.saturating_mul(HOUR_MS))
    }
}
