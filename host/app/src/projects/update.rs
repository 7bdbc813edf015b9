//! Changing a project.

use super::name;
use crate::{Actor, App};
use atlashub_core::{ProjectId, Result, Slug};
use atlashub_data::platform::{Project, ProjectPatch};
use serde_json::json;

/// What to change; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateProject {
    /// Another display name.
    pub name: Option<String>,
    /// Another name in addresses.
    pub slug: Option<Slug>,
}

impl App {
    /// Changes a project.
    ///
    /// # Errors
    /// `not_found`, `invalid_name`, `reserved_name`, `slug_taken`.
    pub async fn update_project(
        &self,
        actor: &Actor,
        id: ProjectId,
        wanted: UpdateProject,
    ) -> Result<Project> {
        if let Some(slug) = &wanted.slug {
            slug.check_free()?;
        }
        let patch = ProjectPatch {
            name: wanted.name.as_deref().map(name).transpose()?,
            slug: wanted.slug,
            settings: None,
        };
        let details = json!({ "name": patch.name, "slug": patch.slug });
        let unit = self.platform().begin().await?;
        let project = unit.projects().update(id, patch).await?;
        unit.audit()
            .append(actor.did("project.update", Some(id), id.to_string(), details))
            .await?;
        unit.commit().await?;
        self.take_up(id).await;
        Ok(project)
    }
}
