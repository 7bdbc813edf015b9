//! What is made for clients out of a project's tables: a description of its
//! interface, and types. Made when asked for; the tables are known already.

mod openapi;
mod plugins;
mod typescript;

use crate::{App, directory::ProjectEntry};
use atlashub_core::{ProjectId, Result};
use plugins::Described;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

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
        let table = self.directory().routes(entry).await?;
        let revisions: BTreeSet<_> = table
            .mounts()
            .iter()
            .map(|mount| mount.plugin.revision.id)
            .collect();
        let told = self.platform().revisions().descriptions(revisions).await?;
        let mounts: Vec<Described> = table
            .mounts()
            .iter()
            .filter(|mount| !mount.assets)
            .map(|mount| Described {
                plugin: mount.plugin.revision.plugin.as_str(),
                path: &mount.path,
                seen: &mount.seen,
                document: told.get(&mount.plugin.revision.id),
            })
            .collect();
        let tables = if mounts.iter().any(|mount| mount.plugin == DB_PLUGIN) {
            self.tables(entry.id).await?
        } else {
            Arc::default()
        };
        let url = self.directory().public_url(&entry.slug);
        openapi::of(entry.slug.as_str(), &url, &tables, &mounts)
    }
}
