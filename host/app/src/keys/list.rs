//! Listing keys.

use crate::App;
use atlashub_core::{KeyId, ProjectId, Result};
use atlashub_data::platform::{Key, Page};

impl App {
    /// A page of a project's keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn keys(
        &self,
        project: ProjectId,
        after: Option<KeyId>,
        limit: u64,
    ) -> Result<Page<Key, KeyId>> {
        self.platform().keys().list(project, after, limit).await
    }
}
