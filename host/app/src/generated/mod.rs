//! What is made for clients out of a project's tables: a description of its
//! interface, and types. Made when asked for; the tables are known already.

mod openapi;
mod typescript;

use crate::{App, directory::ProjectEntry};
use atlashub_core::{ProjectId, Result};
use serde_json::Value;
use std::sync::Arc;

/// The built-in plugin that offers tables.
const DB_PLUGIN: &str = "db";

impl App {
    /// TypeScript types of a project's tables, as clients of the PostgREST
    /// dialect take them.
    ///
    /// # Errors
    /// When the project's database cannot.
    pub async fn typescript_types(&self, project: ProjectId) -> Result<String> {
        let tables = self.tables(project).await?;
        Ok(typescript::of(&tables))
    }

    /// The description (OpenAPI 3.1) of what a project offers: its tables
    /// where the plugin `db` is enabled, and the routes of its plugins.
    ///
    /// # Errors
    /// When a database cannot.
    pub async fn project_openapi(&self, entry: &Arc<ProjectEntry>) -> Result<Value> {
        let installed = self.plugins().installed(entry).await?;
        let enabled: Vec<_> = installed
            .iter()
            .filter(|plugin| plugin.installation.state.enabled)
            .collect();
        let routes: Vec<openapi::PluginRoutes> = enabled
            .iter()
            .map(|plugin| openapi::PluginRoutes {
                plugin: plugin.installation.plugin.to_string(),
                mounts: plugin.routes.clone(),
            })
            .collect();
        let tables = if routes.iter().any(|routes| routes.plugin == DB_PLUGIN) {
            self.tables(entry.id).await?
        } else {
            Arc::default()
        };
        let url = self.directory().public_url(&entry.slug);
        Ok(openapi::of(entry.slug.as_str(), &url, &tables, &routes))
    }
}
