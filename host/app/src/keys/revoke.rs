//! Revoking a key.

use crate::{Actor, App};
use atlashub_core::{Error, KeyId, ProjectId, Result};
use serde_json::json;

impl App {
    /// Revokes a key, everywhere within a second; again is fine.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn revoke_key(&self, actor: &Actor, project: ProjectId, id: KeyId) -> Result<()> {
        let unit = self.platform().begin().await?;
        if unit.keys().find(project, id).await?.is_none() {
            return Err(Error::not_found("key"));
        }
        if unit.keys().revoke(project, id).await? {
            unit.audit()
                .append(actor.did("key.revoke", Some(project), id.to_string(), json!({})))
                .await?;
        }
        unit.commit().await?;
        self.take_up_keys(project).await;
        Ok(())
    }
}
