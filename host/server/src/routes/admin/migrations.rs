//! `GET /admin/v1/migrations`: which migrations ran, the platform's own and,
//! for a project, those of its plugins.

use crate::{
    admin::AdminCaller,
    extract::{List, Query},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Whose migrations.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MigrationQuery {
    /// Those of the plugins of this project, by id or slug, too.
    project: Option<String>,
}

/// A migration.
#[derive(Serialize, ToSchema)]
pub(crate) struct MigrationView {
    /// `platform` or `plugin`.
    scope: &'static str,
    /// The plugin, for one of a plugin.
    #[schema(required)]
    plugin: Option<String>,
    /// Its name.
    name: String,
    /// Whether it has run.
    applied: bool,
}

#[utoipa::path(
    get, path = "/admin/v1/migrations", tag = "operations", operation_id = "migrations",
    params(MigrationQuery),
    responses((status = 200, description = "Migrations in order", body = List<MigrationView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(query): Query<MigrationQuery>,
) -> Result<Json<List<MigrationView>>, Problem> {
    let platform = state.app.platform_migrations().await?;
    let mut items: Vec<MigrationView> = platform
        .into_iter()
        .map(|step| MigrationView {
            scope: "platform",
            plugin: None,
            name: step.name,
            applied: step.applied,
        })
        .collect();
    if let Some(project) = query.project {
        let project = state.app.project(&project).await?.id;
        for installed in state.app.installed_plugins(project).await? {
            // A revision is installed only after its migrations have run.
            let steps = installed.revision.manifest.migrations;
            items.extend(steps.into_iter().map(|step| MigrationView {
                scope: "plugin",
                plugin: Some(installed.installation.plugin.to_string()),
                name: step.name,
                applied: true,
            }));
        }
    }
    Ok(Json(List::whole(items)))
}
