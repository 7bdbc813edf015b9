//! Deleting a project: hidden at once, its data removed soon after.

use crate::{Actor, App};
use atlashub_core::{Error, ProjectId, Result};
use serde_json::json;

impl App {
    /// Deletes a project with everything in it.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn delete_project(&self, actor: &Actor, id: ProjectId) -> Result<()> {
        let unit = self.platform().begin().await?;
        let project = unit
            .projects()
            .find(id)
            .await?
            .ok_or_else(|| Error::not_found("project"))?;
        unit.projects().delete(id).await?;
        unit.audit()
            .append(actor.did(
                "project.delete",
                Some(id),
                id.to_string(),
                json!({ "slug": project.slug, "name": project.name }),
            ))
            .await?;
        unit.commit().await?;
        self.take_up(id).await;
        self.want_purge();
        Ok(())
    }
}
