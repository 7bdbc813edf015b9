//! Finding projects.

use crate::App;
use atlashub_core::{Error, ProjectId, Result, Slug};
use atlashub_data::platform::{Page, Project};

impl App {
    /// The project with this id or slug.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn project(&self, id_or_slug: &str) -> Result<Project> {
        let found = if let Ok(id) = id_or_slug.parse::<ProjectId>() {
            self.platform().projects().find(id).await?
        } else if let Ok(slug) = id_or_slug.parse::<Slug>() {
            self.platform().projects().find_by_slug(&slug).await?
        } else {
            None
        };
        found.ok_or_else(|| Error::not_found("project"))
    }

    /// A page of projects, oldest first: all, or those whose name or slug
    /// contains a text.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn projects(
        &self,
        containing: Option<&str>,
        after: Option<ProjectId>,
        limit: u64,
    ) -> Result<Page<Project, ProjectId>> {
        self.platform()
            .projects()
            .list(containing, after, limit)
            .await
    }
}
