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
    /// MIME types that are not taken.
    #[serde(default)]
    refused_types: Option<Vec<String>>,
}

impl Settings {
    /// How long a link is good for.
    pub(crate) fn link_time(&self) -> Duration {
        Duration::from_secs(self.link_seconds.unwrap_or(LINK_SECONDS))
    }

    /// Refuses a type that is not taken here.
    pub(crate) fn check_type(&self, mime_type: &str) -> Result<()> {
        if atlashub_file_types::is_refused(mime_type, self.refused_types.as_deref()) {
            return Err(Error::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "type_not_allowed",
                format!("objects of type {mime_type} are not taken here"),
            ));
        }
        Ok(())
    }
}
