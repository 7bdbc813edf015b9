//! The plugin life cycle as admins drive it: the use cases of
//! [`crate::plugins`] with the project looked up.

use crate::{
    Actor, App,
    directory::ProjectEntry,
    plugins::{InstallOutcome, InstallPlugin, InstallationView, UploadOutcome, UploadPlugin},
};
use atlashub_core::RevisionId;
use atlashub_core::{Error, PluginName, ProjectId, Result};
use atlashub_data::platform::{Page, Revision};
use std::sync::Arc;

impl App {
    /// A page of the catalogue: the newest revision of each plugin, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn catalogue(
        &self,
        after: Option<&PluginName>,
        limit: u64,
    ) -> Result<Page<Revision, PluginName>> {
        self.platform().revisions().catalogue(after, limit).await
    }

    /// A page of a plugin's revisions, newest first.
    ///
    /// # Errors
    /// `not_found` when there is no such plugin.
    pub async fn revisions(
        &self,
        plugin: &PluginName,
        before: Option<RevisionId>,
        limit: u64,
    ) -> Result<Page<Revision, RevisionId>> {
        let page = self
            .platform()
            .revisions()
            .list(plugin, before, limit)
            .await?;
        if page.items.is_empty() && before.is_none() {
            return Err(Error::not_found(format!("plugin `{plugin}`")));
        }
        Ok(page)
    }

    /// Adds a revision to the catalogue.
    ///
    /// # Errors
    /// As [`crate::plugins::Plugins::upload`].
    pub async fn upload_plugin(
        &self,
        actor: &Actor,
        upload: UploadPlugin,
    ) -> Result<UploadOutcome> {
        self.plugins().upload(actor, upload).await
    }

    /// The plugins of a project, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn installed_plugins(&self, project: ProjectId) -> Result<Vec<InstallationView>> {
        self.plugins().installed(&self.entry(project).await?).await
    }

    /// One plugin of a project.
    ///
    /// # Errors
    /// `not_found` when it is not installed.
    pub async fn installed_plugin(
        &self,
        project: ProjectId,
        plugin: &PluginName,
    ) -> Result<InstallationView> {
        self.plugins()
            .installed_one(&self.entry(project).await?, plugin)
            .await
    }

    /// Installs a plugin, or makes its installation what `wanted` says.
    ///
    /// # Errors
    /// As [`crate::plugins::Plugins::install`].
    pub async fn install_plugin(
        &self,
        actor: &Actor,
        project: ProjectId,
        plugin: &PluginName,
        wanted: InstallPlugin,
    ) -> Result<InstallOutcome> {
        let entry = self.entry(project).await?;
        let outcome = self
            .plugins()
            .install(&entry, plugin, wanted, actor)
            .await?;
        if outcome.installation.state.enabled {
            self.release_queue(project, plugin).await;
        }
        Ok(outcome)
    }

    /// Removes a plugin from a project, with its data when that is asked for.
    ///
    /// # Errors
    /// `not_found` when it is not installed.
    pub async fn remove_plugin(
        &self,
        actor: &Actor,
        project: ProjectId,
        plugin: &PluginName,
        delete_data: bool,
    ) -> Result<()> {
        let entry = self.entry(project).await?;
        self.plugins()
            .remove(&entry, plugin, delete_data, actor)
            .await
    }

    pub(crate) async fn entry(&self, project: ProjectId) -> Result<Arc<ProjectEntry>> {
        if let Some(entry) = self.directory().by_id(project) {
            return Ok(entry);
        }
        self.directory().refresh(project).await?;
        self.directory()
            .by_id(project)
            .ok_or_else(|| Error::not_found("project"))
    }
}
