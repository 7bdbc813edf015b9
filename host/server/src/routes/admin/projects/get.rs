//! `GET /admin/v1/projects/{project}`.

use super::ProjectView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}", tag = "projects", operation_id = "get_project",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "The project", body = ProjectView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Json<ProjectView>, Problem> {
    let project = state.app.project(&project).await?;
    Ok(Json(ProjectView::of(&state, project)))
}
