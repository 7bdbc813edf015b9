//! What an admin can set.

use atlashub_sdk::prelude::*;
use std::time::Duration;

/// How long a link is good for when nothing is said.
const LINK_SECONDS: u64 = 900;

/// The plugin's configuration.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    #[serde(default)]
    link_seconds: Option<u64>,
}

impl Settings {
    /// How long a link is good for.
    pub(crate) fn link_time(&self) -> Duration {
        Duration::from_secs(self.link_seconds.unwrap_or(LINK_SECONDS))
    }
}
