//! `GET /admin/v1/projects/{project}/plugins/{plugin}`.

use super::{InstallationView, named};
use crate::{
    admin::AdminCaller,
    extract::{Path, Tagged},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/plugins/{plugin}", tag = "plugins", operation_id = "get_installation",
    params(("project" = String, Path, description = "Id or slug"), ("plugin" = String, Path, description = "The plugin's name")),
    responses((status = 200, description = "The plugin in the project", body = InstallationView, headers(("ETag" = String, description = "What `If-Match` takes"))))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, plugin)): Path<(String, String)>,
) -> Result<Tagged<Json<InstallationView>>, Problem> {
    let (project, plugin) = named(&state, &project, &plugin).await?;
    let view: InstallationView = state.app.installed_plugin(project, &plugin).await?.into();
    Ok(Tagged {
        tag: view.etag.clone(),
        answer: Json(view),
    })
}
