//! `/admin/v1/projects/{project}/plugins`: what a project has installed.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod page_token;
pub(crate) mod put;
pub(crate) mod remove;

use super::plugins::DeclaredPermission;
use crate::state::HostState;
use atlashub_app::plugins::{Health, InstallationView as Installed};
use atlashub_core::{
    Error, Limits, Manifest, PluginName, ProjectId, Result, precondition::tag_of_generation,
};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A plugin of a project.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstallationView {
    /// The plugin's name.
    name: String,
    /// What the plugin does.
    description: String,
    /// Whether it serves.
    enabled: bool,
    /// The revision it is on.
    revision: Uuid,
    /// The version of that revision.
    version: String,
    /// SHA-256 of that revision's component.
    digest: String,
    /// The revision it was on before.
    #[schema(required)]
    previous_revision: Option<Uuid>,
    /// Its configuration; secret values are hidden.
    #[schema(value_type = Object)]
    config: Value,
    /// What it was granted.
    grants: Vec<String>,
    /// What its manifest asks for.
    requested_grants: Vec<String>,
    /// What users may be allowed to do in it.
    permissions: Vec<DeclaredPermission>,
    /// Where it is mounted.
    routes: Vec<String>,
    /// Pages that it brings into the dashboard.
    pages: Vec<PageView>,
    /// What it may use.
    #[schema(value_type = Object)]
    limits: Limits,
    /// How it is doing on the node that answers: `ok`, `failing`, `cut_off`,
    /// `unavailable`, `disabled`.
    #[schema(value_type = String)]
    health: Health,
    /// Its last fault on the node that answers.
    #[schema(required)]
    last_error: Option<String>,
    /// Grows with each change.
    generation: i64,
    /// What `If-Match` takes, with its quotes: another with each change.
    etag: String,
    /// When it was installed.
    #[serde(with = "time::serde::rfc3339")]
    installed_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// A page of a plugin in the dashboard.
#[derive(Serialize, ToSchema)]
pub(crate) struct PageView {
    /// What it is called there.
    title: String,
    /// Where it lies in the project, `/notes/admin.html`.
    path: String,
}

impl PageView {
    /// The pages of a plugin that is mounted at `paths`.
    fn all(manifest: &Manifest, paths: &[String]) -> Vec<Self> {
        let mount = paths.last().filter(|_| manifest.assets.is_some());
        let pages = mount.into_iter().flat_map(|mount| {
            manifest.pages.iter().map(|page| Self {
                title: page.title.clone(),
                path: format!("{}/{}", mount.trim_end_matches('/'), page.path),
            })
        });
        pages.collect()
    }
}

impl From<Installed> for InstallationView {
    fn from(view: Installed) -> Self {
        let (installation, manifest) = (view.installation, view.revision.manifest);
        let state = installation.state;
        Self {
            name: installation.plugin.into(),
            permissions: DeclaredPermission::all(&manifest),
            pages: PageView::all(&manifest, &view.routes),
            description: manifest.description,
            enabled: state.enabled,
            revision: *state.revision.as_uuid(),
            version: manifest.version.to_string(),
            digest: view.revision.digest.to_string(),
            previous_revision: installation.previous_revision.map(|id| *id.as_uuid()),
            config: view.config,
            grants: state.grants.iter().map(ToString::to_string).collect(),
            requested_grants: manifest.grants.iter().map(ToString::to_string).collect(),
            routes: view.routes,
            limits: state.limits.unwrap_or(manifest.limits),
            health: view.health,
            last_error: view.last_error,
            generation: installation.generation,
            etag: tag_of_generation(installation.generation),
            installed_at: installation.created_at,
            updated_at: installation.updated_at,
        }
    }
}

/// The project and the plugin that a path names.
async fn named(state: &HostState, project: &str, plugin: &str) -> Result<(ProjectId, PluginName)> {
    let project = state.app.project(project).await?.id;
    let plugin = plugin
        .parse()
        .map_err(|_| Error::not_found(format!("plugin `{plugin}`")))?;
    Ok((project, plugin))
}
