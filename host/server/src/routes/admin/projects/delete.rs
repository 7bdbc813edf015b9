//! `DELETE /admin/v1/projects/{project}`: with everything in it.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}", tag = "projects", operation_id = "delete_project",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 204, description = "The project is gone"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    state.app.delete_project(&caller.actor, project.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
