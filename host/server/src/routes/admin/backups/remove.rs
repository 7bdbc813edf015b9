//! `DELETE /admin/v1/projects/{project}/backups/{id}` and
//! `DELETE /admin/v1/backups/{id}`.

use super::id;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/backups/{id}", tag = "backups", operation_id = "delete_backup",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The backup's id")),
    responses((status = 204, description = "It is gone, with its archive"))
)]
pub(crate) async fn of_project(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, backup)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?.id;
    let backups = state.app.backups();
    backups
        .delete(&caller.actor, Some(project), id(&backup)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    delete, path = "/admin/v1/backups/{id}", tag = "backups", operation_id = "delete_platform_backup",
    params(("id" = String, Path, description = "The backup's id: of the platform, or of a project that is gone")),
    responses((status = 204, description = "It is gone, with its archive"))
)]
pub(crate) async fn of_platform(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(backup): Path<String>,
) -> Result<StatusCode, Problem> {
    let backups = state.app.backups();
    let whose = backups.owner_of(id(&backup)?).await?;
    backups.delete(&caller.actor, whose, id(&backup)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
