//! `GET /admin/v1/projects/{project}/plugins`.

use super::InstallationView;
use crate::{
    admin::AdminCaller,
    extract::{List, Path},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/plugins", tag = "plugins", operation_id = "list_installations",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "Plugins of the project, by name", body = List<InstallationView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Json<List<InstallationView>>, Problem> {
    let project = state.app.project(&project).await?;
    let installed = state.app.installed_plugins(project.id).await?;
    Ok(Json(List::whole(
        installed.into_iter().map(InstallationView::from),
    )))
}
